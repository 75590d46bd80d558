use std::process::Command;

use crate::own_sessions;
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
    let signin = gateway.connect().send(&request("PUT", "/gateway/signin", &[]));
    assert_eq!((signin.status, signin.header("allow")), (405, Some("GET, HEAD, POST")));
    // After a refusal, this is where the browser is.
    assert_eq!(ask(&gateway, "signin").text(), ask(&gateway, "").text());
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
        assert!(page.contains("href=\"/gateway/?lang=de&amp;return_to=/\""), "{evil}");
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

#[test]
fn the_page_may_be_elsewhere() {
    let upstream = Upstream::start();
    let config = "[page]\nenabled = true\npath = \"/my/account/\"\n[forward]\nui = true\n";
    let gateway = Gateway::start_with(upstream.address, config, &users(&["ada"]));
    let ask = |target: &str| gateway.connect().send(&get(target, &[]));
    for target in ["/my/account/", "/my/account"] {
        let page = ask(target);
        assert_eq!(page.status, 200);
        let text = page.text();
        for link in ["href=\"/my/account/app.css\"", "action=\"/my/account/signin?lang=en\""] {
            assert!(text.contains(link), "{text}");
        }
        assert!(!text.contains("/gateway/"), "{text}");
    }
    assert_eq!(ask("/my/account/app.js").status, 200);
    assert_eq!((ask("/gateway/").status, ask("/my/account/x").status), (404, 404));
    assert_eq!(ask("/gateway/health").status, 200);
    assert!(upstream.saw_nothing());
    let form = with_body("POST", "/my/account/signin", &[FORM], &right());
    let signed_in = gateway.connect().send(&form);
    assert_eq!(signed_in.header("location"), Some("/my/account/?lang=en"));
    // What is beside it is InfluxDB's.
    ask("/my/accounts");
    assert_eq!(upstream.next().line(), "GET /my/accounts HTTP/1.1");
}

#[test]
fn where_the_page_cannot_be_is_said() {
    let faults = |config: &str| {
        let folder = Gateway::prepare("http://127.0.0.1:1", config, &users(&["ada"]));
        let mut check = program();
        let check = check.args(["check", "--config"]).arg(folder.path().join("gateway.toml"));
        let output = output_of(check, "");
        assert!(!output.status.success(), "{config}");
        String::from_utf8(output.stderr).unwrap()
    };
    let api = faults("[page]\npath = \"/api/v2/page/\"\n");
    let wanted = "page.path: \"/api/v2/page/\" is, or may be, part of an API of InfluxDB's; write \
                  for example \"/account/\"";
    assert!(api.contains(wanted), "{api}");
    let taken = faults("[page]\nenabled = true\npath = \"/ping/\"\n");
    assert!(taken.contains("forward.public: \"/ping\" is the gateway's own page"), "{taken}");
}

