//! Leave to go upstream: given on behalf of somebody, or for a public route, and in no other way.

use std::sync::Arc;

use super::route::PublicRoute;
use crate::auth::credential::{Caller, Purpose, Shared, UpstreamCredential};
use crate::auth::errand::Errand;
use crate::jwt::verify::TokenMark;
use crate::session::Session;
use crate::user::User;
use crate::user::gateway_token::Mark;

/// A request that may be forwarded.
pub struct Forward {
    on_behalf_of: OnBehalfOf,
    purpose: Purpose,
    /// What it does to a user of InfluxDB's. Seldom anything.
    errand: Option<Box<Errand>>,
    /// The page that it is for, if it is for one.
    visit: Option<Visit>,
}

/// A request for one of InfluxDB's own pages, on behalf of whoever has a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Visit {
    /// Whether the pages come from another server than InfluxDB, which is told nothing of the user.
    pub is_apart: bool,
    /// Whether a WebSocket is asked for.
    pub is_websocket: bool,
}

enum OnBehalfOf {
    Somebody(Caller),
    /// Nobody; `Authorization` goes along or is removed.
    Nobody {
        keeps_authorization: bool,
    },
}

impl Forward {
    /// On behalf of `caller`.
    pub fn on_behalf_of(caller: Caller) -> Self {
        let on_behalf_of = OnBehalfOf::Somebody(caller);
        Self { on_behalf_of, purpose: Purpose::Ordinary, errand: None, visit: None }
    }

    /// The same, for a page.
    pub fn to_page(caller: Caller, visit: Visit) -> Self {
        Self { visit: Some(visit), ..Self::on_behalf_of(caller) }
    }

    /// For nobody, on a route that needs nobody. Some upstreams look at `Authorization` there too.
    pub fn public(_route: PublicRoute, keeps_authorization: bool) -> Self {
        let on_behalf_of = OnBehalfOf::Nobody { keeps_authorization };
        Self { on_behalf_of, purpose: Purpose::Ordinary, errand: None, visit: None }
    }

    /// The same, with the old password that goes along with a new one.
    #[must_use]
    pub fn with_old_password(self) -> Self {
        Self { purpose: Purpose::NewPassword, ..self }
    }

    /// The same; what the upstream answers has consequences.
    #[must_use]
    pub fn with_errand(self, errand: Option<Box<Errand>>) -> Self {
        Self { errand, ..self }
    }

    /// What the upstream's answer has consequences for. Taken once.
    pub fn take_errand(&mut self) -> Option<Box<Errand>> {
        self.errand.take()
    }

    /// The page that it is for, if it is for one.
    pub fn visit(&self) -> Option<Visit> {
        self.visit
    }

    /// Whether it goes to another server than InfluxDB, which is told nothing of the user.
    pub fn is_apart(&self) -> bool {
        self.visit.is_some_and(|visit| visit.is_apart)
    }

    /// On whose behalf; `None` on a public route.
    pub fn caller(&self) -> Option<&Caller> {
        match &self.on_behalf_of {
            OnBehalfOf::Somebody(caller) => Some(caller),
            OnBehalfOf::Nobody { .. } => None,
        }
    }

    /// Whether it is known who asks.
    pub fn is_anonymous(&self) -> bool {
        matches!(self.caller(), None | Some(Caller::Token(None)))
    }

    /// The session of whoever asks, if they have one.
    pub fn session(&self) -> Option<&Arc<Session>> {
        self.caller().and_then(Caller::session)
    }

    /// The user, if there is one and it is known who.
    pub fn user(&self) -> Option<Arc<User>> {
        self.caller().and_then(Caller::user)
    }

    /// A digest of the id of the JWT of whoever asks, if they came with one.
    pub fn jti(&self) -> Option<TokenMark> {
        self.caller().and_then(Caller::jti)
    }

    /// The gateway token of whoever asks, if they came with one.
    pub fn gateway_token(&self) -> Option<Mark> {
        self.caller().and_then(Caller::gateway_token)
    }

    /// The credential for the upstream. None for another server than InfluxDB.
    pub fn upstream_credential(&self, shared: &Shared) -> UpstreamCredential {
        match &self.on_behalf_of {
            OnBehalfOf::Somebody(_) if self.is_apart() => UpstreamCredential::Nothing,
            OnBehalfOf::Somebody(caller) => caller.upstream_credential(shared, self.purpose),
            OnBehalfOf::Nobody { keeps_authorization: true } => UpstreamCredential::AsItCame,
            OnBehalfOf::Nobody { keeps_authorization: false } => UpstreamCredential::Nothing,
        }
    }
}
