use std::fs;

use crate::support::*;

const NEW: &str = "battery staple";

fn change(session: &str, old: &str, new: &str) -> String {
    let headers = [cookie(session), basic("whoever", old)];
    let body = serde_json::json!({ "password": new }).to_string();
    with_body("PUT", "/api/v2/me/password", &[&headers[0], &headers[1]], &body)
}

fn sign_in_status(gateway: &Gateway, name: &str, password: &str) -> u16 {
    gateway.connect().send(&post("/api/v2/signin", &[&basic(name, password)])).status
}

#[test]
fn a_new_password_is_kept_in_the_file_and_ends_the_other_sessions() {
    let upstream = Upstream::start();
    let users = "# our people\n".to_owned() + &users(&["ada", "bob"]);
    let folder = Gateway::prepare(&format!("http://{}", upstream.address), "", &users);
    let file = folder.path().join("users.toml");
    let path = folder.path().to_owned();
    let gateway = Gateway::start_in(folder);
    let (mine, other, of_bob) =
        (gateway.sign_in("ada"), gateway.sign_in("ada"), gateway.sign_in("bob"));

    let answer = gateway.connect().send(&change(&mine, PASSWORD, NEW));
    assert_eq!((answer.status, answer.body.len()), (204, 0), "{answer:?}");
    let me = |session: &str| gateway.connect().send(&get("/api/v2/me", &[&cookie(session)])).status;
    assert_eq!((me(&mine), me(&other), me(&of_bob)), (200, 401, 200));
    assert_eq!(sign_in_status(&gateway, "ada", PASSWORD), 401);
    assert_eq!(sign_in_status(&gateway, "ada", NEW), 204);
    assert_eq!(sign_in_status(&gateway, "bob", PASSWORD), 204);

    let text = fs::read_to_string(&file).unwrap();
    assert!(text.starts_with("# our people\n") && !text.contains(NEW), "{text}");
    assert_eq!(text.matches("[[user]]").count(), 2);
    assert!(upstream.saw_nothing());

    // A new process reads what this one has written.
    let again = tempfile::tempdir().unwrap();
    for name in ["gateway.toml", "users.toml"] {
        fs::copy(path.join(name), again.path().join(name)).unwrap();
    }
    let gateway = Gateway::start_in(again);
    assert_eq!(sign_in_status(&gateway, "ada", NEW), 204);
    assert_eq!(sign_in_status(&gateway, "ada", PASSWORD), 401);
}

#[test]
fn a_file_that_cannot_be_written_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("gateway.toml"), "[listen]\nhttp = [\"127.0.0.1:0\"]\n").unwrap();
    fs::write(folder.path().join("users.toml"), users(&["ada"])).unwrap();
    let path = folder.path().join("users.toml");
    let gateway = Gateway::start_in(folder);
    let (mine, other) = (gateway.sign_in("ada"), gateway.sign_in("ada"));
    fs::remove_file(path).unwrap();

    let answer = gateway.connect().send(&change(&mine, PASSWORD, NEW));
    assert_eq!((answer.status, &answer.json()["code"]), (500, &"internal error".into()));
    assert_eq!(sign_in_status(&gateway, "ada", PASSWORD), 204);
    let me = gateway.connect().send(&get("/api/v2/me", &[&cookie(&other)]));
    assert_eq!(me.status, 200);
    let log = gateway.stop();
    assert!(log.contains("the password of ada was not changed"), "{log}");
}

#[test]
fn a_body_is_read_up_to_a_bound_and_a_client_that_waits_for_leave_gets_it() {
    let gateway = Gateway::start(closed_port());
    let session = gateway.sign_in("ada");
    let answer = gateway.connect().send(&change(&session, PASSWORD, &"x".repeat(5000)));
    assert_eq!((answer.status, &answer.json()["code"]), (413, &"request too large".into()));

    let body = format!("{{\"password\":\"{NEW}\"}}");
    let length = format!("Content-Length: {}", body.len());
    let headers = [cookie(&session), basic("", PASSWORD)];
    let headers = [&headers[0], &headers[1], &length, "Expect: 100-continue"];
    let mut client = gateway.connect();
    client.write(request("PUT", "/api/v2/me/password", &headers).as_bytes());
    assert_eq!(client.read_head().status, 100);
    client.write(body.as_bytes());
    assert_eq!(client.read_head().status, 204);
}
