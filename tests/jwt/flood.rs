//! Clients that bring one JWT after the other which nobody has signed.

use super::*;

/// So many wrong signatures are looked at, in ten seconds.
const MOST: usize = 500;

#[test]
fn a_client_that_forges_jwts_is_turned_away_and_nobody_else() {
    let (idp, upstream) = (Idp::start(), Upstream::start());
    let listen = "[listen]\ntrusted_proxies = [\"127.0.0.1\"]\n";
    let tables = jwt(&idp.issuer, "") + GRANTS;
    let config = format!("token_file = \"shared.token\"\n{tables}");
    let folder =
        Gateway::prepare(&format!("http://{}", upstream.address), &config, &users(&["ada"]));
    for (name, token) in [("writers.token", "granted"), ("shared.token", "shared")] {
        std::fs::write(folder.path().join(name), token).unwrap();
    }
    let file = folder.path().join("gateway.toml");
    let text = std::fs::read_to_string(&file).unwrap().replace("[listen]\n", listen);
    std::fs::write(file, text).unwrap();
    let gateway = Gateway::start_in(folder);
    wait_for_keys(&gateway, &idp.issuer);
    let mut connection = gateway.connect();
    let mut from = |client: &str, token: &str| {
        let of = format!("X-Forwarded-For: {client}");
        connection.send(&get("/api/v2/buckets", &[&bearer(token), &of]))
    };
    let [evil, other] = ["203.0.113.7", "203.0.113.8"];
    let session = gateway.sign_in("ada");
    let good = |jti: &str| idp.token(&idp.with("jti", json!(jti)));
    let before = good("before");
    assert_eq!(from(evil, &before).status, 200);
    let forger = Signer::new("P-256");
    // What has ended is refused before anybody looks who has signed it.
    for number in 0..MOST + 5 {
        let mut claims = idp.with("jti", json!(number.to_string()));
        claims["exp"] = json!(now() - 100);
        assert_eq!(from(evil, &forger.sign(&idp.header(), &claims)).status, 401);
    }
    for number in 0..MOST + 5 {
        let token = forger.sign(&idp.header(), &idp.with("jti", json!(number)));
        let answer = from(evil, &token);
        let wait = (number >= MOST).then_some("10");
        assert_eq!(
            (answer.status, answer.header("retry-after")),
            (if number < MOST { 401 } else { 429 }, wait),
            "{number}"
        );
    }
    // Its own that are new are not looked at either; the one that was good is, and so is whatever others bring.
    assert_eq!(from(evil, &good("after")).status, 429);
    assert_eq!(from(evil, &before).status, 200);
    assert_eq!(from(other, &good("after")).status, 200);
    let of = format!("X-Forwarded-For: {evil}");
    assert_eq!(gateway.connect().send(&get("/api/v2/me", &[&cookie(&session), &of])).status, 200);
    let lines = gateway.audit();
    assert_eq!(lines.matches("\"jwt_signature\"").count(), MOST);
    assert_eq!(lines.matches("\"jwt_throttled\"").count(), 1, "{lines}");
}

/// The priority of a thread of the gateway, and for how many hundredths of a second it has run.
fn thread(gateway: &Gateway, name: &str) -> Option<(i32, u64)> {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", gateway.pid())).unwrap();
    let stats =
        tasks.map(|task| std::fs::read_to_string(task.unwrap().path().join("stat")).unwrap());
    let stat = stats.into_iter().find(|stat| stat.contains(&format!("({name})")))?;
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    let number = |index: usize| fields[index].parse::<u64>().unwrap();
    Some((fields[16].parse().unwrap(), number(11) + number(12)))
}

#[test]
fn forged_jwts_cost_a_thread_that_matters_less_than_those_that_forward() {
    let (idp, upstream) = (Idp::start(), Upstream::start());
    let gateway = start_for(&idp, &upstream, "");
    let forger = Signer::new("P-256");
    let mut connection = gateway.connect();
    for number in 0..MOST {
        let token = forger.sign(&idp.header(), &idp.with("jti", json!(number)));
        assert_eq!(connection.send(&get("/api/v2/buckets", &[&bearer(&token)])).status, 401);
    }
    let (nice, time) = thread(&gateway, "signatures").expect("there is such a thread");
    assert_eq!(nice, 10);
    assert!(time > 0, "it has done nothing");
}
