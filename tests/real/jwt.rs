#[path = "../jwt/idp.rs"]
#[expect(dead_code, reason = "the other tests need more of it")]
mod idp;
#[path = "../../gateway/src/jwt/tests/signing.rs"]
#[expect(dead_code, reason = "the unit tests need more of it")]
mod signing;

use serde_json::json;

use crate::influxd::Influxd;
use crate::programs::python;
use crate::support::*;
use idp::Idp;

/// As Telegraf writes its output plugin's request, for a bucket that may be another's.
fn write(gateway: &Gateway, jwt: &str, line: &str) -> Answer {
    let token = format!("Authorization: Token {jwt}");
    let headers = [
        "User-Agent: Telegraf/1.32.0 Go/1.23.0",
        &*token,
        "Content-Type: text/plain; charset=utf-8",
    ];
    let target = "/api/v2/write?bucket=weather&org=home&precision=s";
    gateway.connect().send(&with_body("POST", target, &headers, line))
}

/// What the Python client says.
fn by_python(gateway: &Gateway, jwt: &str) -> String {
    let mut client = python("python_jwt.py");
    client.env("GATEWAY_URL", format!("http://{}", gateway.address)).env("GATEWAY_TOKEN", jwt);
    let output = client.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

#[test]
fn telegraf_and_python_write_with_a_jwt_by_the_token_of_their_group() {
    let (influxd, idp) = (Influxd::start(), Idp::start());
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

    let line = "probe,host=telegraf value=1 1700002000\n";
    assert_eq!(write(&gateway, &of_writers, line).status, 204);
    assert_eq!(by_python(&gateway, &of_writers), "1001");
    // By the token of the group and no other: without it, InfluxDB knows nobody.
    let target = format!("/api/v2/authorizations/{}", writers.authorization);
    influxd.call("PATCH", &target, Some(json!({ "status": "inactive" })));
    let refused = write(&gateway, &of_writers, line);
    assert!([401, 403].contains(&refused.status), "{refused:?}");
    assert!(["401", "403"].iter().any(|code| by_python(&gateway, &of_writers).starts_with(code)));
    assert_eq!(write(&gateway, &of_auditors, line).status, 204);
    assert_eq!(by_python(&gateway, &of_auditors), "1001");
    let expired = idp.token(&idp.with("exp", json!(1)));
    assert_eq!(by_python(&gateway, &expired), "401 unauthorized access");
}
