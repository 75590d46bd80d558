use crate::support::*;

#[test]
fn the_session_is_gone_at_once_and_the_second_time_is_refused() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(upstream.address);
    let (value, other) = (gateway.sign_in("ada"), gateway.sign_in("ada"));
    let (line, mut client) = (cookie(&value), gateway.connect());

    let answer = client.send(&post("/api/v2/signout", &[&line]));
    assert_eq!((answer.status, answer.body.len()), (204, 0));
    assert_eq!(answer.header("content-type"), None);
    assert_eq!(
        answer.header("set-cookie"),
        Some(
            "influxdb-oss-session=; Path=/api/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; \
             HttpOnly; SameSite=Strict"
        )
    );
    assert_eq!(client.send(&get("/api/v2/me", &[&line])).status, 401);
    assert_eq!(client.send(&get("/api/v2/buckets", &[&line])).status, 401);
    assert_eq!(client.send(&post("/api/v2/signout", &[&line])).status, 401);
    assert_eq!(client.send(&get("/api/v2/me", &[&cookie(&other)])).status, 200);
    assert!(upstream.saw_nothing());
}

#[test]
fn only_the_cookie_is_looked_at() {
    let gateway = Gateway::start(Upstream::start().address);
    let mut client = gateway.connect();
    for headers in
        [vec![], vec!["Authorization: Token good"], vec!["Cookie: influxdb-oss-session="]]
    {
        let answer = client.send(&post("/api/v2/signout", &headers));
        assert_eq!(answer.status, 401);
        assert_eq!(answer.body.len(), 62);
    }
    let both = [cookie(&gateway.sign_in("ada")), "Authorization: Token good".to_owned()];
    assert_eq!(client.send(&post("/api/v2/signout", &[&both[0], &both[1]])).status, 204);
}

#[test]
fn it_races_a_hundred_requests_in_flight_and_wins() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(upstream.address);
    let line = cookie(&gateway.sign_in("ada"));
    std::thread::scope(|scope| {
        for _ in 0..10 {
            scope.spawn(|| {
                let mut client = gateway.connect();
                for _ in 0..10 {
                    let status = client.send(&get("/api/v2/buckets", &[&line])).status;
                    assert!(matches!(status, 200 | 401), "{status}");
                }
            });
        }
        scope.spawn(|| {
            assert_eq!(gateway.connect().send(&post("/api/v2/signout", &[&line])).status, 204);
            assert_eq!(gateway.connect().send(&get("/api/v2/me", &[&line])).status, 401);
        });
    });
    assert_eq!(gateway.connect().send(&get("/api/v2/me", &[&line])).status, 401);
}
