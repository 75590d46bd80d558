use crate::support::*;

#[test]
fn what_a_user_may_do_is_bounded_at_the_gateway() {
    let upstream = Upstream::start();
    let users = users(&["reader", "writer", "owner"])
        .replace("name = \"reader\"", "access = \"read\"\nname = \"reader\"")
        .replace("name = \"writer\"", "access = \"write\"\nname = \"writer\"");
    let gateway = Gateway::start_with(upstream.address, "", &users);
    let sessions = ["reader", "writer", "owner"].map(|name| cookie(&gateway.sign_in(name)));
    for (method, target, allowed) in [
        ("GET", "/api/v2/buckets", [true, true, true]),
        ("HEAD", "/api/v2/buckets", [true, true, true]),
        ("POST", "/api/v2/query?org=o", [true, true, true]),
        ("POST", "/api/v2/query/analyze", [true, true, true]),
        ("POST", "/api/v2/write?bucket=b", [false, true, true]),
        ("POST", "/api/v2/delete", [false, true, true]),
        ("POST", "/api/v2/buckets", [false, false, true]),
        ("DELETE", "/api/v2/buckets/1", [false, false, true]),
        ("POST", "/api/v2/buckets?x=/api/v2/query", [false, false, true]),
    ] {
        for (session, allowed) in sessions.iter().zip(allowed) {
            let headers = [&**session, "Content-Length: 0"];
            let answer = gateway.connect().send(&request(method, target, &headers));
            if allowed {
                assert_eq!(answer.status, 200, "{method} {target}");
                upstream.next();
            } else {
                assert_eq!(answer.status, 403, "{method} {target}");
                assert_eq!(answer.json()["code"], "forbidden");
                assert!(upstream.saw_nothing(), "{method} {target}");
            }
        }
    }
}

#[test]
fn influxdb_3_is_signed_in_to_with_a_bearer_token() {
    let upstream = Upstream::start();
    let keys = "kind = \"influxdb3\"\ntoken_file = \"shared.token\"\n";
    let folder = Gateway::prepare(&format!("http://{}", upstream.address), keys, &users(&["ada"]));
    std::fs::write(folder.path().join("shared.token"), "apiv3_secret").unwrap();
    let gateway = Gateway::start_in(folder);
    let session = cookie(&gateway.sign_in("ada"));
    for (method, target) in [
        ("POST", "/api/v2/write?db=d"),
        ("POST", "/api/v3/write_lp?db=d"),
        ("POST", "/api/v3/query_sql"),
        ("GET", "/query?q=SHOW%20DATABASES"),
        ("POST", "/write?db=d"),
    ] {
        assert_eq!(gateway.connect().send(&request(method, target, &[])).status, 401, "{target}");
        assert!(upstream.saw_nothing());
        let headers = [&*session, "Content-Length: 0"];
        assert_eq!(gateway.connect().send(&request(method, target, &headers)).text(), "ada");
        let seen = upstream.next();
        assert_eq!(seen.header("authorization"), Some("Bearer apiv3_secret"));
        assert_eq!(seen.line(), format!("{method} {target} HTTP/1.1"));
    }
    assert_eq!(gateway.connect().send(&get("/metrics", &[&session])).status, 404);
}

#[test]
fn influxdb_3_cannot_be_the_directory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway.toml");
    let config = "[upstream]\nkind = \"influxdb3\"\n[users]\nsource = \"influxdb\"\n\
                  tokens = \"resolve\"\n[forward]\nv1 = true\n";
    std::fs::write(&path, config).unwrap();
    let output = program().args(["check", "--config"]).arg(&path).output().unwrap();
    assert_eq!(output.status.code(), Some(78));
    let text = String::from_utf8(output.stderr).unwrap();
    for fault in [
        ":4: users.source: InfluxDB 3 (upstream.kind) has no users",
        ":5: users.tokens: InfluxDB 3 (upstream.kind) does not tell",
        ":7: forward.v1: ",
    ] {
        assert!(text.contains(fault), "{fault}\n{text}");
    }
}
