use super::{Asker, Influxd, Mode, wait_long};
use crate::support::*;

/// InfluxDB's cookie of a new session, which no gateway has a part in.
fn sign_in_directly(influxd: &Influxd, name: &str) -> String {
    influxd.send(&post("/api/v2/signin", &[&basic(name, PASSWORD)])).cookie()
}

fn status_directly(influxd: &Influxd, session: &str) -> u16 {
    influxd.send(&get("/api/v2/buckets", &[&cookie(session)])).status
}

/// InfluxDB lets an unused session go after `--session-length`, here a minute, and one that is used five
/// minutes after that. At the gateway, an unused one stays too: it has used InfluxDB's half by itself.
/// With `--session-renew-disabled`, InfluxDB's length is the length of all sessions.
pub(super) fn a_session_of_one_minute_ends_only_where_nothing_renews_it() {
    let renewing = Influxd::start_with(&["--session-length=1"]);
    let strict = Influxd::start_with(&["--session-length=1", "--session-renew-disabled"]);
    let gateways = [&renewing, &strict].map(|influxd| {
        let ada = influxd.add_user("ada");
        (Mode::InfluxdbUsers.gateway(influxd, &[]), ada)
    });
    let [at_renewing, at_strict, only_me] = [0, 1, 1].map(|index| {
        let (gateway, ada) = &gateways[index];
        Asker::new(Mode::InfluxdbUsers, gateway, ada)
    });
    let (unused, used) = (sign_in_directly(&renewing, "ada"), sign_in_directly(&renewing, "ada"));
    assert_eq!(status_directly(&renewing, &used), 200);
    let last = sign_in_directly(&strict, "ada");
    assert_eq!(status_directly(&strict, &last), 200);
    wait_long("InfluxDB's length is over", || status_directly(&strict, &last) == 401);

    assert_eq!(status_directly(&renewing, &unused), 401);
    assert_eq!(status_directly(&renewing, &used), 200);
    assert_eq!(at_renewing.forwarded().status, 200);
    assert_eq!(at_renewing.me().status, 200);

    let forwarded = at_strict.forwarded();
    assert_eq!((forwarded.status, &forwarded.json()["code"]), (401, &"unauthorized".into()));
    wait_until("the gateway's half is over", || at_strict.me().status == 401);
    // Of this one the gateway asks, for nobody has asked for a minute.
    wait_until("one of which only `me` was asked is over", || only_me.me().status == 401);
    let (gateway, ada) = &gateways[1];
    assert_eq!(Asker::new(Mode::InfluxdbUsers, gateway, ada).forwarded().status, 200);
}
