use std::fs;
use std::os::unix::net::UnixDatagram;
use std::process::Command;

use crate::support::*;

const UNIT: &str = "conf/systemd/influx-gateway.service";

/// Where a service manager hears from the gateway.
struct Heard(UnixDatagram);

impl Heard {
    fn next(&self) -> String {
        let mut text = [0; 200];
        let length = self.0.recv(&mut text).expect("something is told");
        String::from_utf8(text[..length].to_vec()).unwrap()
    }
}

#[test]
fn the_service_manager_is_told_of_start_reload_and_end() {
    let folder = Gateway::prepare("http://127.0.0.1:9", "", &users(&["ada"]));
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let heard = Heard(socket);
    let mut command = program();
    command.env("NOTIFY_SOCKET", &path);
    let gateway = Gateway::start_by(command, folder);
    assert_eq!(heard.next(), "READY=1\n");
    gateway.signal("HUP");
    let reloading = heard.next();
    let time = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").map(str::trim_end);
    assert!(time.is_some_and(|time| time.parse::<u64>().is_ok()), "{reloading}");
    assert_eq!(heard.next(), "READY=1\n");
    gateway.signal("TERM");
    assert_eq!(heard.next(), "STOPPING=1\n");
    assert_eq!(gateway.wait().0, Some(0));
}

/// With every setting known, and of all that a service might do, little allowed.
#[test]
fn the_unit_is_good_and_allows_little() {
    let text = fs::read_to_string(repository().join(UNIT)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("influx-gateway.service");
    // The program where it is here: one that is not there is a fault.
    let installed = "/usr/local/bin/influx-gateway";
    assert_eq!(text.matches(installed).count(), 2);
    let built = program().get_program().to_str().unwrap().to_owned();
    fs::write(&path, text.replace(installed, &built)).unwrap();
    let analyze = |arguments: &[&str]| {
        let mut command = Command::new("systemd-analyze");
        let output = output_of(command.args(arguments).arg(&path), "");
        let told = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(told).unwrap())
    };
    assert_eq!(analyze(&["verify"]), (Some(0), String::new()));
    // Of ten; what has no sandbox at all has 9.6.
    let (code, told) = analyze(&["security", "--offline=yes", "--threshold=18"]);
    assert_eq!(code, Some(0), "{told}");
}
