//! The rules that decide which credential is sent upstream.

use std::sync::Arc;

use http::HeaderValue;

use crate::directory::client_tokens::Holder;
use crate::jwt::grants::Grant;
use crate::jwt::verify::TokenMark;
use crate::session::Session;
use crate::user::User;
use crate::user::gateway_token::Mark;
use crate::user::name::Username;
pub use crate::user::secret::Shared;

/// Somebody on whose behalf a request goes upstream, and how they came.
pub enum Caller {
    /// Somebody with a session.
    Session(Arc<Session>),
    /// A client that brings its own InfluxDB API token, and its user if that was asked.
    Token(Option<Arc<User>>),
    /// Somebody with a JWT of an identity provider, which has been verified.
    Jwt(Arc<JwtCaller>),
    /// A user of the file, by a gateway token.
    Holder(Arc<Holder>),
}

/// Somebody with a JWT.
pub struct JwtCaller {
    /// The user.
    pub user: Arc<User>,
    /// What the user may do.
    pub grant: Arc<Grant>,
    /// A digest of the JWT's own id, if it has one.
    pub jti: Option<TokenMark>,
    /// Until when the JWT is good, in seconds since 1970.
    pub until: u64,
}

/// Whether the request itself needs its `Authorization`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// No: whatever is there is replaced.
    Ordinary,
    /// Yes: it proves the old password, which goes along with the new one.
    NewPassword,
}

/// What to do about a user whose requests go upstream without a token.
pub fn missing_token(name: &Username) -> String {
    format!("no upstream token for {name}: set `token` or `upstream.token_file`")
}

/// What proves to the upstream who asks.
#[derive(Debug, PartialEq, Eq)]
pub enum UpstreamCredential {
    /// `Authorization` is replaced by this.
    Token(HeaderValue),
    /// InfluxDB's own session goes along as a cookie.
    Cookie {
        /// `name=value`.
        cookie: HeaderValue,
        /// Whether `Authorization` stays, or is removed.
        keeps_authorization: bool,
    },
    /// `Authorization` is removed.
    Nothing,
    /// The request goes through with what it brought.
    AsItCame,
}

impl Caller {
    /// The session, if the caller has one.
    pub fn session(&self) -> Option<&Arc<Session>> {
        match self {
            Self::Session(session) => Some(session),
            Self::Token(_) | Self::Jwt(_) | Self::Holder(_) => None,
        }
    }

    /// The gateway token that the caller comes with, if with one.
    pub fn gateway_token(&self) -> Option<Mark> {
        match self {
            Self::Holder(holder) => Some(holder.token.digest.mark()),
            Self::Session(_) | Self::Token(_) | Self::Jwt(_) => None,
        }
    }

    /// The user, if there is one and it is known who.
    pub fn user(&self) -> Option<Arc<User>> {
        match self {
            Self::Session(session) => Some(session.user()),
            Self::Token(user) => user.clone(),
            Self::Jwt(jwt) => Some(Arc::clone(&jwt.user)),
            Self::Holder(holder) => Some(Arc::clone(&holder.user)),
        }
    }

    /// A digest of the JWT's own id, if the caller comes with one.
    pub fn jti(&self) -> Option<TokenMark> {
        match self {
            Self::Jwt(jwt) => jwt.jti,
            Self::Session(_) | Self::Token(_) | Self::Holder(_) => None,
        }
    }

    /// When what the caller comes with expires, in seconds since 1970, if it says so itself.
    pub fn expires(&self) -> Option<u64> {
        match self {
            Self::Jwt(jwt) => Some(jwt.until),
            Self::Session(_) | Self::Token(_) | Self::Holder(_) => None,
        }
    }

