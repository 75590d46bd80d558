use std::time::{Duration, Instant};

use super::{Influxd, Mode, wait_long};
use crate::identity::relay;
use crate::redis::server::Server;
use crate::support::*;

/// InfluxDB lets an unused session go after a minute, and one that is used five minutes after that. Of two
/// gateways, either keeps up what the other has begun.
pub(super) fn a_session_outlives_the_gateway_that_made_it() {
    let influxd = Influxd::start_with(&["--session-length=1"]);
    influxd.add_user("ada");
    let (redis, relay) = (Server::start(), relay(&influxd));
    let config = format!(
        "renew = \"20s\"\nrefresh = \"1h\"\n[session]\nstore = \"{}\"\nstore_timeout = \"10s\"\n",
        redis.url(),
    );
    let [a, b] = [(); 2].map(|()| Mode::InfluxdbUsers.gateway_before(relay.address, &[], &config));
    let direct = |line: &str| influxd.send(&get("/api/v2/buckets", &[line])).status;
    let unused =
        cookie(&influxd.send(&post("/api/v2/signin", &[&basic("ada", PASSWORD)])).cookie());
    let [used, quiet] = [a.sign_in("ada"), a.sign_in("ada")].map(|session| cookie(&session));

    let begun = Instant::now();
    let write = "/api/v2/write?org=home&bucket=weather";
    let written = a.connect().send(&with_body("POST", write, &[&used], "rain mm=4"));
    assert_eq!(written.status, 204, "{written:?}");
    let (query, flux) =
        ("/api/v2/query?org=home", "from(bucket: \"weather\") |> range(start: -1h)");
    let headers = [used.as_str(), "Content-Type: application/vnd.flux"];
    let found = b.connect().send(&with_body("POST", query, &headers, flux));
    assert!(found.status == 200 && found.text().contains(",rain"), "{found:?}");

    a.signal("KILL");
    wait_long("InfluxDB's length is over", || begun.elapsed() > Duration::from_secs(61));
    assert_eq!(direct(&unused), 401);
    let status = |line: &str| b.connect().send(&get("/api/v2/buckets", &[line])).status;
    assert_eq!((status(&quiet), status(&used)), (200, 200));

    let seen = relay.seen_by_clients();
    let mut theirs: Vec<_> = seen.iter().flat_map(|seen| seen.all("cookie")).collect();
    theirs.sort_unstable();
    theirs.dedup();
    let theirs: Vec<_> = theirs.into_iter().map(cookie).collect();
    assert_eq!(theirs.iter().map(|line| direct(line)).collect::<Vec<_>>(), [200, 200]);
    for line in [&quiet, &used] {
        assert_eq!(b.connect().send(&post("/api/v2/signout", &[line])).status, 204);
    }
    wait_until("InfluxDB has none of them", || theirs.iter().all(|line| direct(line) == 401));
}
