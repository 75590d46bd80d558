use super::{Influxd, Mode};
use crate::identity::relay;
use crate::redis::server::Server;
use crate::support::*;

/// Of two gateways, either keeps up InfluxDB's session that the other has begun, and signs out of it.
#[test]
fn a_session_outlives_the_gateway_that_made_it() {
    let influxd = Influxd::start();
    influxd.add_user("ada");
    let (redis, relay) = (Server::start(), relay(&influxd));
    let config = format!(
        "renew = \"1s\"\nrefresh = \"1h\"\n[session]\nstore = \"{}\"\nstore_timeout = \"10s\"\n",
        redis.url(),
    );
    let [a, b] = [(); 2].map(|()| Mode::InfluxdbUsers.gateway_before(relay.address, &[], &config));
    let session = cookie(&a.sign_in("ada"));
    let write = "/api/v2/write?org=home&bucket=weather";
    let written = a.connect().send(&with_body("POST", write, &[&session], "rain mm=4"));
    assert_eq!(written.status, 204, "{written:?}");
    let (query, flux) =
        ("/api/v2/query?org=home", "from(bucket: \"weather\") |> range(start: -1h)");
    let headers = [session.as_str(), "Content-Type: application/vnd.flux"];
    let find = || b.connect().send(&with_body("POST", query, &headers, flux));
    let found = find();
    assert!(found.status == 200 && found.text().contains(",rain"), "{found:?}");

    a.signal("KILL");
    relay.seen_by_clients();
    let renewals = [relay.next(), relay.next()];
    let [half, same] = renewals.each_ref().map(|seen| seen.header("cookie").unwrap());
    assert!(renewals.iter().all(|seen| seen.line().starts_with("GET /api/v2/me ")));
    assert!(half == same && half.starts_with("influxdb-oss-session="));
    assert_eq!(find().status, 200);
    let direct = || influxd.send(&get("/api/v2/buckets", &[&cookie(half)])).status;
    assert_eq!(direct(), 200);
    assert_eq!(b.connect().send(&post("/api/v2/signout", &[&session])).status, 204);
    wait_until("InfluxDB does not know it any more", || direct() == 401);
}
