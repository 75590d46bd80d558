//! The ends of sessions, as the audit trail has them.

use super::event;
use crate::audit::{Audit, EventKind};
use crate::session::EndReason;
use crate::session::store::{EndListener, Ended};

/// Writes the ends of sessions down in the audit trail. A session that is signed out of ends on
/// somebody's request, and is written down with that; so does one that is ended from elsewhere.
pub struct AuditedEnds(pub Audit);

impl EndListener for AuditedEnds {
    fn ended(&self, Ended { session, reason }: &Ended) {
        let kind = match reason {
            EndReason::Expired => EventKind::Expired,
            EndReason::Evicted => EventKind::Evicted,
            EndReason::Revoked => EventKind::Revoked,
            EndReason::SignedOut | EndReason::OnRequest | EndReason::Refused => return,
        };
        self.0.record(event(kind, session));
    }
}
