//! Protection against cross-site requests (CSRF): those that would change something are refused.

use http::header::{HOST, ORIGIN};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::rejection::Rejection;

/// The origins, besides the gateway's own, whose pages may use a user's session.
#[derive(Clone, Debug, Default)]
pub struct AllowedOrigins(Vec<String>);

/// The header by which browsers say whether a request comes from a page of the same site.
pub const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

impl AllowedOrigins {
    /// These origins, each as a browser writes it: scheme, host, and port if it is not the usual.
    pub fn new(origins: Vec<String>) -> Self {
        Self(origins)
    }

    /// Whether there are none.
    pub fn are_none(&self) -> bool {
        self.0.is_empty()
    }

    /// The origin of a request, if it is one of these.
    pub fn allowed<'a>(&self, headers: &'a HeaderMap) -> Option<&'a HeaderValue> {
        let mut origins = headers.get_all(ORIGIN).iter();
        let origin = origins.next().filter(|_| origins.next().is_none())?;
        self.0.iter().any(|own| own.as_bytes() == origin.as_bytes()).then_some(origin)
    }

    /// Refuses a request that changes something, relies on the cookie or is a sign-in, and comes
    /// from a page of another site.
    ///
    /// Browsers say so in `Sec-Fetch-Site`, and know best: a proxy may have rewritten the host.
    /// Where they do not, over plain HTTP, `Origin` is compared with `host`, which is what the
    /// client asked for. What is no browser sends neither.
    pub fn check(
        &self,
        method: &Method,
        headers: &HeaderMap,
        host: Option<&HeaderValue>,
    ) -> Result<(), Rejection> {
        if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
            return Ok(());
        }
        self.check_page(headers, host, |site| site == "same-origin" || site == "none")
    }

    /// The same of a request for a WebSocket, which is a `GET`, and for which browsers ask no other server for leave:
    /// only a page of this site, by the browser's word or by `Origin`, may have one.
    ///
    /// Of the two, either is enough: some browsers say of a WebSocket that it comes from another site because its
    /// scheme is another. Of one that comes `over_tls`, no page has come over HTTP: that may be anybody's who is on the
    /// way.
    pub fn check_websocket(
        &self,
        headers: &HeaderMap,
        host: Option<&HeaderValue>,
        over_tls: bool,
    ) -> Result<(), Rejection> {
        let own = host.or_else(|| headers.get(HOST)).map(HeaderValue::as_bytes);
        let mut origins = headers.get_all(ORIGIN).iter();
        match (origins.next(), origins.next()) {
            (Some(origin), None) if is_of(origin.as_bytes(), own) => {
                let is_plain = !origin.as_bytes().to_ascii_lowercase().starts_with(b"https://");
                if is_plain && over_tls { Err(Rejection::CrossSite) } else { Ok(()) }
            }
            _ => self.check_page(headers, host, |site| site == "same-origin"),
        }
    }

    /// Refuses what a page of another site has sent. Whether it was one, `is_own` says by the browser's word.
    fn check_page(
        &self,
        headers: &HeaderMap,
        host: Option<&HeaderValue>,
        is_own: impl Fn(&HeaderValue) -> bool,
    ) -> Result<(), Rejection> {
        let mut origins = headers.get_all(ORIGIN).iter();
        let origin = origins.next();
        if origins.next().is_some() {
            // No browser sends two; of two, somebody else might believe the other.
            return Err(Rejection::CrossSite);
        }
        let mut sites = headers.get_all(SEC_FETCH_SITE).iter();
        let is_own = match (sites.next(), sites.next()) {
            (Some(site), None) => is_own(site),
            (Some(_), Some(_)) => false,
            (None, _) => {
                let host = host.or_else(|| headers.get(HOST)).map(HeaderValue::as_bytes);
                origin.is_none_or(|origin| is_of(origin.as_bytes(), host))
            }
        };
        if is_own || self.allowed(headers).is_some() { Ok(()) } else { Err(Rejection::CrossSite) }
    }
}

