//! The files in `conf/prometheus` and `conf/grafana`, with a real Prometheus that reads a real gateway.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::secure::SecureGateway;
use crate::support::*;

fn shipped(path: &str) -> String {
    fs::read_to_string(repository().join("conf").join(path)).unwrap()
}

/// Runs `promtool` with these arguments beside the files; what it says, if it is not content.
fn promtool(arguments: &[&str]) {
    let mut command = Command::new("promtool");
    command.current_dir(repository().join("conf/prometheus")).args(arguments);
    let output = output_of(&mut command, "");
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(output.status.success() && !said.contains("FAILED"), "{arguments:?}: {said}");
}

#[test]
fn promtool_is_content_with_configuration_rules_and_alerts() {
    promtool(&["check", "config", "--lint-fatal", "prometheus.yml"]);
    promtool(&["check", "rules", "--lint-fatal", "rules.yml", "alerts.yml"]);
    promtool(&["test", "rules", "tests.yml"]);
    // Each alert is tested, firing and not.
    let tests = shipped("prometheus/tests.yml");
    for line in shipped("prometheus/alerts.yml").lines() {
        if let Some(name) = line.trim().strip_prefix("- alert: ") {
            assert_eq!(tests.matches(&format!("alertname: {name}")).count(), 2, "{name}");
        }
    }
}

/// A real Prometheus.
struct Prometheus {
    child: Child,
    address: SocketAddr,
}

impl Prometheus {
    /// With the shipped files, reading the gateway whose listener for operators is at `target`, once a second.
    fn start(folder: &Path, target: SocketAddr) -> Self {
        let config = shipped("prometheus/prometheus.yml");
        let config = config.replace("127.0.0.1:9086", &target.to_string());
        let config = config.replace("15s", "1s");
        fs::write(folder.join("prometheus.yml"), config).unwrap();
        for file in ["rules.yml", "alerts.yml"] {
            fs::write(folder.join(file), shipped(&format!("prometheus/{file}"))).unwrap();
        }
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", folder.join("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
            .arg("--web.listen-address=127.0.0.1:0")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        let mut child =
            child.unwrap_or_else(|error| panic!("prometheus: {error}; `make test-tools`"));
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = log.by_ref().map_while(Result::ok).find_map(|line| {
            let rest = line.split_once("msg=\"Listening on\" address=")?.1;
            rest.split(' ').next()?.parse().ok()
        });
        std::thread::spawn(move || log.for_each(drop));
        Self { child, address: address.expect("Prometheus says where it listens") }
    }

    /// How many series the answer to `query` has.
    fn series(&self, query: &str) -> usize {
        let encode = |byte: u8| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        };
        let query: String = query.bytes().map(encode).collect();
        let request = get(&format!("/api/v1/query?query={query}"), &[]);
        let answer = Client::connect(self.address).send(&request);
        if answer.status == 503 {
            // It reads what it has kept first.
            return 0;
        }
        assert_eq!(answer.status, 200, "{query}: {}", answer.text());
        answer.json()["data"]["result"].as_array().unwrap().len()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// All queries of the dashboard, of all gateways, over a minute.
fn of_the_dashboard() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(&shipped("grafana/dashboard.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let queries = targets.map(|target| target["expr"].as_str().unwrap().to_owned());
    queries.map(|it| it.replace("$__rate_interval", "1m").replace("$instance", ".+")).collect()
}

/// What is recorded, and what alerts look at, whatever the threshold.
fn of_the_rules() -> Vec<String> {
    let lines = |file: &str| shipped(file).lines().map(str::to_owned).collect::<Vec<_>>();
    let (rules, alerts) = (lines("prometheus/rules.yml"), lines("prometheus/alerts.yml"));
    let recorded = rules.iter().filter_map(|line| line.trim().strip_prefix("- record: "));
    let looked_at = alerts.iter().filter_map(|line| line.trim().strip_prefix("expr: "));
    let looked_at = looked_at.map(|query| query.rsplit_once(' ').unwrap().0);
    let looked_at = looked_at.map(|query| query.rsplit_once(' ').unwrap().0);
    recorded.chain(looked_at).map(str::to_owned).collect()
}

#[test]
fn every_query_of_the_dashboard_and_the_rules_finds_something() {
    let upstream = Upstream::start();
    let config = "[admin]\nlisten = \"127.0.0.1:0\"\n\
                  [[jwt]]\nissuer = \"http://127.0.0.1:1\"\naudience = [\"influx-api\"]\n\
                  [[grant]]\ngroup = \"writers\"\n";
    let secure = SecureGateway::start_with(upstream.address, "", config);
    let admin = secure.gateway.next_admin().parse().unwrap();
    let session = cookie(&secure.gateway.sign_in("ada"));
    assert_eq!(secure.gateway.connect().send(&get("/api/v2/buckets", &[&session])).status, 200);
    let folder = tempfile::tempdir().unwrap();
    let prometheus = Prometheus::start(folder.path(), admin);
    let (dashboard, rules) = (of_the_dashboard(), of_the_rules());
    assert!(dashboard.len() > 30 && rules.len() > 13, "{dashboard:?} {rules:?}");
    for query in dashboard.iter().chain(&rules) {
        wait_until(&format!("there is something for {query}"), || prometheus.series(query) > 0);
    }
    assert_eq!(prometheus.series("influx_gateway_no_such_metric"), 0);
}
