//! What InfluxDB and providers say after a stop, for as long as there are requests.

use std::sync::MutexGuard;

use serde_json::{Value, json};

use crate::cut_off::half_write;
use crate::jwt::idp::{Idp, Says};
use crate::jwt::signing::Signer;
use crate::support::*;

/// Has `gateway` stop, and waits until it takes no request more.
fn stop(gateway: &Gateway) {
    let mut idle = gateway.connect();
    assert_eq!(idle.send(&get("/gateway/health", &[])).status, 200);
    gateway.signal("TERM");
    assert!(idle.is_closed());
}

/// Of whom InfluxDB knows, it is asked up to the end.
#[test]
fn f_08_users_of_influxdb_lose_their_last_requests_too() {
    let influxdb = crate::influxdb::Influxdb::start();
    let config = "[users]\nsource = \"influxdb\"\nrenew = \"50ms\"\nrefresh = \"50ms\"\n";
    let gateway = Gateway::start_with(influxdb.upstream.address, config, &users(&["ada"]));
    let session = gateway.sign_in("ada");
    let [head, first, second] = half_write(&session, "length");
    let mut client = gateway.connect();
    client.write((head + &first).as_bytes());
    crate::authority::settle(&gateway);
    stop(&gateway);
    influxdb.state().sessions.clear();
    wait_until("its end is noted", || gateway.audit().contains("\"revoked\""));
    let _ = std::io::Write::write_all(&mut client.stream, second.as_bytes());
    assert_eq!(client.read().status, 401);
    assert_eq!(gateway.wait().0, Some(0));
}

/// A request may wait for a key of a provider, which is asked at that moment.
#[test]
fn keys_of_providers_are_found_up_to_the_end() {
    let (idp, upstream) = (Idp::start(), Upstream::start());
    let gateway = crate::jwt::start_for(&idp, &upstream, "");
    idp.times_asked();
    let signer = Signer::new("P-256");
    let mut jwk = signer.jwk();
    jwk["kid"] = json!("new");
    let token = signer.sign(&json!({ "alg": "ES256", "kid": "new" }), &idp.claims());
    let says = idp.hold();
    let mut client = gateway.connect();
    client.write(get("/api/v2/buckets", &[&crate::jwt::bearer(&token)]).as_bytes());
    wait_until("it is asked", || idp.times_asked() > 0);
    stop(&gateway);
    answer_with(says, jwk);
    assert_eq!(client.read().status, 200);
    assert_eq!(gateway.wait().0, Some(0));
}

fn answer_with(mut says: MutexGuard<'_, Says>, key: Value) {
    *says = Says::Keys(vec![key]);
}
