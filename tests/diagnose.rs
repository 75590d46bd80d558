use std::fs;
use std::path::Path;

use crate::support::*;

fn diagnose(config: &Path) -> String {
    let output = output_of(program().arg("diagnose").arg("--config").arg(config), "");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn diagnose_collects_what_a_report_needs_and_no_secret() {
    let upstream = Upstream::start();
    let folder = Gateway::prepare(
        &format!("http://{}", upstream.address),
        "token_file = \"shared.token\"\n[admin]\nlisten = \"unix:admin.sock\"\n",
        &users(&["ada"]).replace("name = ", "token = \"of-ada\"\nname = "),
    );
    fs::write(folder.path().join("shared.token"), "of-all").unwrap();
    let gateway = Gateway::start_in(folder);
    let config = gateway.folder().join("gateway.toml");
    let text = diagnose(&config);
    for line in [
        "# influx-gateway 0.",
        "system      Linux ",
        "open files  ",
        "ready       true",
        "uptime_seconds ",
        "answers     204 No Content to GET /ping, v2.9.1, in ",
        "users.toml, 1 users",
        "\"max_sessions_per_user\": 256",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    for secret in ["of-all", "of-ada", "$argon2id"] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
}

#[test]
fn diagnose_says_what_is_wrong_and_goes_on() {
    let url = format!("http://{}", closed_port());
    let folder = Gateway::prepare(&url, "", &users(&["ada"]));
    let config = folder.path().join("gateway.toml");
    let text = diagnose(&config);
    assert!(text.contains("not asked   ") && text.contains("add [admin]"), "{text}");
    assert!(text.contains("answers     not: ") && text.contains("refused"), "{text}");
    let broken = fs::read_to_string(&config).unwrap() + "\n[session]\nidle = \"soon\"\n";
    fs::write(&config, broken).unwrap();
    let text = diagnose(&config);
    assert!(text.contains("with faults:") && text.contains("session.idle"), "{text}");
}
