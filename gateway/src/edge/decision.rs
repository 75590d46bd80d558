//! What is asked of the gateway, and what it decides.

use std::sync::Arc;

use http::request::Parts;

use super::origin::ClientInfo;
use crate::api::Response;
use crate::api::forward::Forward;
use crate::api::rejection::Rejection;
use crate::api::route::Route;
use crate::auth::credential::Caller;
use crate::clock::Moment;
use crate::session::Session;

/// What is to be done with a request.
pub(super) enum Decision {
    /// The gateway answers by itself.
    Respond(Response),
    /// The upstream answers.
    Forward(Forward),
}

impl Decision {
    /// The upstream answers `caller`.
    pub(super) fn on_behalf_of(caller: Caller) -> Self {
        Self::Forward(Forward::on_behalf_of(caller))
    }
}

/// What has come of a request.
pub(super) struct Outcome {
    pub(super) decision: Result<Decision, Rejection>,
    /// Whose session it is, for the log; also of what is refused.
    pub(super) session: Option<Arc<Session>>,
}

/// A request whose path has been read, with its body if that is answered here.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) route: Route<'a>,
    pub(super) head: &'a Parts,
    /// Whole, if [`Gateway::reads`](super::gateway::Gateway::reads) it; empty otherwise.
    pub(super) body: &'a [u8],
    pub(super) client: &'a ClientInfo,
    pub(super) now: Moment,
}

/// Somebody who has been authenticated.
pub(super) struct Authenticated {
    pub(super) caller: Caller,
    /// Refused, if it is a browser that has sent the session's cookie for a page of another site.
    pub(super) site: Result<(), Rejection>,
}

impl Authenticated {
    /// Whoever brings credentials that no browser sends by itself.
    pub(super) fn by_token(caller: Caller) -> Self {
        Self { caller, site: Ok(()) }
    }

    /// The caller, if they may change something.
    pub(super) fn for_changes(self) -> Result<Caller, Rejection> {
        self.site.map(|()| self.caller)
    }
}

/// The session that was found so far.
pub(super) type Found = Option<Arc<Session>>;
