//! Clients that bring their own API token: passed, resolved to a user, or refused.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use moka::policy::EvictionPolicy;
use sha2::{Digest, Sha256};

use crate::directory::influxdb::{InfluxdbDirectory, Owner, Unreachable};
use crate::user::User;
use crate::user::name::TokenPrefix;

/// What happens to requests with a client's own API token.
pub enum Tokens {
    /// They pass as they are; whose the token is, nobody asks.
    Pass,
    /// InfluxDB is asked whose the token is; they are attributed like users with a session.
    Resolve(Box<Resolver>),
    /// They are refused.
    Deny,
}

/// Why a token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenError {
    /// It is nobody's, or tokens are not wanted.
    Refused,
    /// Its owner is not allowed in.
    Inactive,
    /// The name of its owner is too long to be told upstream.
    Unnamable,
    /// InfluxDB could not be asked.
    Unavailable,
}

/// The digest of an `Authorization` header, so that the cache holds no tokens.
type Key = [u8; 32];

/// Asks InfluxDB for the owners of tokens, and caches the answers. Simultaneous requests with one token ask once.
pub struct Resolver {
    directory: Arc<InfluxdbDirectory>,
    /// What its users' names begin with here, where another directory has names as well.
    prefix: Option<TokenPrefix>,
    known: moka::future::Cache<Key, Option<Arc<User>>>,
    refused: moka::sync::Cache<Key, TokenError>,
}

/// How many tokens are remembered.
const MOST: u64 = 10_000;

/// How long a valid token is remembered.
const GOOD_FOR: Duration = Duration::from_secs(60);

/// How long an invalid token is remembered. Short, because it may be created at any moment.
const BAD_FOR: Duration = Duration::from_secs(5);

impl Resolver {
    /// Asks `directory`, whose users are called by their names behind `prefix`.
    pub fn new(directory: Arc<InfluxdbDirectory>, prefix: Option<TokenPrefix>) -> Self {
        Self {
            directory,
            prefix,
            known: moka::future::Cache::builder()
                .max_capacity(MOST)
                .eviction_policy(EvictionPolicy::lru())
                .time_to_live(GOOD_FOR)
                .build(),
            refused: moka::sync::Cache::builder()
                .max_capacity(MOST)
                .eviction_policy(EvictionPolicy::lru())
                .time_to_live(BAD_FOR)
                .build(),
        }
    }

    async fn resolve(&self, authorization: &HeaderValue) -> Result<Option<Arc<User>>, TokenError> {
        let key: Key = Sha256::digest(authorization.as_bytes()).into();
        if let Some(error) = self.refused.get(&key) {
            return Err(error);
        }
        let asked = self.known.try_get_with(key, self.ask(authorization)).await;
        asked.map_err(|error| {
            if *error != TokenError::Unavailable {
                self.refused.insert(key, *error);
            }
            *error
        })
    }

    async fn ask(&self, authorization: &HeaderValue) -> Result<Option<Arc<User>>, TokenError> {
        match self.directory.owner_of_token(authorization.clone()).await {
            Ok(Owner::User(mut user)) => {
                if let Some(prefix) = &self.prefix {
                    user.name = prefix.of(&user.name);
                }
                Ok(Some(Arc::new(*user)))
            }
            // A good token that may not read its owner, for example one for writing only.
            Ok(Owner::Undisclosed) => Ok(None),
            Ok(Owner::Nobody) => Err(TokenError::Refused),
            Ok(Owner::Inactive) => Err(TokenError::Inactive),
            Ok(Owner::Unnamable) => Err(TokenError::Unnamable),
            Err(Unreachable) => Err(TokenError::Unavailable),
        }
    }
}

impl Tokens {
    /// Whose token is in `authorization`; `None` if that is not asked, or not said.
    pub async fn resolve(
        &self,
        authorization: &HeaderValue,
    ) -> Result<Option<Arc<User>>, TokenError> {
        match self {
            Self::Pass => Ok(None),
            Self::Resolve(resolver) => resolver.resolve(authorization).await,
            Self::Deny => Err(TokenError::Refused),
        }
    }
}
