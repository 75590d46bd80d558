use std::process::Command;

use crate::support::*;

const PAGE: &str = "[page]\nenabled = true\ntitle = \"Example <Corp>\"\n";

const FORM: &str = "Content-Type: application/x-www-form-urlencoded";

/// Everything the page is made of.
const FILES: [&str; 7] = ["", "app.css", "app.js", "icon.svg", "en.json", "de.json", "options"];

fn start(config: &str) -> (Gateway, Upstream) {
    let upstream = Upstream::start();
    let config = format!("{PAGE}{config}");
    let gateway = Gateway::start_with(upstream.address, &config, &users(&["ada", "bob"]));
    (gateway, upstream)
}

fn ask(gateway: &Gateway, target: &str) -> Answer {
    gateway.connect().send(&get(&format!("/gateway/{target}"), &[]))
}

/// Sends the form.
fn submit(gateway: &Gateway, headers: &[&str], fields: &str) -> Answer {
    let headers = [&[FORM], headers].concat();
    gateway.connect().send(&with_body("POST", "/gateway/signin", &headers, fields))
}

fn right() -> String {
    format!("name=ada&password={}", PASSWORD.replace(' ', "+"))
}

#[test]
fn there_is_no_page_unless_it_is_configured() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(upstream.address);
    for file in FILES {
        assert_eq!(ask(&gateway, file).status, 404, "{file}");
    }
    assert_eq!(submit(&gateway, &[], &right()).status, 404);
    assert!(upstream.saw_nothing());
}