    /// The credential for the upstream:
    ///
    /// | caller | credential upstream |
    /// |---|---|
    /// | session that InfluxDB made | InfluxDB's cookie; `Authorization` only for a new password |
    /// | session of a user of the file with a token | the user's token |
    /// | session of a user of the file without one | the shared token; none if there is none |
    /// | session of a user of a sign-in provider | the token of its grant, otherwise the shared token |
    /// | own token | as it came |
    /// | gateway token | that of its user with a session |
    /// | JWT | the token of its grant, otherwise the shared token |
    pub fn upstream_credential(&self, shared: &Shared, purpose: Purpose) -> UpstreamCredential {
        let session = match self {
            Self::Session(session) => session,
            Self::Token(_) => return UpstreamCredential::AsItCame,
            Self::Jwt(jwt) => return jwt.upstream_credential(shared),
            Self::Holder(holder) => return of_user(&holder.user, || None, shared),
        };
        if let Some(half) = session.upstream() {
            return UpstreamCredential::Cookie {
                cookie: half.session().cookie(),
                keeps_authorization: purpose != Purpose::Ordinary,
            };
        }
        let granted = || session.provider()?.granted()?.authorization();
        of_user(&session.user(), granted, shared)
    }
}

/// The credential of a user: their own, otherwise what was `granted` to them, otherwise the shared one.
fn of_user(
    user: &User,
    granted: impl FnOnce() -> Option<HeaderValue>,
    shared: &Shared,
) -> UpstreamCredential {
    let own = user.token.as_ref().map(|token| token.authorization(shared.scheme));
    let token = own.or_else(granted).or_else(|| shared.authorization());
    token.map_or(UpstreamCredential::Nothing, UpstreamCredential::Token)
}

impl JwtCaller {
    /// Whether there is a token for the upstream.
    pub fn has_token(&self, shared: &Shared) -> bool {
        self.grant.token.is_some() || shared.has_token()
    }

    fn upstream_credential(&self, shared: &Shared) -> UpstreamCredential {
        let granted = self.grant.token.as_ref().and_then(|token| token.authorization());
        let token = granted.or_else(|| shared.authorization());
        token.map_or(UpstreamCredential::Nothing, UpstreamCredential::Token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Moment;
    use crate::session::token::SessionToken;
    use crate::user::secret::{ApiToken, Scheme, UpstreamSession};
    use crate::user::tests::user;

    fn session(own: Option<&str>, upstream: Option<&str>) -> Caller {
        let mut ada = user("ada");
        ada.token = own.map(|text| ApiToken::parse(text).unwrap());
        let upstream = upstream.and_then(|text| UpstreamSession::parse(text.as_bytes()));
        let id = SessionToken::generate().id();
        Caller::Session(Arc::new(Session::start(id, Arc::new(ada), upstream, Moment::START)))
    }

    #[test]
    fn the_table_of_credentials() {
        let shared = |token: Option<&str>, scheme| {
            Shared::new(token.map(|text| ApiToken::parse(text).unwrap()), scheme)
        };
        let token = |text| UpstreamCredential::Token(HeaderValue::from_static(text));
        let cookie = |keeps_authorization| UpstreamCredential::Cookie {
            cookie: HeaderValue::from_static("s=x"),
            keeps_authorization,
        };
        let all = shared(Some("all"), Scheme::Token);
        let none = shared(None, Scheme::Token);
        let bearer = shared(Some("all"), Scheme::Bearer);

        for (caller, shared, purpose, expected) in [
            (session(Some("own"), None), &all, Purpose::Ordinary, token("Token own")),
            (session(Some("own"), None), &none, Purpose::Ordinary, token("Token own")),
            (session(Some("own"), None), &bearer, Purpose::Ordinary, token("Bearer own")),
            (session(None, None), &all, Purpose::Ordinary, token("Token all")),
            (session(None, None), &bearer, Purpose::Ordinary, token("Bearer all")),
            (session(None, None), &none, Purpose::Ordinary, UpstreamCredential::Nothing),
            (session(None, Some("s=x")), &all, Purpose::Ordinary, cookie(false)),
            (session(None, Some("s=x")), &all, Purpose::NewPassword, cookie(true)),
            (Caller::Token(None), &all, Purpose::Ordinary, UpstreamCredential::AsItCame),
            (
                Caller::Token(Some(Arc::new(user("ada")))),
                &all,
                Purpose::Ordinary,
                UpstreamCredential::AsItCame,
            ),
        ] {
            assert_eq!(caller.upstream_credential(shared, purpose), expected);
        }
    }
}