/// Whether `origin` is at `host`, the scheme's usual port being the same as none. `null` and other
/// oddities are nowhere.
fn is_of(origin: &[u8], host: Option<&[u8]>) -> bool {
    let origin = &origin.to_ascii_lowercase()[..];
    let schemes = [(&b"http://"[..], &b":80"[..]), (b"https://", b":443")];
    schemes.iter().any(|(scheme, port)| {
        let without_port = |host: &'_ [u8]| host.strip_suffix(*port).unwrap_or(host).to_vec();
        let own = host.map(|host| without_port(host).to_ascii_lowercase());
        origin.strip_prefix(*scheme).is_some_and(|origin| own == Some(without_port(origin)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderName;

    #[test]
    fn what_another_site_sends_is_refused_where_it_changes_something() {
        let own = AllowedOrigins::new(vec!["https://grafana.test".to_owned()]);
        let check = |method: &str, headers: &[(&'static str, &'static str)], fine: bool| {
            let header = |(name, text): &(&'static str, &'static str)| {
                (HeaderName::from_static(name), HeaderValue::from_static(text))
            };
            let headers: HeaderMap = headers.iter().map(header).collect();
            let checked = own.check(&method.parse().unwrap(), &headers, None);
            assert_eq!(checked.is_ok(), fine, "{method} {headers:?}");
        };
        let host = ("host", "gateway.test:8086");
        check("POST", &[host], true);
        check("POST", &[host, ("origin", "http://gateway.test:8086")], true);
        check("POST", &[host, ("origin", "https://gateway.test:8086")], true);
        check("POST", &[host, ("origin", "https://grafana.test")], true);
        check(
            "POST",
            &[host, ("origin", "https://grafana.test"), ("sec-fetch-site", "cross-site")],
            true,
        );
        check("POST", &[host, ("sec-fetch-site", "same-origin")], true);
        check("POST", &[host, ("sec-fetch-site", "none")], true);
        for site in ["none", "same-origin"] {
            check("POST", &[host, ("origin", "https://evil.test"), ("sec-fetch-site", site)], true);
        }
        for site in ["", "SAME-ORIGIN", "same-origin, none", "unheard-of"] {
            check("POST", &[host, ("sec-fetch-site", site)], false);
        }
        for foreign in [
            "https://evil.test",
            "http://gateway.test",
            "http://gateway.test:8086.evil",
            "null",
            "",
        ] {
            check("POST", &[host, ("origin", foreign)], false);
            check("DELETE", &[host, ("origin", foreign)], false);
            check("GET", &[host, ("origin", foreign)], true);
        }
        check("PUT", &[host, ("sec-fetch-site", "cross-site")], false);
        check("PATCH", &[host, ("sec-fetch-site", "same-site")], false);
        check("GET", &[host, ("sec-fetch-site", "cross-site")], true);
        check("POST", &[("host", "Site.test"), ("origin", "https://site.test:443")], true);
        check("POST", &[("host", "site.test:80"), ("origin", "http://site.test")], true);
        check("POST", &[("host", "site.test:443"), ("origin", "http://site.test")], false);
        check("POST", &[("origin", "http://site.test")], false);
    }

    #[test]
    fn a_websocket_is_for_pages_of_this_site_only() {
        let own = AllowedOrigins::new(vec!["https://grafana.test".to_owned()]);
        let check = |headers: &[(&'static str, &'static str)], fine: bool| {
            let header = |(name, text): &(&'static str, &'static str)| {
                (HeaderName::from_static(name), HeaderValue::from_static(text))
            };
            let headers: HeaderMap =
                headers.iter().chain(&[("host", "gateway.test:8086")]).map(header).collect();
            assert_eq!(own.check_websocket(&headers, None, false).is_ok(), fine, "{headers:?}");
        };
        let origin = ("origin", "http://gateway.test:8086");
        check(&[], true);
        check(&[origin], true);
        check(&[origin, ("sec-fetch-site", "cross-site")], true);
        check(&[("origin", "https://gateway.test:8086")], true);
        check(&[("origin", "https://grafana.test")], true);
        check(&[("origin", "https://evil.test"), ("sec-fetch-site", "same-origin")], true);
        check(&[("sec-fetch-site", "same-origin")], true);
        for site in ["none", "same-site", "cross-site", ""] {
            check(&[("sec-fetch-site", site)], false);
            check(&[("origin", "https://evil.test"), ("sec-fetch-site", site)], false);
        }
        for foreign in ["https://evil.test", "http://gateway.test", "null", "", "file://"] {
            check(&[("origin", foreign)], false);
        }
    }
}
