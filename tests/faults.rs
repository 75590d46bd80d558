use std::fs;

use crate::support::*;

/// What a command says of the configuration `text`, beside the users `ada` and `tok-bob`; and its exit code.
fn told(command: &str, text: &str) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway.toml");
    fs::write(&path, text).unwrap();
    fs::write(folder.path().join("users.toml"), users(&["ada", "tok-bob"])).unwrap();
    let mut program = program();
    // There are none of the system's authorities.
    program.env("SSL_CERT_FILE", "/nonexistent/ca.crt").env_remove("SSL_CERT_DIR");
    let output = output_of(program.args([command, "--config"]).arg(&path), "");
    let told = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    (output.status.code(), told.replace(&format!("{}/", folder.path().display()), ""))
}

/// The line of `text` that has `key`, from 1.
fn line(text: &str, key: &str) -> usize {
    1 + text.lines().position(|line| line.contains(key)).unwrap()
}

const MANY: &str = "[listen]
http = [\"127.0.0.1:0\"]
[[listen.https]]
address = \"here\"
certificate = \"https.pem\"
key = \"https.key\"
[upstream]
url = \"https://influxdb.test\"
[users]
tokens = \"resolve\"
[identity]
token_prefix = \"tok-\"
[session]
store = \"rediss://127.0.0.1:1\"
[signin]
failures = 0
[log]
file = \"logs/gateway.log\"
[audit]
file = \"trail/audit.jsonl\"
[admin]
listen = \"unix:sockets/admin.sock\"
[[jwt]]
issuer = \"https://jwt.test\"
audience = []
ca_file = \"jwt.pem\"
[[oidc]]
id = \"Corp\"
issuer = \"https://oidc.test\"
client_id = \"gateway\"
redirect = \"https://gateway.test/gateway/oidc/corp/callback\"
ca_file = \"oidc.pem\"
[[grant]]
access = \"read\"
";

/// Nobody mends one fault to be told of the next, where that one could have been seen before.
#[test]
fn what_is_at_fault_elsewhere_hides_no_fault() {
    for command in ["check", "run"] {
        let (code, told) = told(command, MANY);
        assert_eq!(code, Some(78), "{command}: {told}");
        for (key, what) in [
            ("address = \"here\"", "listen.https.address: \"here\" is not an IP address"),
            ("https.pem", "listen.https.certificate: https.pem: "),
            ("https.key", "listen.https.key: https.key: "),
            ("failures = 0", "signin.failures: expected"),
            ("logs/", "log.file: logs/gateway.log: there is no folder logs"),
            ("trail/", "audit.file: trail/audit.jsonl: there is no folder trail"),
            ("sockets/", "admin.listen: sockets/admin.sock: there is no folder sockets"),
            ("audience", "jwt.audience: at least one"),
            ("jwt.pem", "jwt.ca_file: jwt.pem: "),
            ("id = \"Corp\"", "oidc.id: expected"),
            ("oidc.pem", "oidc.ca_file: oidc.pem: "),
        ] {
            let fault = format!("gateway.toml:{}: {what}", line(MANY, key));
            assert!(told.contains(&fault), "{command}: {fault}\n{told}");
        }
        for fault in [
            "upstream.ca_file: not set, so the certificate of the https:// upstream",
            "session.store_ca_file: not set, so the certificate of the session store",
            "tok-bob",
        ] {
            assert!(told.contains(fault), "{command}: {fault}\n{told}");
        }
    }
}

#[test]
fn a_session_of_influxdb_is_renewed_before_it_ends() {
    for (renew, is_good) in
        [("4m", true), ("4m 30s", true), ("4m 31s", false), ("5m", false), ("1h", false)]
    {
        let text = format!("[users]\nsource = \"influxdb\"\nrenew = \"{renew}\"\n");
        let (code, told) = told("check", &text);
        assert_eq!(code, Some(if is_good { 0 } else { 78 }), "{renew}: {told}");
        let fault = format!("gateway.toml:3: users.renew: {renew} is too long");
        assert_eq!(told.contains(&fault), !is_good, "{told}");
        assert_eq!(told.contains("at most 4m 30s"), !is_good, "{told}");
    }
}

/// A table that names this host.
type Written = dyn Fn(&str) -> String;

/// What goes to a listener of the gateway's own would come back to the gateway.
#[test]
fn nothing_is_sent_to_a_listener_of_the_gateways_own() {
    const PORT: &str = "8086";
    let admin = |address: &str| {
        format!("[listen]\nhttp = [\"127.0.0.1:1\"]\n[admin]\nlisten = \"{address}:{PORT}\"\n")
    };
    let clients = |address: &str| format!("[listen]\nhttp = [\"{address}:{PORT}\"]\n");
    let upstream = |host: &str| format!("[upstream]\nurl = \"http://{host}:{PORT}\"\n");
    let ui = |host: &str| {
        format!(
            "[forward]\nui = \"session\"\n[ui]\nurl = \"http://{host}:{PORT}\"\n[page]\nenabled = true\n[cookie]\npath = \"/\"\n"
        )
    };
    let collector =
        |host: &str| format!("[tracing]\nendpoint = \"http://{host}:{PORT}/v1/traces\"\n");
    let outwards: [(&str, &Written); 3] =
        [("upstream.url", &upstream), ("ui.url", &ui), ("tracing.endpoint", &collector)];
    let inwards: [&Written; 2] = [&clients, &admin];
    for (key, out) in outwards {
        for own in inwards {
            for (address, host, is_loop) in [
                ("127.0.0.1", "127.0.0.1", true),
                ("127.0.0.1", "localhost", true),
                ("127.0.0.1", "localhost.", true),
                ("127.0.0.1", "0.0.0.0", true),
                ("0.0.0.0", "127.0.0.1", true),
                ("0.0.0.0", "localhost", true),
                ("[::]", "127.0.0.1", true),
                ("[::]", "[::1]", true),
                ("[::1]", "[::1]", true),
                ("127.0.0.1", "[::1]", false),
                ("127.0.0.1", "127.0.0.2", false),
                ("0.0.0.0", "10.0.0.1", false),
                ("127.0.0.1", "influxdb.test", false),
            ] {
                let text = format!("{}{}", own(address), out(host));
                let text = if address == "127.0.0.1" || address == "[::1]" {
                    text
                } else {
                    text.replace("[admin]\n", "[admin]\ntoken_file = \"missing\"\n")
                };
                let (_, told) = told("check", &text);
                let place = line(&text, &format!("http://{host}:"));
                let fault = format!(
                    "gateway.toml:{place}: {key}: {host}:{PORT} is where the gateway listens itself"
                );
                assert_eq!(told.contains(&fault), is_loop, "{text}{told}");
            }
        }
    }
}
