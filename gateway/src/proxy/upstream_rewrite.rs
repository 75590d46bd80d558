//! Rewrites a forwarded request: adds the user's name and the credential, removes what clients may not
//! send. Removes from the response what concerns the gateway alone.

use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, COOKIE, HOST, SET_COOKIE, TRANSFER_ENCODING,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue};
use pingora::http::ResponseHeader;

use crate::api::cookie::{self, CookieRules};
use crate::api::forward::Forward;
use crate::api::identity::IdentityHeaders;
use crate::api::own_cookies::is_own;
use crate::api::{compatible, route};
use crate::auth::credential::{Shared, UpstreamCredential};
use crate::gateway::client_info::ClientInfo;
use crate::gateway::request_id::X_REQUEST_ID;

/// The rules by which a request is prepared for the upstream.
pub struct UpstreamRewrite<'a> {
    /// The headers that carry the user.
    pub headers: &'a IdentityHeaders,
    /// What the session's cookie is called: it and the gateway's others must not go upstream.
    pub cookie: &'a CookieRules,
    /// The token for users who have none of their own.
    pub shared: &'a Shared,
    /// The upstream's own host and port.
    pub authority: &'a HeaderValue,
}

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const HTTP: HeaderValue = HeaderValue::from_static("http");
const HTTPS: HeaderValue = HeaderValue::from_static("https");

/// So many headers are set at most.
const SET: usize = 8;

impl UpstreamRewrite<'_> {
    /// Rewrites `request`, the upstream's copy.
    ///
    /// Pingora has removed hop-by-hop headers, and those that `Connection` names, by now: a
    /// client can no longer have the identity removed on the way.
    pub fn apply(&self, request: &mut Parts, forward: &Forward, client: &ClientInfo) {
        if let (Some(_), Some(path)) = (request.uri.authority(), request.uri.path_and_query()) {
            // Of HTTP/2, or of the absolute form: the authority is the gateway's.
            request.uri = path.clone().into();
        }
        if forward.gateway_token().is_some() && route::is_compatible(request.uri.path()) {
            request.uri = compatible::without_credentials(&request.uri);
        }
        let headers = &mut request.headers;
        headers.reserve(SET);
        self.remove_forbidden(headers);
        self.set_credential(headers, forward);
        if let Some(user) = forward.user().filter(|_| !forward.is_apart()) {
            headers.insert(self.headers.name.clone(), user.name.header_value());
            if let Some(header) = &self.headers.id {
                headers.insert(header.clone(), user.id.header_value());
            }
        }
        if let Some(host) = &client.host {
            headers.insert(X_FORWARDED_HOST, host.clone());
        }
        headers.insert(HOST, self.authority.clone());
        headers.insert(X_FORWARDED_FOR, client.forwarded_for.clone());
        headers.insert(X_FORWARDED_PROTO, if client.over_tls { HTTPS } else { HTTP });
        headers.insert(X_REQUEST_ID, client.request_id.header_value());
    }

    /// Rewrites `response`, the upstream's: removes what is of this hop only (RFC 9110 section
    /// 7.6.1), the identity should it be echoed, and any cookie that is the gateway's to set.
    pub fn clear(&self, response: &mut ResponseHeader) -> pingora::Result<()> {
        let nominated = nominated(&response.headers);
        let is_gone = |name: &&HeaderName| {
            is_of_one_hop(name.as_str())
                || **name == self.headers.name
                || Some(*name) == self.headers.id.as_ref()
                || nominated.contains(name)
        };
        let gone: Vec<_> = response.headers.keys().filter(is_gone).cloned().collect();
        for name in &gone {
            response.remove_header(name);
        }
        let set = response.headers.get_all(SET_COOKIE);
        let is_ours = |line: &&HeaderValue| is_own(cookie::name_of(line.as_bytes()), self.cookie);
        if set.iter().any(|line| is_ours(&line)) {
            let rest: Vec<_> = set.iter().filter(|line| !is_ours(line)).cloned().collect();
            response.remove_header(&SET_COOKIE);
            for line in rest {
                response.append_header(SET_COOKIE, line)?;
            }
        }
        Ok(())
    }

    fn remove_forbidden(&self, headers: &mut HeaderMap) {
        let forbidden: Vec<HeaderName> =
            headers.keys().filter(|name| self.headers.forbids(name)).cloned().collect();
        for name in forbidden {
            headers.remove(name);
        }
    }

    fn set_credential(&self, headers: &mut HeaderMap, forward: &Forward) {
        let own = |name: &[u8]| is_own(name, self.cookie);
        match forward.upstream_credential(self.shared) {
            UpstreamCredential::AsItCame => {
                keep_first_authorization(headers);
                remove_cookies(headers, own);
            }
            UpstreamCredential::Nothing => {
                headers.remove(AUTHORIZATION);
                remove_cookies(headers, own);
            }
            UpstreamCredential::Token(token) => {
                headers.insert(AUTHORIZATION, token);
                remove_cookies(headers, own);
            }
            UpstreamCredential::Cookie { cookie, keeps_authorization } => {
                if keeps_authorization {
                    keep_first_authorization(headers);
                } else {
                    headers.remove(AUTHORIZATION);
                }
                // One cookie of InfluxDB's name, ours: it reads the first.
                let name = cookie::name_of(cookie.as_bytes());
                remove_cookies(headers, |other| other == name || own(other));
                headers.append(COOKIE, cookie);
            }
        }
    }
}

