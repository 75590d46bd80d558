use std::time::{Duration, Instant, SystemTime};

use crate::clock::{self, Clocks};
use crate::support::*;

/// A gateway whose wall clock can be set while it runs.
struct Jumping {
    gateway: Gateway,
    /// What its clock said at first, and when that was.
    first: (SystemTime, Instant),
}

impl Jumping {
    /// With these keys of `[session]`.
    fn start(upstream: &Upstream, session: &str) -> Self {
        let config = format!("[session]\n{session}\n");
        let url = format!("http://{}", upstream.address);
        let folder = Gateway::prepare(&url, &config, &users(&["ada"]));
        let command = clock::command(folder.path(), Clocks::Wall);
        let gateway = Gateway::start_by(command, folder);
        let first = (told(&gateway), Instant::now());
        Self { gateway, first }
    }

    /// Sets the clock to so many hours from the true time, and makes sure that the program sees it.
    fn jump(&self, hours: i32) {
        clock::set(&self.gateway, &format!("{hours:+}h"));
        let (told, unset) = (told(&self.gateway), self.first.0 + self.first.1.elapsed());
        let hour = Duration::from_secs(3600) * hours.unsigned_abs();
        let expected = if hours < 0 { unset - hour } else { unset + hour };
        let off = told.duration_since(expected).unwrap_or_else(|early| early.duration());
        assert!(off < Duration::from_secs(60), "{hours:+}h is set, and the program sees {told:?}");
    }

    fn sign_in(&self) -> String {
        cookie(&self.gateway.sign_in("ada"))
    }

    fn status(&self, line: &str) -> [u16; 2] {
        ["/api/v2/me", "/api/v2/buckets"]
            .map(|target| self.gateway.connect().send(&get(target, &[line])).status)
    }
}

/// What the clock of `gateway` says, by the audit trail's line of a sign-in without credentials.
fn told(gateway: &Gateway) -> SystemTime {
    let lines = || {
        let audit = gateway.audit();
        let whole = audit.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        whole.filter(|line| line.contains("\"malformed\"")).map(str::to_owned).collect::<Vec<_>>()
    };
    let before = lines().len();
    assert_eq!(gateway.connect().send(&post("/api/v2/signin", &[])).status, 401);
    wait_until("the audit trail has its line", || lines().len() > before);
    let line: serde_json::Value = serde_json::from_str(lines().last().unwrap()).unwrap();
    humantime::parse_rfc3339(line["time"].as_str().unwrap()).unwrap()
}

const JUMPS: [i32; 6] = [1, -1, 1, 0, -1, 0];

#[test]
fn s_19_a_wall_clock_that_jumps_ends_no_session() {
    let upstream = Upstream::start();
    let jumping = Jumping::start(&upstream, "idle = \"10m\"\nlifetime = \"30m\"");
    let mut sessions = vec![jumping.sign_in()];
    for hours in JUMPS {
        jumping.jump(hours);
        for session in &sessions {
            assert_eq!(jumping.status(session), [200; 2], "{hours:+}h");
        }
        sessions.push(jumping.sign_in());
    }
}

#[test]
fn s_19_a_wall_clock_that_jumps_revives_no_session_and_holds_up_no_end() {
    let upstream = Upstream::start();
    for session in ["idle = \"1s\"", "idle = \"10m\"\nlifetime = \"1s\""] {
        let jumping = Jumping::start(&upstream, session);
        let signed_out = jumping.sign_in();
        let sign_out = post("/api/v2/signout", &[&signed_out]);
        assert_eq!(jumping.gateway.connect().send(&sign_out).status, 204);
        let mut ended = vec![signed_out];
        for hours in JUMPS {
            ended.push(jumping.sign_in());
            jumping.jump(hours);
        }
        let since = Instant::now();
        wait_until("a second is over", || since.elapsed() > Duration::from_millis(1100));
        for hours in JUMPS {
            for line in &ended {
                assert_eq!(jumping.status(line), [401; 2], "{session}, {hours:+}h");
            }
            jumping.jump(hours);
        }
        assert!(upstream.saw_nothing());
    }
}
