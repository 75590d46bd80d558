use super::server::{Server, port};
use super::stage::*;
use crate::secure::Authority;
use crate::support::*;

/// A Redis with a certificate for this name, which speaks TLS on a port of its own.
fn secure_redis(authority: &Authority, name: &str) -> (Server, String, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    authority.pair(name).write(folder.path(), "redis");
    let file = |name: &str| folder.path().join(name).display().to_string();
    let (port, certificate, key) = (port().to_string(), file("redis.crt"), file("redis.key"));
    let options =
        ["--tls-port", &port, "--tls-auth-clients", "no", "--tls-cert-file", &certificate];
    let redis = Server::start_with(&[&options[..], &["--tls-key-file", &key]].concat());
    (redis, format!("rediss://127.0.0.1:{port}"), folder)
}

/// A gateway with the session store at `url`, of which it believes these authorities; if there is none, those
/// of the system.
fn trusting(upstream: &Upstream, url: &str, authority: Option<&Authority>) -> Gateway {
    let keys = if authority.is_some() { "store_ca_file = \"ca.crt\"" } else { "" };
    let upstream = format!("http://{}", upstream.address);
    let folder = Gateway::prepare(&upstream, &config(url, keys), &users(&["ada"]));
    if let Some(authority) = authority {
        std::fs::write(folder.path().join("ca.crt"), authority.certificate()).unwrap();
    }
    Gateway::start_in(folder)
}

#[test]
fn redis_is_reached_over_tls_if_its_certificate_is_good() {
    let (own, other, upstream) = (Authority::new(), Authority::new(), Upstream::start());
    let (redis, url, _folder) = secure_redis(&own, "127.0.0.1");
    let secure = trusting(&upstream, &url, Some(&own));
    let session = secure.sign_in("ada");
    assert_eq!(status(&secure, &session), 200);
    let plain = trusting(&upstream, &redis.url(), None);
    assert_eq!(status(&plain, &session), 200, "it is the same Redis");
    assert_eq!(sign_out(&plain, &session).status, 204);
    wait_until("it is known over TLS too", || status(&secure, &session) == 401);

    let (_misnamed, misnamed, _folder) = secure_redis(&own, "redis.test");
    for (url, authority, why) in [
        (&url, Some(&other), "invalid peer certificate: BadSignature"),
        (&url, None, "invalid peer certificate: UnknownIssuer"),
        (&misnamed, Some(&own), "invalid peer certificate: certificate not valid for name"),
    ] {
        let wrong = trusting(&upstream, url, authority);
        check_unknown(&sign_in(&wrong, "ada"));
        let line = format!("the session store is lost: {}", url.trim_start_matches("rediss://"));
        let is_told = |text: &str| text.contains(&line) && text.contains(why);
        wait_until(why, || wrong.log().lines().any(is_told));
    }
}
