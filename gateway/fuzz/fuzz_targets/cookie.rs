//! Cookies: the session's is found, or taken out, and the others stay.
#![no_main]

use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};
use influx_gateway::internals::{CookieRules, SameSite, Secure, SessionToken, cookie};
use libfuzzer_sys::fuzz_target;

const NAME: &str = "s";

// Each line is one header.
fuzz_target!(|bytes: &[u8]| {
    let rules = CookieRules {
        name: NAME.to_owned(),
        path: "/".to_owned(),
        secure: Secure::Auto,
        same_site: SameSite::Lax,
        hints: false,
    };
    let lines =
        bytes.split(|&byte| byte == b'\n').filter_map(|line| HeaderValue::from_bytes(line).ok());
    let headers: HeaderMap = lines.map(|line| (COOKIE, line)).collect();
    if let Some(token) = rules.token(&headers) {
        assert!(headers.values().any(|line| cookie::holds(line.as_bytes(), is_session)));
        let set = rules.set(&token, true);
        let pair = set.as_bytes().split(|&byte| byte == b';').next().expect("name and value");
        let written =
            HeaderMap::from_iter([(COOKIE, HeaderValue::from_bytes(pair).expect("a header"))]);
        let again = rules.token(&written).expect("what was written is read again");
        assert!(again.id() == token.id());
        assert!(
            SessionToken::parse(token.text().as_bytes())
                .is_some_and(|read| read.id() == token.id())
        );
    }
    let mut rest = HeaderMap::new();
    for line in headers.values() {
        let kept = cookie::without(line.as_bytes(), is_session);
        let kept = kept.as_deref().unwrap_or_default();
        assert!(!cookie::holds(kept, is_session), "the session's cookie is still there");
        assert_eq!(cookie::without(kept, is_session).unwrap_or_default(), kept, "taken out twice");
        assert_eq!(names(kept), names(line.as_bytes()), "other cookies");
        rest.append(COOKIE, HeaderValue::from_bytes(kept).expect("part of a header"));
    }
    assert!(rules.token(&rest).is_none());
});

fn is_session(name: &[u8]) -> bool {
    name == NAME.as_bytes()
}

/// The names of the cookies in `line` but for the session's.
fn names(line: &[u8]) -> Vec<&[u8]> {
    let members = line.split(|&byte| byte == b';').map(<[u8]>::trim_ascii);
    members
        .map(|member| member.split(|&byte| byte == b'=').next().unwrap_or_default().trim_ascii())
        .filter(|name| *name != NAME.as_bytes() && !name.is_empty())
        .collect()
}
