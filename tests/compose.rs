use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::support::*;

fn compose() -> Value {
    let to_json =
        "import json, sys, yaml; json.dump(yaml.safe_load(open(sys.argv[1])), sys.stdout)";
    let output = Command::new(repository().join(".venv/bin/python"))
        .args(["-c", to_json])
        .arg(repository().join("docker-compose.yml"))
        .output()
        .expect("`make test` makes .venv");
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
}

#[test]
fn only_the_gateway_can_be_reached_and_every_secret_is_declared() {
    let compose = compose();
    let services = compose["services"].as_object().unwrap();
    let published: Vec<_> =
        services.iter().filter(|(_, service)| service.get("ports").is_some()).collect();
    assert_eq!(published.len(), 1);
    assert_eq!(published[0].0, "gateway");
    for service in services.values() {
        for secret in service["secrets"].as_array().into_iter().flatten() {
            assert!(compose["secrets"].get(secret.as_str().unwrap()).is_some(), "{secret}");
        }
        for dependency in service["depends_on"].as_object().iter().flat_map(|all| all.keys()) {
            assert!(services[dependency].get("healthcheck").is_some(), "{dependency}");
        }
    }
}

#[test]
fn its_configuration_is_good_and_names_the_service() {
    let compose = compose();
    let command = compose["services"]["gateway"]["command"].as_array().unwrap();
    assert_eq!(command[2], "/etc/influx-gateway/compose.toml");
    let text = fs::read_to_string(repository().join("conf/compose.toml")).unwrap();
    assert!(compose["services"].get("influxdb").is_some() && text.contains("//influxdb:8086"));

    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("compose.toml"), text).unwrap();
    let config = folder.path().join("compose.toml");
    let output = program().args(["check", "--config"]).arg(config).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.ends_with("good; users: InfluxDB's\n"), "{text}");
}

/// Compose copies a secret from the environment into the container's own file system.
#[test]
fn f_27_what_is_read_only_gets_no_secret_from_the_environment() {
    let compose = compose();
    for (name, service) in compose["services"].as_object().unwrap() {
        if service["read_only"] == true {
            for secret in service["secrets"].as_array().into_iter().flatten() {
                let secret = &compose["secrets"][secret.as_str().unwrap()];
                assert!(secret.get("file").is_some(), "{name}: {secret}");
            }
        }
    }
    let gateway = &compose["services"]["gateway"];
    assert_eq!(gateway["read_only"], true);
    assert_eq!(gateway["cap_drop"], serde_json::json!(["ALL"]));
    assert_eq!(gateway["security_opt"], serde_json::json!(["no-new-privileges:true"]));
}