/// The headers that `Connection` names, which are of this hop only; but for the framing, which is nobody's to name.
pub(super) fn nominated(headers: &HeaderMap) -> Vec<HeaderName> {
    let values = headers.get_all(CONNECTION).iter().filter(|value| !is_of_the_connection(value));
    let words = values.flat_map(|value| value.as_bytes().split(|&byte| byte == b','));
    words
        .filter_map(|word| HeaderName::from_bytes(word.trim_ascii()).ok())
        .filter(|name| *name != CONTENT_LENGTH && *name != TRANSFER_ENCODING)
        .collect()
}

/// What says nothing but whether the connection stays: no header's name.
fn is_of_the_connection(value: &HeaderValue) -> bool {
    value == "keep-alive" || value == "close"
}

/// Headers of one hop. The framing and `Connection` itself are Pingora's business.
fn is_of_one_hop(name: &str) -> bool {
    matches!(
        name,
        "keep-alive" | "proxy-authenticate" | "proxy-connection" | "te" | "trailer" | "upgrade"
    )
}

/// The first `Authorization` decided who asks; an upstream must not go by another.
fn keep_first_authorization(headers: &mut HeaderMap) {
    let mut all = headers.get_all(AUTHORIZATION).iter();
    if let (Some(first), Some(_second)) = (all.next().cloned(), all.next()) {
        headers.insert(AUTHORIZATION, first);
    }
}

