//! The cookies that come with a session, and go with it.
//!
//! Beside the session's own there is a hint, where providers sign users in. It has no authority: it decides which page a
//! browser is shown first. The session's own cannot do that: it is not sent for pages, nor after the way back from a
//! provider.

use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderValue};

use super::cookie::CookieRules;
use super::split::split;
use crate::session::token::SessionToken;

/// The name of the hint: 1 with a session, 0 for a while after a sign-out.
pub const HINT: &str = "influx-gateway-signed-in";

/// So long after a sign-out nobody is sent straight to a provider again, for it would sign them in again.
const AFTERWARDS: &str = "; Max-Age=300";

/// Puts the cookies of a new session into `answer`: the session's own first, for there are clients that know of one only.
pub fn hand_out(
    rules: &CookieRules,
    token: &SessionToken,
    (request, over_tls): (&HeaderMap, bool),
    answer: &mut HeaderMap,
) {
    answer.insert(SET_COOKIE, rules.set(token, over_tls));
    if let Some(deletion) = rules.delete_elsewhere(request, over_tls) {
        answer.append(SET_COOKIE, deletion);
    }
    remind(rules, (request, over_tls), answer);
}

/// Has the client forget the cookies of a session.
pub fn take_back(
    rules: &CookieRules,
    (request, over_tls): (&HeaderMap, bool),
    answer: &mut HeaderMap,
) {
    answer.insert(SET_COOKIE, rules.delete(over_tls));
    if let Some(deletion) = rules.delete_elsewhere(request, over_tls) {
        answer.append(SET_COOKIE, deletion);
    }
    if rules.hints {
        answer.append(SET_COOKIE, hint(rules, "0", AFTERWARDS, over_tls));
    }
}

/// Gives the hint to a client that has a session and no hint, if there are hints at all.
pub fn remind(
    rules: &CookieRules,
    (request, over_tls): (&HeaderMap, bool),
    answer: &mut HeaderMap,
) {
    if rules.hints && !is_hinted(request) {
        answer.append(SET_COOKIE, hint(rules, "1", "", over_tls));
    }
}

/// Whether a request brings the hint that there is a session.
pub fn is_hinted(request: &HeaderMap) -> bool {
    brings(request, "1")
}

/// Whether somebody has just signed out.
pub fn has_left(request: &HeaderMap) -> bool {
    brings(request, "0")
}

fn brings(request: &HeaderMap, wanted: &str) -> bool {
    let is_it = |member: &[u8]| {
        let value = member.trim_ascii().strip_prefix(HINT.as_bytes());
        value.and_then(|rest| rest.strip_prefix(b"=")) == Some(wanted.as_bytes())
    };
    request.get_all(COOKIE).iter().any(|line| split(line.as_bytes(), b';').any(is_it))
}

/// `Lax`: it is sent when a link of another site leads here, and on the way back from a provider.
fn hint(rules: &CookieRules, value: &str, age: &str, over_tls: bool) -> HeaderValue {
    let secure = if rules.is_secure(over_tls) { "; Secure" } else { "" };
    let text = format!("{HINT}={value}; Path=/{age}; HttpOnly{secure}; SameSite=Lax");
    HeaderValue::from_str(&text).expect("it is made of plain words")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::cookie::tests::rules;

    fn set(answer: &HeaderMap) -> Vec<&str> {
        answer.get_all(SET_COOKIE).iter().map(|value| value.to_str().unwrap()).collect()
    }

    #[test]
    fn a_hint_comes_and_goes_with_the_session_where_there_are_hints() {
        let hinting = CookieRules { hints: true, ..rules() };
        let (token, none) = (SessionToken::generate(), HeaderMap::new());
        let value = HeaderValue::from_static("a=b; influx-gateway-signed-in=1");
        let hinted = HeaderMap::from_iter([(COOKIE, value)]);
        let mut answer = HeaderMap::new();
        hand_out(&rules(), &token, (&none, false), &mut answer);
        assert_eq!(set(&answer).len(), 1);
        for (over_tls, secure) in [(false, ""), (true, "; Secure")] {
            let mut answer = HeaderMap::new();
            hand_out(&hinting, &token, (&none, over_tls), &mut answer);
            let hint =
                format!("influx-gateway-signed-in=1; Path=/; HttpOnly{secure}; SameSite=Lax");
            assert_eq!(set(&answer)[1..], [&*hint]);
        }
        let mut again = HeaderMap::new();
        hand_out(&hinting, &token, (&hinted, false), &mut again);
        assert_eq!(set(&again).len(), 1, "it is there");
        let mut gone = HeaderMap::new();
        take_back(&hinting, (&hinted, false), &mut gone);
        let left = "influx-gateway-signed-in=0; Path=/; Max-Age=300; HttpOnly; SameSite=Lax";
        assert_eq!(set(&gone)[1..], [left]);
        let value = HeaderValue::from_static("influx-gateway-signed-in=0;a=b");
        let left = HeaderMap::from_iter([(COOKIE, value)]);
        assert_eq!((is_hinted(&hinted), has_left(&hinted)), (true, false));
        assert_eq!((is_hinted(&left), has_left(&left)), (false, true));
    }
}