#[test]
fn every_file_of_the_page_is_held_together_by_its_headers() {
    let (gateway, upstream) = start("");
    for file in FILES {
        let answer = ask(&gateway, file);
        assert_eq!(answer.status, 200, "{file}");
        let policy = answer.header("content-security-policy").unwrap();
        for rule in [
            "default-src 'none'",
            "script-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
        ] {
            assert!(policy.contains(rule), "{file}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        for (name, value) in [
            ("cross-origin-opener-policy", "same-origin"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("cache-control", "no-store"),
            ("referrer-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{file}");
        }
        let head = gateway.connect().send(&request("HEAD", &format!("/gateway/{file}"), &[]));
        assert_eq!((head.status, head.text().len()), (200, 0), "{file}");
        let posted = gateway.connect().send(&post(&format!("/gateway/{file}"), &[]));
        assert_eq!((posted.status, posted.header("allow")), (405, Some("GET, HEAD")), "{file}");
    }
    assert_eq!(ask(&gateway, "signin").header("allow"), Some("POST"));
    assert_eq!(ask(&gateway, "").header("content-type"), Some("text/html; charset=utf-8"));
    assert!(upstream.saw_nothing());
}

#[test]
fn the_page_is_small_and_needs_nothing_from_elsewhere() {
    let (gateway, _upstream) = start("");
    let all: String = FILES.iter().map(|file| ask(&gateway, file).text()).collect();
    let mut gzip = Command::new("gzip");
    let compressed = output_of(gzip.arg("-9c"), &all).stdout;
    assert!((1..=30 * 1024).contains(&compressed.len()), "{} bytes", compressed.len());
    let elsewhere = all.replace("http://www.w3.org/2000/svg", "");
    assert!(!elsewhere.contains("http://") && !elsewhere.contains("https://"));
    for risk in ["innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval("] {
        assert!(!all.contains(risk), "{risk}");
    }
}

#[test]
fn a_form_signs_in_without_javascript() {
    let (gateway, upstream) = start("");
    let signed_in = submit(&gateway, &["Origin: http://gateway.test"], &right());
    let location = |answer: &Answer| answer.header("location").unwrap_or_default().to_owned();
    assert_eq!((signed_in.status, &*location(&signed_in)), (303, "/gateway/?lang=en"));
    let session = signed_in.cookie();
    let set = signed_in.header("set-cookie").unwrap();
    assert!(set.ends_with("; Path=/api/; HttpOnly; SameSite=Strict"), "{set}");
    let me = gateway.connect().send(&get("/api/v2/me", &[&cookie(&session)]));
    assert_eq!(me.json()["name"], "ada");
    // A cookie that comes along is not adopted.
    let again = submit(&gateway, &[&cookie(&session)], &(right() + "&return_to=%2Forgs%2F1"));
    assert_eq!(&*location(&again), "/orgs/1");
    assert_ne!(again.cookie(), session);
    assert_eq!(gateway.audited(2)[1]["event"], "signed_in");
    assert!(upstream.saw_nothing());
}

#[test]
fn a_refusal_is_the_page_again_and_counts_as_at_the_other_door() {
    let (gateway, _upstream) = start("[signin]\nfailures = 3\n");
    let name = "%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E";
    let refused = submit(&gateway, &[], &format!("name={name}&password=wrong+horse"));
    assert_eq!((refused.status, refused.header("set-cookie")), (401, None));
    assert!(refused.header("content-security-policy").is_some());
    assert!(refused.header("www-authenticate").is_none());
    let text = refused.text();
    assert!(text.contains("role=\"alert\">That user name and password do not fit together."));
    assert!(text.contains("&quot;&gt;&lt;script&gt;") && !text.contains("<script>alert"), "{text}");
    for _ in 0..3 {
        assert_eq!(submit(&gateway, &[], "name=ada&password=wrong+horse").status, 401);
    }
    let throttled = submit(&gateway, &["Accept-Language: de"], &right());
    assert_eq!(throttled.status, 429);
    assert!(throttled.header("retry-after").is_some());
    assert!(throttled.text().contains("<html lang=\"de\">"));
    let api = gateway.connect().send(&post("/api/v2/signin", &[&basic("ada", PASSWORD)]));
    assert_eq!(api.status, 429, "it is one throttle");
}

#[test]
fn what_is_no_form_of_the_page_signs_nobody_in() {
    let (gateway, upstream) = start("");
    for foreign in ["Sec-Fetch-Site: cross-site", "Origin: https://evil.test", "Origin: null"] {
        let answer = submit(&gateway, &[foreign], &right());
        assert_eq!((answer.status, answer.header("set-cookie")), (403, None), "{foreign}");
    }
    // In a URL a password would be logged.
    let url = format!("/gateway/signin?{}", right());
    let in_url = gateway.connect().send(&with_body("POST", &url, &[FORM], "name=ada"));
    assert_eq!(in_url.status, 401);
    let page = ask(&gateway, "?name=ada&password=in-a-url");
    assert!(!page.text().contains("in-a-url"));
    let plain = with_body("POST", "/gateway/signin", &["Content-Type: text/plain"], &right());
    assert_eq!(gateway.connect().send(&plain).status, 401);
    for fields in ["", "name=ada", "name=a:b&password=x", "name=%&password=x", "password=x"] {
        assert_eq!(submit(&gateway, &[], fields).status, 401, "{fields}");
    }
    assert!(upstream.saw_nothing());
}

#[test]
fn nobody_is_sent_to_another_site() {
    let (gateway, _upstream) = start("");
    for evil in [
        "%2F%2Fevil.test",
        "%2F%5Cevil.test",
        "%2F%252f%252fevil.test",
        "https%3Aevil.test",
        "https%3A%2F%2Fevil.test",
        "%2F%09%2Fevil.test",
        "%2F%0d%0aSet-Cookie:a=b",
        "%2F%40evil.test",
        "%2Fx%23y",
        "javascript%3Aalert(1)",
    ] {
        let answer = submit(&gateway, &[], &format!("{}&return_to={evil}", right()));
        assert_eq!((answer.status, answer.header("location")), (303, Some("/")), "{evil}");
        let page = ask(&gateway, &format!("?return_to={evil}")).text();
        assert!(page.contains("name=\"return_to\" value=\"/\""), "{evil}");
    }
}

#[test]
fn the_page_tells_strangers_nothing_about_anybody() {
    let (gateway, _upstream) = start("");
    let options = ask(&gateway, "options");
    let wanted = r#"{"password":true,"providers":[],"title":"Example \u003cCorp\u003e"}"#;
    assert_eq!(options.text(), wanted);
    let session = gateway.sign_in("ada");
    for file in FILES {
        let target = format!("/gateway/{file}");
        let known = gateway.connect().send(&get(&target, &[&cookie(&session)])).without_its_own();
        assert_eq!(known, ask(&gateway, file).without_its_own(), "{file}");
    }
    // The same for a name that there is and one that there is not.
    let refused = |name: &str| {
        submit(&gateway, &[], &format!("name={name}&password=wrong+horse")).text().replace(name, "")
    };
    assert_eq!(refused("bob"), refused("eve"));
}
