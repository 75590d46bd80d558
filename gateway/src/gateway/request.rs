//! What is asked of the gateway, and what it decides.

use std::sync::Arc;

use http::request::Parts;

use super::client_info::ClientInfo;
use crate::api::Response;
use crate::api::forward::Forward;
use crate::api::rejection::Rejection;
use crate::api::route::Route;
use crate::auth::credential::Caller;
use crate::clock::Moment;
use crate::session::Session;

/// A request whose path has been read, with its body if the gateway answers it.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// Where its path leads.
    pub route: Route<'a>,
    /// Its head.
    pub head: &'a Parts,
    /// Its whole body, if [`reads_body`](super::user_changes::reads_body) says so; empty otherwise.
    pub body: &'a [u8],
    /// Who has sent it.
    pub client: &'a ClientInfo,
    /// When it came.
    pub now: Moment,
}

/// What is to be done with a request.
pub enum Decision {
    /// The gateway answers by itself.
    Respond(Response),
    /// The upstream answers.
    Forward(Forward),
}

impl Decision {
    /// The upstream answers `caller`.
    pub fn on_behalf_of(caller: Caller) -> Self {
        Self::Forward(Forward::on_behalf_of(caller))
    }
}

/// The decision about a request, and whose it is.
pub struct Outcome {
    /// What is to be done, or why the request is rejected.
    pub decision: Result<Decision, Rejection>,
    /// The session that it belongs to, for the log; also of what is rejected.
    pub session: Option<Arc<Session>>,
}
