use std::process::Command;

use serde_json::json;

use crate::flight_server::InfluxDb3;
use crate::gateway_tokens;
use crate::programs::*;
use crate::support::*;

/// `ada`, with nothing but a gateway token, is whom `client` writes and queries as; and a stranger is refused.
fn works(mut client: Command) {
    let influxdb = InfluxDb3::start();
    let users = users(&["ada"]).replace("name = \"ada\"", "token = \"of-ada\"\nname = \"ada\"");
    let config = "kind = \"influxdb3\"\ngrpc = true\n";
    let folder = Gateway::prepare(&format!("http://{}", influxdb.address), config, &users);
    let token = gateway_tokens::add(folder.path(), &["ada"]);
    let gateway = Gateway::start_in(folder);
    client.env("GATEWAY_URL", format!("http://{}", gateway.address)).env("TOKEN", &token);
    let output = client.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    let (told, errors) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{told}\n{errors}");
    assert_eq!(told, "wrote, read 10000 up to 9999, was told why not, was refused", "{errors}");
    let write = influxdb.writes.next();
    let path = write.line().split(['?', ' ']).nth(1).unwrap();
    assert!(["/api/v2/write", "/api/v3/write_lp"].contains(&path), "{}", write.line());
    assert_eq!(write.all("authorization"), ["Bearer of-ada"]);
    assert_eq!(write.all("x-forwarded-user"), ["ada"]);
    let lines = String::from_utf8(write.body.clone()).unwrap();
    assert_eq!(
        lines.lines().filter(|line| line.starts_with("air,place=hall value=")).count(),
        2,
        "{lines}"
    );
    assert!(influxdb.writes.saw_nothing(), "the stranger has written");
    let asked: Vec<_> = influxdb.queries.said.try_iter().collect();
    assert_eq!(asked.len(), 2, "{asked:?}");
    for call in asked {
        assert_eq!(call["method"], "DO_GET");
        assert_eq!(call["headers"]["authorization"], json!(["Bearer of-ada"]), "{call}");
        assert_eq!(call["headers"]["x-forwarded-user"], json!(["ada"]));
    }
    let log = gateway.stop();
    assert!(!log.contains(&token[4..]), "the token is in the log");
}

#[test]
fn the_python_client_of_influxdb_3_works_with_a_gateway_token() {
    works(python("influxdb3_client.py"));
}

#[test]
fn the_go_client_of_influxdb_3_works_with_a_gateway_token() {
    works(made("target/influxdb3-go/client"));
}

#[test]
fn the_javascript_client_of_influxdb_3_works_with_a_gateway_token() {
    let folder = repository().join("tests/clients/influxdb3/javascript");
    assert!(folder.join("node_modules").exists(), "`make test` installs the JavaScript client");
    let mut client = Command::new("node");
    client.arg(folder.join("client.mjs"));
    works(client);
}

#[test]
fn the_java_client_of_influxdb_3_works_with_a_gateway_token() {
    let made = repository().join("target/influxdb3-java");
    assert!(made.join("classes").exists(), "`make test` makes the Java client");
    let mut client = Command::new("java");
    client.args(["--add-opens=java.base/java.nio=ALL-UNNAMED", "-Xmx256m", "-cp"]);
    client.arg(format!("{0}/classes:{0}/lib/*", made.display())).arg("Client");
    works(client);
}
