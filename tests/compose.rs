use std::fs;
use std::process::Command;

use serde_json::{Value, json};

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
    // Which services there are with a profile or, without one, always; and who of them can be reached.
    for (profile, all, reached) in [
        (Value::Null, vec!["gateway", "influxdb"], "gateway"),
        (json!(["scale"]), vec!["balancer", "gateways", "redis"], "balancer"),
        (json!(["observe"]), vec!["grafana", "prometheus"], "grafana"),
    ] {
        let of_it = services.iter().filter(|(_, service)| service["profiles"] == profile);
        let (names, about): (Vec<_>, Vec<_>) = of_it.unzip();
        assert_eq!(names, all);
        let published = names.iter().zip(about).filter(|(_, it)| it.get("ports").is_some());
        assert_eq!(published.map(|(name, _)| *name).collect::<Vec<_>>(), [reached]);
    }
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
fn its_configurations_are_good_and_name_its_services() {
    let compose = compose();
    for (service, file, names) in [
        ("gateway", "compose.toml", ["//influxdb:8086", ""]),
        ("gateways", "scale.toml", ["//influxdb:8086", "@redis:6379"]),
    ] {
        let command = compose["services"][service]["command"].as_array().unwrap();
        assert_eq!(command[2], format!("/etc/influx-gateway/{file}"));
        let text = fs::read_to_string(repository().join("conf").join(file)).unwrap();
        assert!(names.iter().all(|name| text.contains(name)), "{text}");

        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join(file);
        fs::write(&config, text).unwrap();
        let key = format!("{}=", "A".repeat(43));
        let mut check = program();
        check.env("REDIS_PASSWORD", "x").env("STORE_KEY", key).args(["check", "--config"]);
        let output = check.arg(config).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.ends_with("good; users: InfluxDB's\n"), "{text}");
    }
    let balancer = fs::read_to_string(repository().join("conf/haproxy.cfg")).unwrap();
    assert!(balancer.contains(" gateways:8086\n") && !balancer.contains("cookie"), "{balancer}");
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
    for service in ["gateway", "gateways"] {
        let gateway = &compose["services"][service];
        assert_eq!(gateway["read_only"], true);
        assert_eq!(gateway["cap_drop"], json!(["ALL"]));
        assert_eq!(gateway["security_opt"], json!(["no-new-privileges:true"]));
    }
}
