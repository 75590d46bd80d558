//! Which credential the upstream gets: the rules, in one place.

use std::sync::Arc;

use http::HeaderValue;

use crate::session::Session;
use crate::user::secret::ApiToken;

/// On whose behalf a request goes upstream, and how they came.
pub enum Caller {
    /// Somebody with a session.
    Session(Arc<Session>),
    /// A client that brings its own InfluxDB API token.
    Token,
    /// Nobody: a path that needs no session.
    Public,
}

/// What becomes of the request's `Authorization` header.
#[derive(Debug, PartialEq, Eq)]
pub enum UpstreamCredential {
    /// It is replaced by this.
    Inject(HeaderValue),
    /// It is removed.
    Remove,
    /// It goes through as it came.
    Keep,
}

impl Caller {
    /// The session, if the caller has one.
    pub fn session(&self) -> Option<&Arc<Session>> {
        match self {
            Self::Session(session) => Some(session),
            Self::Token | Self::Public => None,
        }
    }

    /// The credential for the upstream:
    ///
    /// | caller | `Authorization` upstream |
    /// |---|---|
    /// | session of a user with a token | the user's token |
    /// | session of a user without one | the shared token; removed if there is none |
    /// | own token | as it came |
    /// | public path | as it came |
    pub fn upstream_credential(&self, shared: Option<&ApiToken>) -> UpstreamCredential {
        match self {
            Self::Session(session) => session
                .user()
                .token
                .as_ref()
                .or(shared)
                .map_or(UpstreamCredential::Remove, |token| {
                    UpstreamCredential::Inject(token.authorization())
                }),
            Self::Token | Self::Public => UpstreamCredential::Keep,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Moment;
    use crate::session::token::SessionToken;
    use crate::user::tests::user;

    #[test]
    fn the_table_of_credentials() {
        let token = |text: &str| ApiToken::parse(text).unwrap();
        let caller = |own: Option<&str>| {
            let mut ada = user("ada");
            ada.token = own.map(token);
            let id = SessionToken::generate().id();
            Caller::Session(Arc::new(Session::start(id, Arc::new(ada), Moment::START)))
        };
        let inject = |text| UpstreamCredential::Inject(HeaderValue::from_static(text));
        let shared = token("shared");

        for (caller, shared, expected) in [
            (caller(Some("own")), Some(&shared), inject("Token own")),
            (caller(Some("own")), None, inject("Token own")),
            (caller(None), Some(&shared), inject("Token shared")),
            (caller(None), None, UpstreamCredential::Remove),
            (Caller::Token, Some(&shared), UpstreamCredential::Keep),
            (Caller::Public, Some(&shared), UpstreamCredential::Keep),
        ] {
            assert_eq!(caller.upstream_credential(shared), expected);
        }
    }
}
