use std::collections::HashSet;

use crate::support::*;

const SESSIONS: usize = 50;

/// The first 48 bits of each session's token.
fn heads(sessions: &[String]) -> HashSet<String> {
    sessions.iter().map(|session| session.split_once('=').unwrap().1[..8].to_owned()).collect()
}

fn sign_in(gateway: &Gateway) -> Vec<String> {
    (0..SESSIONS).map(|n| gateway.sign_in(["ada", "bob"][n % 2])).collect()
}

/// Whose session it is, as far as `gateway` knows.
fn owner(gateway: &Gateway, session: &str) -> Option<String> {
    let me = gateway.connect().send(&get("/api/v2/me", &[&cookie(session)]));
    (me.status == 200).then(|| me.json()["name"].as_str().unwrap().to_owned())
}

/// The fingerprints of the sessions that the audit trail says were signed in to.
fn signed_in(gateway: &Gateway, count: usize) -> Vec<String> {
    let is_sign_in = |line: &&serde_json::Value| line["event"] == "signed_in";
    let lines = gateway.audited(count);
    let sessions = lines.iter().filter(is_sign_in).map(|line| line["session"].as_str().unwrap());
    sessions.map(str::to_owned).collect()
}

/// Sessions end with the process, whichever way it ends: in the next one, with the same files, every
/// cookie of the old one is nobody's, and no new session has an old one's id.
#[test]
fn s_21_after_a_restart_no_old_cookie_is_anybodys_and_no_id_comes_again() {
    for signal in ["TERM", "INT", "KILL"] {
        let upstream = Upstream::start();
        let gateway = Gateway::start(upstream.address);
        let old = sign_in(&gateway);
        assert_eq!(owner(&gateway, &old[1]).as_deref(), Some("bob"));
        assert_eq!(signed_in(&gateway, SESSIONS).len(), SESSIONS);

        let gateway = gateway.restart(signal);
        let new = sign_in(&gateway);
        for session in &old {
            assert_eq!(owner(&gateway, session), None, "{signal}");
            for target in ["/api/v2/buckets", "/api/v2/write"] {
                let answer = gateway.connect().send(&post(target, &[&cookie(session)]));
                assert_eq!(answer.status, 401, "{signal}");
            }
        }
        for (n, session) in new.iter().enumerate() {
            assert_eq!(owner(&gateway, session).as_deref(), Some(["ada", "bob"][n % 2]));
        }
        assert!(upstream.saw_nothing());
        let all = [old, new].concat();
        assert_eq!(heads(&all).len(), 2 * SESSIONS, "{signal}: two tokens begin alike");
        // The audit trail goes on in the same file.
        let ids: HashSet<_> = signed_in(&gateway, 2 * SESSIONS).into_iter().collect();
        assert_eq!(ids.len(), 2 * SESSIONS, "{signal}: two sessions have one id");
    }
}

#[test]
fn s_04_two_processes_with_the_same_files_share_no_token() {
    let gateways = [Gateway::start(closed_port()), Gateway::start(closed_port())];
    let all: Vec<_> = gateways.iter().flat_map(sign_in).collect();
    assert_eq!(heads(&all).len(), 2 * SESSIONS);
}
