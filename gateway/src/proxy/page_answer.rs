//! Answers of InfluxDB's own pages, where they are for who has a session: what is said in them of where they are, and of
//! who may keep them.

use http::header::{CACHE_CONTROL, LOCATION};
use http::{HeaderMap, HeaderName, HeaderValue};
use pingora::http::ResponseHeader;

use super::upstream::Upstream;

/// What other caches than the browser's go by.
const FOR_CACHES: [HeaderName; 2] =
    [HeaderName::from_static("cdn-cache-control"), HeaderName::from_static("surrogate-control")];

/// For an answer that says nothing of it: what is kept is asked for again, and so is not seen after a sign-out.
const UNKNOWN: &str = "private, no-cache";

/// Changes the `response` of `server`.
pub fn adapt(response: &mut ResponseHeader, server: &Upstream) -> pingora::Result<()> {
    let place = response.headers.get(LOCATION).and_then(|to| here(to, server.authority()));
    if let Some(place) = place {
        response.insert_header(LOCATION, place)?;
    }
    for name in &FOR_CACHES {
        response.remove_header(name);
    }
    let private = private(&response.headers);
    response.insert_header(CACHE_CONTROL, private)
}

/// The same place as browsers know it, if `to` is one of the server's own, which they do not. `None`: it stays.
fn here(to: &HeaderValue, authority: &HeaderValue) -> Option<String> {
    let (to, authority) = (to.to_str().ok()?, authority.to_str().ok()?);
    let lower = to.to_ascii_lowercase();
    let scheme = ["http://", "https://", "//"].into_iter().find(|it| lower.starts_with(it))?;
    let rest = &to[scheme.len()..];
    let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
    let (host, path) = rest.split_at(end);
    let port = if scheme == "https://" { ":443" } else { ":80" };
    let bare = |text: &str| text.strip_suffix(port).unwrap_or(text).to_ascii_lowercase();
    // What begins with two slashes would be another site's.
    let path = path.trim_start_matches(['/', '\\', '\t']);
    (bare(host) == bare(authority)).then(|| format!("/{path}"))
}

/// `Cache-Control` of an answer that is for one user only.
fn private(headers: &HeaderMap) -> String {
    let lines = headers.get_all(CACHE_CONTROL).iter().map(HeaderValue::to_str);
    let said = lines.collect::<Result<Vec<_>, _>>().unwrap_or_default().join(",");
    // A comma in quotes would be no end.
    if said.trim().is_empty() || said.contains('"') {
        return UNKNOWN.to_owned();
    }
    let is_kept = |word: &&str| {
        let name = word.split('=').next().unwrap_or_default().trim().to_ascii_lowercase();
        !["", "public", "private", "s-maxage", "proxy-revalidate"].contains(&&*name)
    };
    let kept = said.split(',').map(str::trim).filter(is_kept);
    ["private"].into_iter().chain(kept).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_servers_own_places_are_here() {
        let of = |to: &str, authority: &'static str| {
            here(&HeaderValue::from_str(to).unwrap(), &HeaderValue::from_static(authority))
        };
        for (to, expected) in [
            ("http://explorer:8080/login?next=/x#y", "/login?next=/x#y"),
            ("HTTP://Explorer:8080/", "/"),
            ("https://explorer:8080", "/"),
            ("//explorer:8080/a", "/a"),
            ("http://explorer:8080?a=b", "/?a=b"),
            ("http://explorer:8080//evil.test/", "/evil.test/"),
            ("http://explorer:8080/\\evil.test/", "/evil.test/"),
            ("http://explorer:8080\\\\evil.test/", "/evil.test/"),
            ("http://explorer:8080/\t/evil.test/", "/evil.test/"),
        ] {
            assert_eq!(of(to, "explorer:8080").as_deref(), Some(expected), "{to}");
        }
        assert_eq!(of("http://explorer/a", "explorer:80").as_deref(), Some("/a"));
        assert_eq!(of("https://explorer:443/a", "explorer").as_deref(), Some("/a"));
        for others in [
            "/login",
            "login",
            "",
            "http://explorer:8081/",
            "http://explorer:8080.evil.test/",
            "http://explorer:8080@evil.test/",
            "http://a@explorer:8080/",
            "https://idp.test/authorize",
            "mailto:x@explorer:8080",
        ] {
            assert_eq!(of(others, "explorer:8080"), None, "{others}");
        }
    }

    #[test]
    fn no_cache_on_the_way_keeps_a_page() {
        for (said, expected) in [
            (&[][..], UNKNOWN),
            (&[""], UNKNOWN),
            (&["public, max-age=31536000, immutable"], "private, max-age=31536000, immutable"),
            (&["Public", "S-MaxAge=60, max-age=1"], "private, max-age=1"),
            (&["no-store"], "private, no-store"),
            (&["private=\"a, public\""], UNKNOWN),
            (&["private, proxy-revalidate"], "private"),
        ] {
            let headers = said.iter().map(|it| (CACHE_CONTROL, HeaderValue::from_static(it)));
            assert_eq!(private(&headers.collect()), expected, "{said:?}");
        }
    }

    proptest! {
        /// Whatever a server says of where to go, a browser that is sent elsewhere than the server said stays on this site.
        #[test]
        fn a_place_that_is_changed_is_here(
            to in "(http|HTTPS)://(explorer|Explorer|evil):8080[/\\\\?#:@a\t%.]{0,5}",
        ) {
            let authority = HeaderValue::from_static("explorer:8080");
            let here = HeaderValue::from_str(&to).ok().and_then(|to| here(&to, &authority));
            if let Some(place) = here {
                let second = place[1..].chars().next();
                prop_assert!(place.starts_with('/'), "{to:?} {place:?}");
                prop_assert!(!matches!(second, Some('/' | '\\' | '\t')), "{to:?} {place:?}");
            }
        }

        /// Whatever is said of keeping it, no cache but the browser's may.
        #[test]
        fn an_answer_is_always_private(said in "[a-z=0-9, \"-]{0,30}(public|Public|s-maxage=1)?[, ]{0,2}[a-z=]{0,9}") {
            let headers = HeaderMap::from_iter([(CACHE_CONTROL, HeaderValue::from_str(&said).unwrap())]);
            let private = private(&headers);
            prop_assert!(private.starts_with("private"), "{said:?} {private:?}");
            let mut names = private.split(',').map(|word| word.split('=').next().unwrap().trim());
            let is_for_others = |name: &str| {
                ["public", "s-maxage"].iter().any(|it| name.eq_ignore_ascii_case(it))
            };
            prop_assert!(!names.any(is_for_others), "{said:?} {private:?}");
        }
    }
}
