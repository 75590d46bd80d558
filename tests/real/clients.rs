use std::process::Command;

use serde_json::{Value, json};

use crate::influxd::{BUCKET, Influxd};
use crate::modes::Mode;
use crate::programs::*;
use crate::support::*;

/// What clients change [`PASSWORD`] to.
const NEW_PASSWORD: &str = "battery staple";

const REFUSED: &str = "unauthorized access";

/// The program of the real Java client.
fn java() -> Command {
    let folder = repository().join("target/java-clients");
    assert!(folder.join("lib").exists(), "`make test-influxdb` builds the Java client");
    let mut command = Command::new("java");
    // One that ends soon is not to compile itself for long.
    command.args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp"]);
    command.arg(format!("{0}/classes:{0}/lib/*", folder.display())).arg("Queries");
    command
}

/// What every client sees that signs in as `name`, or brings that user's token.
fn sight(name: &str, by_password: bool) -> Value {
    let mut seen = json!({
        "me": name,
        "users": [name],
        "air": [
            ["inside", 19.5, 3, true, "warm, \"dry\", café"],
            ["outside", -3.0, null, null, "rain"],
        ],
        "probes": 5000,
        "bad query": "error @1:1-1:5: undefined identifier nope",
        "probes deleted": [2, 0],
        "all deleted": [0, 0],
        "buckets": ["spare", "weather"],
        "buckets left": ["weather"],
        "tasks": ["hourly"],
        "tasks left": [],
    });
    if by_password {
        seen["old password"] = REFUSED.into();
        seen["new password"] = name.into();
        // Who it is, a query, another sign-out.
        seen["signed out"] = json!([REFUSED, REFUSED, REFUSED]);
    }
    seen
}

/// A number is one, whether the client's language writes it `-3` or `-3.0`.
fn floats(value: &mut Value) {
    match value {
        Value::Number(number) => *value = json!(number.as_f64().unwrap()),
        Value::Array(values) => values.iter_mut().for_each(floats),
        Value::Object(values) => values.values_mut().for_each(floats),
        _ => {}
    }
}

/// In each of `modes`, `client` sees all there is to be seen, and leaves nothing but a new password.
fn check(client: impl Fn() -> Command, modes: &[Mode]) {
    let influxd = Influxd::start();
    for (index, &mode) in modes.iter().enumerate() {
        let user = influxd.add_user(&format!("user{index}"));
        let gateway = mode.gateway(&influxd, &[&user]);
        let mut command = client();
        command.env("GATEWAY_URL", format!("http://{}", gateway.address));
        if mode.has_session() {
            command.env("GATEWAY_USER", &user.name).env("GATEWAY_PASSWORD", PASSWORD);
        } else {
            command.env("GATEWAY_TOKEN", &user.token);
        }
        let output = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success() && stderr.is_empty(), "{mode:?}: {stdout}\n{stderr}");
        let mut seen: Value = serde_json::from_str(&stdout).unwrap();
        let mut expected = sight(&user.name, mode.has_session());
        [&mut seen, &mut expected].into_iter().for_each(floats);
        assert_eq!(seen, expected, "{mode:?}");
        assert_nothing_is_left(&influxd, mode);

        let status = |address, password: &str| {
            let request = post("/api/v2/signin", &[&basic(&user.name, password)]);
            Client::connect(address).send(&request).status
        };
        // Who changes a password at a gateway with a users file has the old one at InfluxDB.
        let at_influxdb = if mode == Mode::InfluxdbUsers { [401, 204] } else { [204, 401] };
        assert_eq!([PASSWORD, NEW_PASSWORD].map(|word| status(influxd.address, word)), at_influxdb);
        if mode.has_session() {
            let at_gateway = [PASSWORD, NEW_PASSWORD].map(|word| status(gateway.address, word));
            assert_eq!(at_gateway, [401, 204], "{mode:?}");
        }
    }
}

/// InfluxDB itself, asked past the gateway, has what it had at first.
fn assert_nothing_is_left(influxd: &Influxd, mode: Mode) {
    let names = |target: &str, key: &str| -> Vec<String> {
        let all = influxd.call("GET", target, None);
        let names = all[key].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap());
        names.filter(|name| !name.starts_with('_')).map(str::to_owned).collect()
    };
    assert_eq!(names("/api/v2/buckets", "buckets"), [BUCKET], "{mode:?}");
    assert!(names("/api/v2/tasks", "tasks").is_empty(), "{mode:?}");
}

#[test]
fn the_python_client_does_all_it_can() {
    let client = || python("python_queries.py");
    let modes = [Mode::InfluxdbUsers, Mode::OwnToken, Mode::TokenPassed, Mode::TokenResolved];
    check(client, &modes);
}

#[test]
fn the_asynchronous_python_client_does_all_it_can() {
    let client = || python("python_async_queries.py");
    check(client, &[Mode::InfluxdbUsers, Mode::OwnToken, Mode::TokenResolved]);
}

#[test]
fn the_javascript_client_does_all_it_can() {
    let client = || javascript("queries.mjs");
    check(client, &[Mode::InfluxdbUsers, Mode::OwnToken, Mode::TokenPassed]);
}

#[test]
fn the_go_client_does_all_it_can() {
    check(|| go("queries"), &[Mode::InfluxdbUsers, Mode::OwnToken, Mode::TokenResolved]);
}

#[test]
fn the_java_client_does_all_it_can() {
    check(java, &[Mode::InfluxdbUsers, Mode::OwnToken, Mode::TokenPassed]);
}
