//! The state of one request between Pingora's phases.

use std::sync::Arc;
use std::time::Instant;

use super::origin::Origin;
use super::request_id::RequestId;
use super::room::{Turn, Use};
use crate::auth::credential::{Caller, Purpose};
use crate::auth::errand::Errand;
use crate::session::{Session, Watch};
use crate::visit::{ClientKind, Visit};

/// What one request carries from phase to phase.
pub struct Context {
    pub(super) started: Instant,
    /// Where the request came from.
    pub(super) origin: Origin,
    pub(super) request_id: RequestId,
    /// On whose behalf the request is forwarded.
    pub(super) caller: Option<Caller>,
    /// What for.
    pub(super) purpose: Purpose,
    /// What it does to a user. Seldom anything.
    pub(super) errand: Option<Box<Errand>>,
    /// Whose session it is, for the log.
    pub(super) session: Option<Arc<Session>>,
    /// Whether a page of another site has sent it, as far as that makes a difference.
    pub(super) is_cross_site: bool,
    /// Watches over the session while the body of a request on its behalf is still coming.
    pub(super) watch: Option<Watch>,
    pub(super) attempts: usize,
    /// The turn of a request without a session on its connection.
    pub(super) turn: Option<Turn>,
    /// The connection to the upstream that it uses.
    pub(super) using: Option<Use>,
    /// Bytes of the body forwarded so far.
    pub(super) body_bytes: u64,
}

impl Context {
    /// Nothing is known yet.
    pub(super) fn new() -> Self {
        Self {
            started: Instant::now(),
            origin: Origin::unknown(false, None),
            request_id: RequestId::unset(),
            caller: None,
            purpose: Purpose::Ordinary,
            errand: None,
            session: None,
            is_cross_site: false,
            watch: None,
            attempts: 0,
            turn: None,
            using: None,
            body_bytes: 0,
        }
    }

    /// Where the request came from, for those below who need not know of headers.
    pub(super) fn visit(&self) -> Visit<'_> {
        Visit {
            address: self.origin.address,
            request_id: self.request_id.as_str(),
            over_tls: self.origin.over_tls,
            kind: ClientKind::default(),
        }
    }
}
