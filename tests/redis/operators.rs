use super::server::Server;
use super::stage::*;
use crate::support::*;

/// Whichever gateway is asked, it lists and ends the sessions of all, and says what keeps it from being ready.
#[test]
fn a_05_sessions_of_all_gateways_are_listed_and_ended_at_one() {
    let (mut redis, upstream) = (Server::start(), Upstream::start());
    let here = gateway(upstream.address, &redis.url(), "");
    let there = "[admin]\nlisten = \"127.0.0.1:0\"";
    let there = config(&redis.url(), "") + there;
    let there = Gateway::start_with(upstream.address, &there, &users(&["ada", "bob"]));
    let admin: std::net::SocketAddr = there.next_admin().parse().unwrap();
    let ask = |method: &str, target: &str| {
        let request = request(method, target, &[]).replace("gateway.test", "localhost");
        Client::connect(admin).send(&request)
    };
    let agent = "User-Agent: Mozilla/5.0 (X11; rv:140.0) Gecko/20100101 Firefox/140.0";
    let browser = here.connect().send(&post("/api/v2/signin", &[&basic("ada", PASSWORD), agent]));
    let (browser, ada, bob) = (browser.cookie(), here.sign_in("ada"), there.sign_in("bob"));
    let list = ask("GET", "/sessions").json();
    let all = list["sessions"].as_array().unwrap();
    assert_eq!(all.len(), 3, "{list}");
    let of_browser = all.iter().find(|it| it["agent"] == "Firefox").unwrap();
    assert_eq!((&of_browser["user"], &of_browser["client"]), (&"ada".into(), &"127.0.0.1".into()));
    let page = ask("GET", "/sessions?limit=2").json();
    let rest = ask("GET", &format!("/sessions?after={}", page["next"].as_str().unwrap())).json();
    assert_eq!(rest["sessions"].as_array().unwrap().len(), 1, "{page} {rest}");
    assert_eq!(ask("GET", "/status").json()["store"]["kind"], "redis");

    let one = format!("/sessions/{}", of_browser["fingerprint"].as_str().unwrap());
    assert_eq!(ask("DELETE", &one).json()["revoked"], 1);
    assert_eq!(status(&there, &browser), 401);
    wait_until("it is known here too", || status(&here, &browser) == 401);
    assert_eq!(ask("DELETE", "/sessions?user=ada").json()["revoked"], 1);
    assert_eq!((status(&there, &ada), status(&there, &bob)), (401, 200));

    let wrong = post("/api/v2/signin", &[&basic("ada", "wrong horse")]);
    let right = post("/api/v2/signin", &[&basic("ada", PASSWORD)]);
    for _ in 0..5 {
        assert_eq!(there.connect().send(&wrong).status, 401);
    }
    assert_eq!(here.connect().send(&right).status, 429);
    let bans = ask("GET", "/bans").json();
    let ban = format!("/bans/{}", bans["bans"][0]["id"].as_str().unwrap());
    assert_eq!(ask("DELETE", &ban).status, 200);
    assert_eq!(here.connect().send(&right).status, 204);

    redis.kill();
    wait_until("it is missed", || ask("GET", "/health/ready").status == 503);
    assert_eq!(ask("GET", "/health/ready").json()["message"], "not ready: session store unknown");
    assert_eq!(ask("GET", "/health/live").status, 200);
    redis.start_again(&[]);
    wait_until("it is back", || ask("GET", "/health/ready").status == 200);
}