/// A picture of one pixel.
const PNG: &[u8] =
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89\
    \0\0\0\rIDATx\x9cc\xf8\xcf\xc0\xf0\x1f\0\x05\0\x01\xff\x89\x99=\x1d\0\0\0\0IEND\xaeB`\x82";

/// A picture that would like to be a program.
const SVG: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\" onload=\"alert(1)\" viewBox=\"0 0 9 9\">\
                   <script>alert(2)</script><path d=\"M0 0h9v9z\"/></svg>";

/// A gateway whose page has a logo of this content, or what is said of it.
fn with_logo(content: &[u8]) -> Result<Gateway, String> {
    let upstream = Upstream::start();
    let config = "[page]\nenabled = true\nlogo = \"logo\"\n";
    let url = format!("http://{}", upstream.address);
    let folder = Gateway::prepare(&url, config, &users(&["ada"]));
    std::fs::write(folder.path().join("logo"), content).unwrap();
    let mut check = program();
    let check = check.args(["check", "--config"]).arg(folder.path().join("gateway.toml"));
    let output = output_of(check, "");
    if !output.status.success() {
        return Err(String::from_utf8(output.stderr).unwrap());
    }
    Ok(Gateway::start_in(folder))
}

#[test]
fn a_logo_is_a_picture_and_no_program() {
    for (content, kind) in [(PNG, "image/png"), (SVG.as_bytes(), "image/svg+xml")] {
        let gateway = with_logo(content).unwrap();
        assert!(ask(&gateway, "").text().contains("src=\"/gateway/logo\""));
        let logo = ask(&gateway, "logo");
        assert_eq!((logo.status, logo.header("content-type")), (200, Some(kind)));
        assert_eq!(logo.body, content);
        assert_eq!(logo.header("x-content-type-options"), Some("nosniff"));
        let policy = logo.header("content-security-policy").unwrap();
        assert!(policy.contains("default-src 'none'") && policy.ends_with("; sandbox"), "{policy}");
        assert!(!policy.contains("script"), "{policy}");
    }
    let (without, _upstream) = start("");
    assert_eq!(ask(&without, "logo").status, 404);
}

#[test]
fn what_is_no_logo_is_told_at_the_start() {
    let long = vec![0xff; 65_537];
    for (content, fault) in [
        (&b"<html><script>"[..], "logo: expected a picture: PNG, JPEG, WebP or SVG in UTF-8"),
        (&long, "logo: expected at most 65536 bytes, found 65537; make it smaller"),
    ] {
        let told = with_logo(content).err().unwrap();
        assert!(told.contains(fault) && told.contains("gateway.toml:7: page.logo: "), "{told}");
    }
}

/// Where one's own sessions are without JavaScript.
const OWN: &str = "/api/v2/me/page";

/// Presses the button of this name and value, as whoever has `session`.
fn press(gateway: &Gateway, session: &str, headers: &[&str], button: &str) -> Answer {
    let session = cookie(session);
    let headers = [&[FORM, &*session], headers].concat();
    gateway.connect().send(&with_body("POST", OWN, &headers, button))
}

#[test]
fn sessions_are_listed_and_ended_without_javascript() {
    let (gateway, upstream) = start("");
    let plain = submit(&gateway, &[], &(right() + "&plain=1"));
    assert_eq!(plain.header("location"), Some("/api/v2/me/page?lang=en"));
    let this = plain.cookie();
    let [second, third, fourth] = std::array::from_fn(|_| gateway.sign_in("ada"));
    let page = gateway.connect().send(&get(OWN, &[&cookie(&this)]));
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert_eq!(page.header("cache-control"), Some("no-store"));
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    let text = page.text();
    let list = text.split("<template").next().unwrap();
    assert_eq!((list.matches("<h2>").count(), list.matches(">End<").count()), (4, 4), "{list}");
    let one = own_sessions::fingerprint(&gateway, &second);
    assert!(list.contains(&format!("name=\"end\" value=\"{one}\"")), "{list}");

    let location = |answer: &Answer| answer.header("location").unwrap_or_default().to_owned();
    let ended = press(&gateway, &this, &["Origin: http://gateway.test"], &format!("end={one}"));
    assert_eq!((ended.status, &*location(&ended)), (303, "/api/v2/me/page?lang=en&said=ended"));
    assert!(!own_sessions::lives(&gateway, &second) && own_sessions::lives(&gateway, &third));
    let others = press(&gateway, &this, &["Accept-Language: de"], "others=1");
    assert_eq!(location(&others), "/api/v2/me/page?lang=de&said=othersEnded");
    assert!(!own_sessions::lives(&gateway, &third) && !own_sessions::lives(&gateway, &fourth));
    assert!(own_sessions::lives(&gateway, &this));
    let signed_out = press(&gateway, &this, &[], "signout=1");
    assert_eq!(location(&signed_out), "/gateway/?lang=en&said=signedOut");
    assert!(signed_out.header("set-cookie").unwrap().contains("Max-Age=0"));
    assert!(!own_sessions::lives(&gateway, &this));
    let said = ask(&gateway, "?lang=en&said=signedOut").text();
    assert!(said.contains("role=\"status\">You are signed out.<"), "{said}");
    let made_up = ask(&gateway, "?lang=en&said=wrong").text();
    assert!(made_up.contains("role=\"status\"></p>"), "{made_up}");
    assert!(upstream.saw_nothing());
}

#[test]
fn nothing_is_ended_for_pages_of_other_sites_or_for_nobody() {
    let (gateway, upstream) = start("");
    let (this, other) = (gateway.sign_in("ada"), gateway.sign_in("ada"));
    let bob = gateway.sign_in("bob");
    let one = own_sessions::fingerprint(&gateway, &other);
    let buttons = [format!("end={one}"), "others=1".to_owned(), "signout=1".to_owned()];
    for button in &buttons {
        for foreign in ["Sec-Fetch-Site: cross-site", "Origin: https://evil.test", "Origin: null"] {
            assert_eq!(
                press(&gateway, &this, &[foreign], button).status,
                403,
                "{button} {foreign}"
            );
        }
        let token = ["Authorization: Token of-somebody"];
        let by_token = press(&gateway, &this, &token, button);
        assert!(by_token.status == 403 || button == "signout=1", "{button} {by_token:?}");
        let other_cookie = cookie(&other);
        let plain = ["Content-Type: text/plain", &*other_cookie];
        assert_eq!(gateway.connect().send(&with_body("POST", OWN, &plain, button)).status, 200);
        let nobody = press(&gateway, "influxdb-oss-session=", &[], button);
        assert_eq!((nobody.status, nobody.header("location")), (303, Some("/gateway/?lang=en")));
    }
    // Somebody else's is not there.
    press(&gateway, &bob, &[], &buttons[0]);
    assert!(own_sessions::lives(&gateway, &other) && own_sessions::lives(&gateway, &bob));
    let nobody = gateway.connect().send(&get(OWN, &[]));
    assert_eq!((nobody.status, nobody.header("location")), (303, Some("/gateway/?lang=en")));
    assert!(upstream.saw_nothing());
    let off = Gateway::start(upstream.address);
    let session = off.sign_in("ada");
    assert_eq!(off.connect().send(&get(OWN, &[&cookie(&session)])).status, 404);
}
