//! Signing in by providers (OpenID Connect): the code flow with PKCE, and what becomes of its sessions.
//!
//! What a sign-in was begun with is in a sealed cookie of the browser that has begun it: there is no table that could be
//! filled from outside.

pub mod aside;
pub mod back_channel;
pub mod client;
mod exchange;
mod failure;
pub mod logout;
pub mod provider;
pub mod refresh;
pub mod secrets;
pub mod signin;
pub mod state;
mod unsaid;

use std::sync::Arc;

use super::failures::Failures;
use super::jwt::admission::Admission;
use crate::clock;
use crate::jwt::claims::Groups;
use crate::session::provider::{Granted, Granting};
use crate::user::name::Username;
pub use failure::Failure;
use provider::Provider;
use unsaid::Unsaid;

/// How many log-out tokens that are no good a client may send in ten seconds. Only providers have any.
const LOG_OUTS: u32 = 20;

/// The providers that sign users in.
pub struct Oidc {
    providers: Vec<Arc<Provider>>,
    admission: Arc<Admission>,
    failures: Failures,
    unsaid: Unsaid,
}

impl Oidc {
    /// These `providers`, whose users `admission` lets in.
    pub fn new(providers: Vec<Arc<Provider>>, admission: Arc<Admission>) -> Self {
        Self {
            providers,
            admission,
            failures: Failures::up_to(LOG_OUTS),
            unsaid: Unsaid::default(),
        }
    }

    /// The provider that is called so here.
    pub fn find(&self, id: &str) -> Option<&Arc<Provider>> {
        self.providers.iter().find(|provider| *provider.id == *id)
    }

    /// When the sign-in was begun that is sealed in the value of a cookie, in seconds since 1970; `None` if it is none, or
    /// too long ago.
    pub fn begun(&self, cookie: &[u8]) -> Option<u64> {
        let now = clock::unix_seconds();
        let state = |it: &Arc<Provider>| it.secrets.open(cookie, now);
        self.providers.iter().find_map(state).map(|state| state.begun())
    }
}

impl Granting for Oidc {
    fn granted(&self, provider: &str, name: &Username, groups: &[String]) -> Option<Granted> {
        let provider = self.find(provider)?;
        let issuer = &provider.rules.issuer;
        let grant = self.admission.grant(issuer, name, &Groups::Of(groups.to_vec()))?;
        // Whoever let them in has judged whose the name is; from here on it is known to be in use.
        let _ = self.admission.hold(issuer, name, provider.settings.load().lifetime);
        Some(Granted { access: grant.access, token: grant.token.clone() })
    }
}
