use std::io::Write;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::programs::*;
use crate::support::*;

/// A running VictoriaMetrics, whose `/api/v2/write` is InfluxDB's; killed when dropped.
struct VictoriaMetrics {
    address: SocketAddr,
    child: Child,
    _storage: tempfile::TempDir,
}

impl VictoriaMetrics {
    fn start() -> Self {
        let (storage, address) = (tempfile::tempdir().unwrap(), closed_port());
        let child = Command::new("victoria-metrics")
            .arg(format!("-httpListenAddr={address}"))
            .arg(format!("-storageDataPath={}", storage.path().display()))
            .args(["-memory.allowedBytes=64MB", "-loggerLevel=ERROR"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("victoria-metrics is installed; `make test` installs it");
        wait_until("VictoriaMetrics listens", || std::net::TcpStream::connect(address).is_ok());
        Self { address, child, _storage: storage }
    }

    /// A gateway in front of it, with the user `ada` and this configuration.
    fn behind_a_gateway(&self, config: &str) -> Gateway {
        Gateway::start_with(self.address, config, &users(&["ada"]))
    }

    /// How many points the clients wrote, asked behind the gateway's back.
    fn points(&self) -> usize {
        let mut client = Client::connect(self.address);
        client.send(&get("/internal/force_flush", &[]));
        let series = client.send(&get("/api/v1/export?match[]=probe_value", &[])).text();
        let points = |line: &str| {
            let series: Value = serde_json::from_str(line).unwrap();
            series["values"].as_array().unwrap().len()
        };
        series.lines().map(points).sum()
    }

    /// The clients wrote so many points, and not one twice.
    fn assert_holds(&self, points: usize) {
        wait_until("the points are in the database", || self.points() >= points);
        assert_eq!(self.points(), points);
    }
}

impl Drop for VictoriaMetrics {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// As `ada` of `gateway`, `client` ends well and says this line and nothing else.
fn assert_says(mut client: Command, gateway: &Gateway, line: &str) {
    let output = client
        .env("GATEWAY_URL", format!("http://{}", gateway.address))
        .env("GATEWAY_USER", "ada")
        .env("GATEWAY_PASSWORD", PASSWORD)
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{stdout}\n{stderr}");
    assert_eq!((stdout.as_str(), stderr.as_str()), (line, ""));
}

#[test]
fn the_python_client_writes_ten_thousand_points() {
    let database = VictoriaMetrics::start();
    let gateway = database.behind_a_gateway("");
    assert_says(python("python_sync.py"), &gateway, "user ada, signed out");
    database.assert_holds(10_000);
}

#[test]
fn the_python_client_learns_the_version_of_the_upstream() {
    let upstream = Upstream::behaving(|_, stream| {
        let headers = "X-Influxdb-Build: OSS\r\nX-Influxdb-Version: v2.7.12";
        write!(stream, "HTTP/1.1 204 No Content\r\n{headers}\r\n\r\n").is_ok()
    });
    let gateway = Gateway::start(upstream.address);
    let line = "ping True, version v2.7.12, build OSS";
    assert_says(python("python_ping.py"), &gateway, line);
    for _ in 0..3 {
        assert_eq!(upstream.next().line(), "GET /ping HTTP/1.1");
    }
    assert!(upstream.saw_nothing());
}

#[test]
fn the_python_client_is_told_that_its_session_ended() {
    let gateway =
        Gateway::start_with(closed_port(), "[session]\nidle = \"1s\"\n", &users(&["ada"]));
    let line = "me, me again, close: 401 unauthorized access";
    assert_says(python("python_expiry.py"), &gateway, line);
}

#[test]
fn the_python_client_changes_its_password() {
    let gateway = Gateway::start(closed_port());
    let line = "password changed, the other session ended, signed in anew";
    assert_says(python("python_password.py"), &gateway, line);
}

#[test]
fn the_asynchronous_python_client_works_by_address_and_by_name() {
    let database = VictoriaMetrics::start();
    let gateway = database.behind_a_gateway("");
    let line = "127.0.0.1: user ada, signed out; localhost: user ada, signed out; done";
    assert_says(python("python_async.py"), &gateway, line);
    database.assert_holds(2_000);
}

#[test]
fn the_javascript_client_writes_ten_thousand_points() {
    let database = VictoriaMetrics::start();
    let gateway = database.behind_a_gateway("");
    assert_says(javascript("write.mjs"), &gateway, "user ada, signed out");
    database.assert_holds(10_000);
}

#[test]
fn the_javascript_client_changes_its_password() {
    let gateway = Gateway::start(closed_port());
    let line = "password changed, the other session ended, signed in anew";
    assert_says(javascript("password.mjs"), &gateway, line);
}

#[test]
fn the_go_client_writes_ten_thousand_points() {
    let database = VictoriaMetrics::start();
    let gateway = database.behind_a_gateway("");
    assert_says(go("session"), &gateway, "user ada, ping true, signed out");
    database.assert_holds(10_000);
}

#[test]
fn the_go_client_changes_its_password() {
    let gateway = Gateway::start(closed_port());
    let line = "password changed, the other session ended, signed in anew";
    assert_says(go("password"), &gateway, line);
}

#[test]
fn a_browser_stays_signed_in_while_it_is_used() {
    let database = VictoriaMetrics::start();
    let gateway = database.behind_a_gateway("[session]\nidle = \"1s\"\n");
    let line = "signed in while busy, signed out when idle";
    assert_says(python("browser.py"), &gateway, line);
}
