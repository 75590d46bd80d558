use std::process::{Child, Command, Stdio};

use crate::support::*;

/// A running VictoriaMetrics, whose `/api/v2/write` is InfluxDB's; killed when dropped.
struct VictoriaMetrics {
    url: String,
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
        Self { url: format!("http://{address}"), child, _storage: storage }
    }
}

impl Drop for VictoriaMetrics {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The Python that has the real clients installed.
fn python(script: &str) -> Command {
    let python = repository().join(".venv/bin/python");
    assert!(python.exists(), "{} is missing; `make test` makes it", python.display());
    let mut command = Command::new(python);
    command.arg(repository().join("tests/clients").join(script));
    command
}

#[test]
fn the_python_client_writes_ten_thousand_points() {
    let database = VictoriaMetrics::start();
    let gateway = Gateway::start_at(&database.url, "", &users(&["ada"]));
    let output = python("python_sync.py")
        .env("GATEWAY_URL", format!("http://{}", gateway.address))
        .env("DATABASE_URL", &database.url)
        .env("GATEWAY_USER", "ada")
        .env("GATEWAY_PASSWORD", PASSWORD)
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{stdout}\n{stderr}");
    assert_eq!(stdout.trim(), "10000 points, user ada, signed out", "{stderr}");
    assert_eq!(stderr, "");
}
