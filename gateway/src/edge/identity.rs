//! What the upstream learns of who asks: forged headers out, the resolved user in.

use http::header::{AUTHORIZATION, COOKIE, HOST};
use http::{HeaderName, HeaderValue};
use pingora::http::RequestHeader;

use super::request_id::{RequestId, X_REQUEST_ID};
use crate::api::cookie::CookieRules;
use crate::api::identity::IdentityHeaders;
use crate::auth::credential::{Caller, UpstreamCredential};
use crate::user::secret::ApiToken;

/// The rules by which a request is prepared for the upstream.
pub struct Preparation {
    /// The headers that carry the user.
    pub headers: IdentityHeaders,
    /// The cookie that must not go upstream.
    pub cookie: CookieRules,
    /// The token for users who have none of their own.
    pub shared_token: Option<ApiToken>,
    /// The upstream's own host and port.
    pub authority: HeaderValue,
}

/// Where the request came from, as the gateway saw it.
pub struct Origin {
    /// The client's address.
    pub client: HeaderValue,
    /// Whether it came over TLS.
    pub over_tls: bool,
}

impl Preparation {
    /// Rewrites `request`, the upstream's copy.
    ///
    /// Pingora has removed hop-by-hop headers, and those that `Connection` names, by now: a
    /// client can no longer have the identity removed on the way.
    pub fn apply(
        &self,
        request: &mut RequestHeader,
        caller: &Caller,
        origin: &Origin,
        id: &RequestId,
    ) -> pingora::Result<()> {
        if !request.raw_path().starts_with(b"/") {
            // The absolute form of the target means the same as its path.
            let path = request.uri.path_and_query().map_or("/", |path| path.as_str());
            let path = path.parse().expect("the path of a URI is a URI");
            request.set_uri(path);
        }
        self.remove_forbidden(request);
        self.remove_session_cookie(request)?;
        match caller.upstream_credential(self.shared_token.as_ref()) {
            UpstreamCredential::Keep => {}
            UpstreamCredential::Remove => drop(request.remove_header(&AUTHORIZATION)),
            UpstreamCredential::Inject(value) => request.insert_header(AUTHORIZATION, value)?,
        }
        if let Some(session) = caller.session() {
            let user = session.user();
            request.insert_header(&self.headers.name, user.name.header_value())?;
            if let Some(header) = &self.headers.id {
                request.insert_header(header, user.id.to_string())?;
            }
        }
        if let Some(host) = request.headers.get(HOST).cloned() {
            request.insert_header("X-Forwarded-Host", host)?;
        }
        request.insert_header(HOST, &self.authority)?;
        request.insert_header("X-Forwarded-For", &origin.client)?;
        request
            .insert_header("X-Forwarded-Proto", if origin.over_tls { "https" } else { "http" })?;
        request.insert_header(X_REQUEST_ID, id.header_value())
    }

    fn remove_forbidden(&self, request: &mut RequestHeader) {
        let forbidden: Vec<HeaderName> =
            request.headers.keys().filter(|name| self.headers.forbids(name)).cloned().collect();
        for name in forbidden {
            request.remove_header(&name);
        }
    }

    /// Takes the session cookie out of each `Cookie` header; other cookies stay byte for byte.
    fn remove_session_cookie(&self, request: &mut RequestHeader) -> pingora::Result<()> {
        let lines = request.headers.get_all(COOKIE);
        if !lines.iter().any(|line| self.cookie.is_in(line.as_bytes())) {
            return Ok(());
        }
        let rest: Vec<_> =
            lines.iter().filter_map(|line| self.cookie.without(line.as_bytes())).collect();
        request.remove_header(&COOKIE);
        for line in rest {
            request.append_header(COOKIE, line)?;
        }
        Ok(())
    }
}
