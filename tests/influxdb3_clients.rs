use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::flight_server::InfluxDb3;
use crate::gateway_tokens;
use crate::programs::*;
use crate::secure::SecureGateway;
use crate::support::*;

/// `ada`, with a token for the upstream.
fn users_file() -> String {
    users(&["ada"]).replace("name = \"ada\"", "token = \"of-ada\"\nname = \"ada\"")
}

const CONFIG: &str = "kind = \"influxdb3\"\ngrpc = true\n";

/// `ada`, with nothing but a gateway token, is whom `client` writes and queries as; and a stranger is refused.
fn works(client: Command) {
    let influxdb = InfluxDb3::start();
    let url = format!("http://{}", influxdb.address);
    let folder = Gateway::prepare(&url, CONFIG, &users_file());
    let token = gateway_tokens::add(folder.path(), &["ada"]);
    let gateway = Gateway::start_in(folder);
    let url = format!("http://{}", gateway.address);
    try_out(client, &influxdb, (&url, &token));
    assert!(!gateway.stop().contains(&token[4..]), "the token is in the log");
}

/// The same over TLS; `trust` has the client trust the authority whose certificate is in a file.
fn works_over_tls(mut client: Command, trust: impl Fn(&mut Command, &Path)) {
    let influxdb = InfluxDb3::start();
    let folder = Gateway::prepare("http://127.0.0.1:1", CONFIG, &users_file());
    let token = gateway_tokens::add(folder.path(), &["ada"]);
    let users = std::fs::read_to_string(folder.path().join("users.toml")).unwrap();
    let secure = SecureGateway::start_for(influxdb.address, "", CONFIG, &users);
    let authority = folder.path().join("authority.crt");
    std::fs::write(&authority, secure.authority.certificate()).unwrap();
    let url = format!("https://{}", secure.https);
    // Whom it does not trust, it does not tell its token.
    client.env("GATEWAY_URL", &url).env("TOKEN", &token);
    let output = client.output().unwrap();
    assert!(!output.status.success(), "{output:?}");
    assert!(influxdb.writes.saw_nothing(), "a client has trusted whom it does not know");
    trust(&mut client, &authority);
    try_out(client, &influxdb, (&url, &token));
}

/// What came of `client` at this gateway, with this token of `ada`'s.
fn try_out(mut client: Command, influxdb: &InfluxDb3, (url, token): (&str, &str)) {
    client.env("GATEWAY_URL", url).env("TOKEN", token);
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
}

#[test]
fn the_python_client_of_influxdb_3_works_with_a_gateway_token() {
    works(python("influxdb3_client.py"));
}

#[test]
fn the_python_client_of_influxdb_3_works_over_tls() {
    works_over_tls(python("influxdb3_client.py"), |client, authority| {
        client.env("CA", authority);
    });
}

fn go_client() -> Command {
    made("target/influxdb3-go/client")
}

fn javascript_client() -> Command {
    let folder = repository().join("tests/clients/influxdb3/javascript");
    assert!(folder.join("node_modules").exists(), "`make test` installs the JavaScript client");
    let mut client = Command::new("node");
    client.arg(folder.join("client.mjs"));
    client
}

fn java_client() -> Command {
    let made = repository().join("target/influxdb3-java");
    assert!(made.join("classes").exists(), "`make test` makes the Java client");
    let mut client = Command::new("java");
    client.args(["--add-opens=java.base/java.nio=ALL-UNNAMED", "-Xmx256m", "-cp"]);
    client.arg(format!("{0}/classes:{0}/lib/*", made.display())).arg("Client");
    client
}

#[test]
fn the_go_client_of_influxdb_3_works_with_a_gateway_token() {
    works(go_client());
}

#[test]
fn the_go_client_of_influxdb_3_works_over_tls() {
    works_over_tls(go_client(), |client, authority| {
        client.env("SSL_CERT_FILE", authority);
    });
}

#[test]
fn the_javascript_client_of_influxdb_3_works_with_a_gateway_token() {
    works(javascript_client());
}

#[test]
fn the_javascript_client_of_influxdb_3_works_over_tls() {
    works_over_tls(javascript_client(), |client, authority| {
        // It writes by Node's own HTTP, and queries by `grpc-js`.
        client.env("NODE_EXTRA_CA_CERTS", authority);
        client.env("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", authority);
    });
}

#[test]
fn the_java_client_of_influxdb_3_works_with_a_gateway_token() {
    works(java_client());
}

#[test]
fn the_java_client_of_influxdb_3_works_over_tls() {
    works_over_tls(java_client(), |client, authority| {
        let store = authority.with_extension("p12");
        let mut keytool = Command::new("keytool");
        keytool.args(["-importcert", "-noprompt", "-alias", "authority", "-storepass", "changeit"]);
        let made = keytool.arg("-file").arg(authority).arg("-keystore").arg(&store).output();
        assert!(made.as_ref().is_ok_and(|made| made.status.success()), "{made:?}");
        let store = format!("-Djavax.net.ssl.trustStore={}", store.display());
        client.env("JDK_JAVA_OPTIONS", store + " -Djavax.net.ssl.trustStorePassword=changeit");
    });
}
