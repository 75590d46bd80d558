//! Browsers on their way to InfluxDB's own pages that are to see the gateway's first.

use http::header::ACCEPT;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method};

use super::page::sent_on;
use super::policy::Policy;
use crate::api::Response;
use crate::api::form::{encoded, field, landing};
use crate::api::page::Page;
use crate::api::route::Ui;
use crate::api::session_cookies::is_hinted;

const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// Where a provider signs users in, a browser that opens InfluxDB's `/signin`, or its `/` without a session, is sent to the
/// page. `None`: it goes on.
pub fn to_page(policy: &Policy, head: &Parts) -> Option<Response> {
    let page = policy.page.as_deref().filter(|page| !page.providers.is_empty())?;
    let to = (policy.forwarding.ui == Ui::Everybody).then(|| instead(page, head)).flatten()?;
    Some(sent_on(Response::default(), &to))
}

/// Where pages are for who has a session, a browser that opens one without is sent to the gateway's own, and back to
/// what it wanted. `None`: there is no such page, or no browser opens one.
pub fn to_sign_in(policy: &Policy, head: &Parts) -> Option<Response> {
    let page = policy.page.as_deref().filter(|_| is_navigation(head))?;
    let wanted = match head.uri.path() {
        // InfluxDB 2 sends there who is not signed in.
        "/signin" => field(head.uri.query().unwrap_or_default().as_bytes(), "returnTo"),
        _ => None,
    };
    let wanted = wanted.as_ref().map_or_else(
        || head.uri.path_and_query().map_or("/", |wanted| wanted.as_str()),
        |wanted| std::str::from_utf8(wanted).unwrap_or_default(),
    );
    let return_to = landing(wanted.as_bytes());
    let return_to = if return_to.starts_with("/signin") { "/" } else { return_to };
    Some(sent_on(Response::default(), &format!("{}?return_to={}", page.path, encoded(return_to))))
}

/// Whether a browser opens this in a tab: by its own word. Over plain HTTP, and if it is old, it says nothing of the kind,
/// but that it wants HTML.
fn is_navigation(head: &Parts) -> bool {
    let says = |name, wanted: &str| head.headers.get(name).is_some_and(|value| value == wanted);
    let is_silent =
        || [SEC_FETCH_MODE, SEC_FETCH_DEST].iter().all(|name| !head.headers.contains_key(name));
    let wants_html = |accept: &HeaderValue| accept.as_bytes().starts_with(b"text/html");
    let is_opened = says(SEC_FETCH_MODE, "navigate") && says(SEC_FETCH_DEST, "document");
    let is_html = || is_silent() && head.headers.get(ACCEPT).is_some_and(wants_html);
    head.method == Method::GET && (is_opened || is_html())
}

/// Where a request for a page of InfluxDB's is to go instead.
///
/// Only what a browser opens in a tab, by its own word: what the UI fetches by itself is answered as ever. Whether there is
/// a session, the hint says. It may be wrong: then the UI shows its own form, and whoever reloads that comes here.
fn instead(page: &Page, head: &Parts) -> Option<String> {
    let is_opened = is_navigation(head);
    let query = head.uri.query().unwrap_or_default();
    let return_to = match head.uri.path() {
        "/signin" if is_opened => field(query.as_bytes(), "returnTo"),
        "/" if is_opened && !is_hinted(&head.headers) => None,
        _ => return None,
    };
    let return_to = return_to.as_deref().map_or("/", |wanted| landing(wanted));
    // From there it would lead here again.
    let return_to = if return_to.starts_with("/signin") { "/" } else { return_to };
    Some(format!("{}?return_to={}", page.path, encoded(return_to)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_opened_without_a_session_is_the_page() {
        let path = "/gateway/".to_owned();
        let (title, providers) = ("x".to_owned(), Vec::new());
        let page = Page { title, path, logo: None, ui: true, passwords: true, providers };
        let to = |line: &str, headers: &[(&str, &str)]| {
            let (method, target) = line.split_once(' ').unwrap();
            let mut request = http::Request::builder().method(method).uri(target);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            instead(&page, &request.body(()).unwrap().into_parts().0)
        };
        let opened = [("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
        let hint = ("cookie", "a=b; influx-gateway-signed-in=1");
        let hinted = [opened[0], opened[1], hint];
        let html = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
        let home = Some("/gateway/?return_to=/".to_owned());
        // Some browsers say it by what they accept alone.
        for headers in [&opened[..], &[html]] {
            assert_eq!(to("GET /", headers), home);
            assert_eq!(to("GET /", &[headers, &[hint]].concat()), None);
        }
        for headers in [&opened[..], &hinted, &[html], &[html, hint]] {
            assert_eq!(to("GET /signin", headers), home);
            let there = Some("/gateway/?return_to=/orgs/1%3Fa%3Db".to_owned());
            assert_eq!(to("GET /signin?returnTo=%2Forgs%2F1%3Fa%3Db", headers), there);
            for evil in ["//evil.test", "/signin", "/signin?returnTo=/", "https://evil.test"] {
                assert_eq!(to(&format!("GET /signin?returnTo={evil}"), headers), home, "{evil}");
            }
        }
        for line in ["GET /orgs/1", "GET /signin/x", "GET /signinx", "HEAD /", "GET /api/v2/me"] {
            assert_eq!(to(line, &opened), None, "{line}");
        }
        for headers in [
            &[][..],
            &opened[..1],
            &opened[1..],
            &[("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty")],
            &[("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")],
            &[("accept", "*/*")],
            &[("accept", "application/json, text/html")],
            &[("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty"), html],
        ] {
            assert_eq!((to("GET /", headers), to("GET /signin", headers)), (None, None));
        }
    }
}
