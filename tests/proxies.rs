use crate::support::*;

/// A gateway that believes whoever comes from this machine.
fn behind_proxies(upstream: std::net::SocketAddr, signin: &str) -> Gateway {
    let folder = Gateway::prepare(&format!("http://{upstream}"), signin, &users(&["ada"]));
    let path = folder.path().join("gateway.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let trusted = "[listen]\ntrusted_proxies = [\"127.0.0.0/8\", \"10.0.0.0/8\"]";
    std::fs::write(&path, text.replace("[listen]", trusted)).unwrap();
    Gateway::start_in(folder)
}

#[test]
fn f_28_every_spelling_of_a_client_is_read() {
    let upstream = Upstream::start();
    let gateway = behind_proxies(upstream.address, "");
    for (headers, client) in [
        (&["X-Forwarded-For: 192.0.2.1:4711"][..], "192.0.2.1"),
        (&["X-Forwarded-For: 6.6.6.6:1, 192.0.2.1:4711"], "192.0.2.1"),
        (&["X-Forwarded-For: [2001:db8::17]"], "2001:db8::17"),
        (&["X-Forwarded-For: [2001:DB8::17]:4711"], "2001:db8::17"),
        (&["X-Forwarded-For: 2001:db8::17"], "2001:db8::17"),
        (&["X-Forwarded-For: \"[2001:db8::17]:4711\""], "2001:db8::17"),
        (&["X-Forwarded-For: 192.0.2.1, "], "192.0.2.1"),
        (&["X-Forwarded-For: [::ffff:192.0.2.1]:80"], "192.0.2.1"),
        (&["X-Forwarded-For: fe80::1%eth0"], "fe80::1"),
        (&["Forwarded: for=192.0.2.1"], "192.0.2.1"),
        (&["forwarded: By=_x;FOR=\"192.0.2.1:4711\";proto=https"], "192.0.2.1"),
        (&["Forwarded: for=6.6.6.6, for=\"[2001:db8::17]:_gate\" ; host=x.test"], "2001:db8::17"),
        (&["Forwarded: for=6.6.6.6", "Forwarded: For=\"\\192.0.2.1\""], "192.0.2.1"),
        (&["Forwarded: for=6.6.6.6", "X-Forwarded-For: 192.0.2.1:1"], "192.0.2.1"),
    ] {
        assert_eq!(gateway.connect().send(&get("/health", headers)).status, 200, "{headers:?}");
        let seen = upstream.next();
        let told = format!("{client}, 127.0.0.1");
        assert_eq!(seen.header("x-forwarded-for"), Some(&*told), "{headers:?}");
        assert_eq!(seen.header("forwarded"), None);
        let proto = if headers.concat().contains("https") { "https" } else { "http" };
        assert_eq!(seen.header("x-forwarded-proto"), Some(proto));
    }
    // On from one trusted proxy to the next.
    let chain = "X-Forwarded-For: 6.6.6.6, 192.0.2.1:80, 10.0.0.1:443, [::ffff:10.0.0.2]:443";
    gateway.connect().send(&get("/health", &[chain]));
    let expected = "192.0.2.1, 10.0.0.1, 10.0.0.2, 127.0.0.1";
    assert_eq!(upstream.next().header("x-forwarded-for"), Some(expected));
    let log = gateway.stop();
    assert!(log.contains("client=192.0.2.1 ") && log.contains("client=2001:db8::17 "), "{log}");
    assert!(!log.contains("is not an address"), "{log}");
}

#[test]
fn f_28_one_guesser_behind_a_proxy_locks_out_nobody_else() {
    let gateway = behind_proxies(closed_port(), "[signin]\nfailures_per_client = 3\n");
    let sign_in = |client: &str, password: &str| {
        let from = format!("X-Forwarded-For: {client}");
        gateway.connect().send(&post("/api/v2/signin", &[&from, &basic("ada", password)])).status
    };
    for (guesser, other) in
        [("192.0.2.1:", "192.0.2.2:7"), ("[2001:db8:1::1]:", "[2001:db8:2::1]:7")]
    {
        for port in 1..=3 {
            assert_eq!(sign_in(&format!("{guesser}{port}"), "wrong horse"), 401);
        }
        assert_eq!(sign_in(&format!("{guesser}4"), "wrong horse"), 429);
        assert_eq!(sign_in(other, PASSWORD), 204);
    }
}

#[test]
fn f_28_a_hop_that_cannot_be_read_is_warned_of_once() {
    let upstream = Upstream::start();
    let gateway = behind_proxies(upstream.address, "");
    for (header, client) in [
        ("X-Forwarded-For: 192.0.2.1, unknown", "127.0.0.1"),
        ("X-Forwarded-For: web.test:80", "127.0.0.1"),
        ("Forwarded: for=192.0.2.1, for=_hidden, for=10.0.0.2", "10.0.0.2, 127.0.0.1"),
        ("Forwarded: nothing of the kind", "127.0.0.1"),
    ] {
        gateway.connect().send(&get("/health", &[header]));
        assert_eq!(upstream.next().header("x-forwarded-for"), Some(client), "{header}");
    }
    let log = gateway.stop();
    let warnings: Vec<_> = log.lines().filter(|line| line.contains("is not an address")).collect();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(
        warnings[0].contains("127.0.0.1") && warnings[0].contains("\"unknown\""),
        "{warnings:?}"
    );
}