/// Takes cookies whose name `is_gone` out of each `Cookie` header; others stay byte for byte.
fn remove_cookies(headers: &mut HeaderMap, is_gone: impl Fn(&[u8]) -> bool) {
    let lines = headers.get_all(COOKIE);
    if !lines.iter().any(|line| cookie::holds(line.as_bytes(), &is_gone)) {
        return;
    }
    let rest: Vec<_> =
        lines.iter().filter_map(|line| cookie::without(line.as_bytes(), &is_gone)).collect();
    headers.remove(COOKIE);
    for line in rest {
        headers.append(COOKIE, line.try_into().expect("what is left of a value is one"));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::api::forward::Visit;
    use crate::api::route::tests::A_PUBLIC_ROUTE;
    use crate::auth::credential::Caller;
    use crate::clock::Moment;
    use crate::gateway::client_info::TrustedProxies;
    use crate::session::Session;
    use crate::session::token::SessionToken;
    use crate::user::secret::{ApiToken, Scheme};
    use crate::user::tests::user;

    /// Has `rewrite` used with some rules.
    fn with_rewrite(rewrite: impl FnOnce(UpstreamRewrite<'_>)) {
        let id = HeaderName::from_static("x-forwarded-user-id");
        rewrite(UpstreamRewrite {
            headers: &IdentityHeaders::new(
                HeaderName::from_static("x-forwarded-user"),
                Some(id),
                &[],
            ),
            cookie: &cookie::tests::rules(),
            shared: &Shared::new(Some(ApiToken::parse("shared").unwrap()), Scheme::Token),
            authority: &HeaderValue::from_static("upstream:8086"),
        });
    }

    /// A name that is, or is nearly, one that only the gateway may set; or any other.
    fn name() -> impl Strategy<Value = String> {
        prop_oneof![
            "[Xx][-_.][Ff][Oo]rwarded[-_.][Uu]ser([-_.][Ii][Dd])?",
            "X-Forwarded-(For|Proto|Host)|Forwarded|X.Real_IP",
            "Cookie|Authorization|Host|X-Request-Id",
            "[A-Za-z][A-Za-z0-9_.-]{0,12}",
        ]
    }

    fn value() -> impl Strategy<Value = String> {
        prop_oneof![
            "eve|ada, eve|influxdb-oss-session=secret; a=1|a=1;influxdb-oss-session=\"secret\"",
            "influx-gateway-signed-in=1; influx-oidc-0123abcd=x",
            "(Token|Basic|Bearer) secret|[ -~]{0,20}",
        ]
    }

    proptest! {
        /// Whatever headers come in, one identity goes out, and no secret of the edge.
        #[test]
        fn header_soup(soup in proptest::collection::vec((name(), value()), 0..20), who in 0..4) {
            let (mut request, ()) = http::Request::post("/api/v2/write").body(()).unwrap().into_parts();
            for (name, value) in soup {
                if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse()) {
                    request.headers.append(name, value);
                }
            }
            let id = SessionToken::generate().id();
            let session = || Session::start(id, Arc::new(user("ada")), None, Moment::START);
            let forward = match who {
                0 => Forward::on_behalf_of(Caller::Session(Arc::new(session()))),
                1 => Forward::on_behalf_of(Caller::Token(None)),
                2 => {
                    let visit = Visit { is_apart: true, is_websocket: false };
                    Forward::to_page(Caller::Session(Arc::new(session())), visit)
                }
                _ => Forward::public(A_PUBLIC_ROUTE, true),
            };
            let peer = "1.2.3.4".parse().ok();
            let client = TrustedProxies::default().client_info(peer, false, &request.headers);
            with_rewrite(|rewrite| rewrite.apply(&mut request, &forward, &client));

            let spelled = |wanted: &str| {
                let fold = |text: &str| text.replace(['_', '.'], "-");
                let alike = |(name, _): &(&HeaderName, _)| fold(name.as_str()) == wanted;
                let values = request.headers.iter().filter(alike);
                values.map(|(_, value)| value.to_str().unwrap().to_owned()).collect::<Vec<_>>()
            };
            let is_session = who == 0;
            let user = if is_session { vec!["ada".to_owned()] } else { Vec::new() };
            prop_assert_eq!(spelled("x-forwarded-user"), user);
            prop_assert_eq!(spelled("x-forwarded-user-id").len(), usize::from(is_session));
            prop_assert_eq!(spelled("x-forwarded-for"), ["1.2.3.4"]);
            prop_assert_eq!(spelled("x-forwarded-proto"), ["http"]);
            prop_assert_eq!(spelled("host"), ["upstream:8086"]);
            prop_assert!(spelled("forwarded").is_empty() && spelled("x-real-ip").is_empty());
            prop_assert_eq!(spelled("x-request-id").len(), 1);
            let cookies = spelled("cookie").join(";");
            prop_assert!(!cookies.contains("influxdb-oss-session="), "{}", cookies);
            prop_assert!(who != 2 || !cookies.contains("influx-"), "{}", cookies);
            let authorization = spelled("authorization");
            if is_session {
                prop_assert_eq!(authorization, ["Token shared"]);
            } else {
                prop_assert!(authorization.len() <= usize::from(who != 2));
            }
        }
    }
}
