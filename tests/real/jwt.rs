#[path = "../jwt/idp.rs"]
#[expect(dead_code, reason = "the other tests need more of it")]
mod idp;
#[path = "../../gateway/src/jwt/tests/signing.rs"]
#[expect(dead_code, reason = "the unit tests need more of it")]
mod signing;

use serde_json::json;

use crate::influxd::{Influxd, OPERATOR_TOKEN};
use crate::programs::{made, python};
use crate::support::*;
use idp::Idp;

/// The page that says how Telegraf is set up.
fn page() -> String {
    std::fs::read_to_string(repository().join("docs/single-sign-on.md")).unwrap()
}

/// Its output of Telegraf, for this gateway and with this token.
fn output(gateway: &Gateway, jwt: &str) -> String {
    let page = page();
    let (_, block) = page.split_once("[[outputs.influxdb_v2]]\n").unwrap();
    let mut output = format!("[[outputs.influxdb_v2]]\n{}", block.split("```").next().unwrap());
    let url = format!("http://{}", gateway.address);
    for (theirs, ours) in [("https://gateway.example.com", &*url), ("@{keycloak:influx}", jwt)] {
        assert!(output.contains(theirs), "{output}");
        output = output.replace(theirs, ours);
    }
    output
}

/// Makes the bucket by the command of the page; its name.
fn make_bucket(influxd: &Influxd) -> String {
    let page = page();
    let command = page.lines().find_map(|line| line.strip_prefix("influx bucket create ")).unwrap();
    let mut influx = made("target/influxd/influx");
    influx.env("INFLUX_HOST", format!("http://{}", influxd.address));
    influx.env("INFLUX_TOKEN", OPERATOR_TOKEN);
    influx.env("INFLUX_CONFIGS_PATH", influxd.folder().join("configs"));
    influx.args(["bucket", "create"]).args(command.split(' '));
    let output = influx.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    command.split_once("--name ").unwrap().1.to_owned()
}

/// What Telegraf says of a point that it writes once: nothing if that went well.
fn by_telegraf(gateway: &Gateway, jwt: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let config = format!(
        "[agent]\nomit_hostname = true\n[[inputs.file]]\nfiles = [\"{}\"]\ndata_format = \"influx\"\n{}",
        at("points").display(),
        output(gateway, jwt)
    );
    std::fs::write(at("points"), "probe,host=telegraf value=1 1700002000000000000\n").unwrap();
    std::fs::write(at("telegraf.conf"), config).unwrap();
    let mut telegraf = made("target/telegraf/telegraf");
    telegraf.args(["--quiet", "--once", "--config"]).arg(at("telegraf.conf"));
    let output = telegraf.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let errors: Vec<_> = said.lines().filter(|line| line.contains(" E! ")).collect();
    assert_eq!(output.status.success(), errors.is_empty(), "{said}");
    errors.join("\n")
}

/// What the Python client says, which writes into the same bucket.
fn by_python(gateway: &Gateway, bucket: &str, jwt: &str) -> String {
    let mut client = python("python_jwt.py");
    client.env("GATEWAY_URL", format!("http://{}", gateway.address));
    client.env("GATEWAY_TOKEN", jwt).env("BUCKET", bucket);
    let output = client.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

#[test]
fn telegraf_and_python_write_with_a_jwt_by_the_token_of_their_group() {
    let (influxd, idp) = (Influxd::start(), Idp::start());
    let bucket = make_bucket(&influxd);
    let by_python = |gateway: &Gateway, jwt: &str| by_python(gateway, &bucket, jwt);
    let writers = influxd.add_user("of-writers");
    let auditors = influxd.add_user("of-auditors");
    let config = format!(
        "[[jwt]]\nissuer = \"{}\"\naudience = [\"influx-api\"]\n\
         [[grant]]\ngroup = \"writers\"\naccess = \"full\"\ntoken_file = \"writers.token\"\n\
         [[grant]]\ngroup = \"auditors\"\naccess = \"full\"\ntoken_file = \"auditors.token\"\n",
        idp.issuer
    );
    let url = format!("http://{}", influxd.address);
    let folder = Gateway::prepare(&url, &config, &users(&["ada"]));
    for (file, user) in [("writers.token", &writers), ("auditors.token", &auditors)] {
        std::fs::write(folder.path().join(file), &user.token).unwrap();
    }
    let gateway = Gateway::start_in(folder);
    wait_until("the keys are there", || gateway.has_logged("keys of "));
    let of_writers = idp.token(&idp.claims());
    let mut claims = idp.with("groups", json!(["auditors"]));
    claims["preferred_username"] = json!("tom");
    let of_auditors = idp.token(&claims);

    assert_eq!(by_telegraf(&gateway, &of_writers), "");
    // Its point, and those of the Python client.
    assert_eq!(by_python(&gateway, &of_writers), "1001");
    // By the token of the group and no other: without it, InfluxDB knows nobody.
    let target = format!("/api/v2/authorizations/{}", writers.authorization);
    influxd.call("PATCH", &target, Some(json!({ "status": "inactive" })));
    let refused = by_telegraf(&gateway, &of_writers);
    assert!(refused.contains("401 Unauthorized") || refused.contains("403 Forbidden"), "{refused}");
    assert!(["401", "403"].iter().any(|code| by_python(&gateway, &of_writers).starts_with(code)));
    assert_eq!(by_telegraf(&gateway, &of_auditors), "");
    assert_eq!(by_python(&gateway, &of_auditors), "1001");
    let expired = idp.token(&idp.with("exp", json!(1)));
    assert_eq!(by_python(&gateway, &expired), "401 unauthorized access");
    assert!(by_telegraf(&gateway, &expired).contains("401 Unauthorized"));
}
