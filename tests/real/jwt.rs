#[path = "../jwt/idp.rs"]
#[expect(dead_code, reason = "the other tests need more of it")]
mod idp;
#[path = "../../gateway/src/jwt/tests/signing.rs"]
#[expect(dead_code, reason = "the unit tests need more of it")]
mod signing;

use serde_json::json;

use crate::influxd::Influxd;
use crate::programs::{made, python};
use crate::support::*;
use idp::Idp;

/// What Telegraf says of a point that it writes once: nothing if that went well.
fn by_telegraf(gateway: &Gateway, jwt: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let config = format!(
        "[agent]\nomit_hostname = true\n[[inputs.file]]\nfiles = [\"{}\"]\ndata_format = \"influx\"\n\
         [[outputs.influxdb_v2]]\nurls = [\"http://{}\"]\ntoken = \"{jwt}\"\n\
         organization = \"home\"\nbucket = \"weather\"\n",
        at("points").display(),
        gateway.address
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
