//! Requests with a gateway token: whose it is, and what becomes of whoever brings another.

use std::sync::Arc;
use std::time::Duration;

use super::Auth;
use super::throttle::{Guess, Unjudged};
use crate::audit::{Event, EventKind, Reason};
use crate::clock::{self, Moment};
use crate::directory::Directory;
use crate::directory::client_tokens::{Holder, TokenChange};
use crate::metrics::METRICS;
use crate::metrics::label::GatewayTokenOutcome as Outcome;
use crate::request_meta::RequestMeta;
use crate::user::gateway_token::Presented;

/// Why what was presented as a gateway token is worth nothing.
#[derive(Clone)]
pub enum Worthless {
    /// It has not the form of one.
    Malformed,
    /// It is nobody's, or nobody's any more.
    Unknown(Presented),
    /// It has ended.
    Expired(Arc<Holder>),
}

/// What a client is told that brings a worthless one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Nobody is known by it. It counts as a failed sign-in of the client.
    Refused,
    /// The client has failed too often, and comes back after so long.
    Throttled(Duration),
    /// What has been counted cannot be asked.
    Unavailable,
}

/// Whose the token is that a client presents. Takes no lock, and asks nobody outside the process.
pub fn holder(auth: &Auth, presented: Presented) -> Result<Arc<Holder>, Worthless> {
    let Presented::Whole(digest) = presented else { return Err(Worthless::Malformed) };
    // InfluxDB's own users have no such tokens.
    let found = match &auth.directory {
        Directory::File(file) => file.holder(&digest),
        Directory::Influxdb(_) => None,
    };
    let holder = found.ok_or(Worthless::Unknown(presented))?;
    if holder.token.has_ended(clock::unix_seconds) {
        return Err(Worthless::Expired(holder));
    }
    METRICS.gateway_tokens.count(Outcome::Accepted);
    Ok(holder)
}

/// Whose the token of `holder` is by now, while a request with it goes on: `None` if it is gone.
pub fn holder_now(auth: &Auth, holder: &Holder) -> Option<Arc<Holder>> {
    let Directory::File(file) = &auth.directory else { return None };
    let now = file.holder(&holder.token.digest)?;
    let is_same = now.user.id == holder.user.id && !now.token.has_ended(clock::unix_seconds);
    is_same.then_some(now)
}

/// Counts a worthless token as a failed sign-in of its client, and writes it down.
pub async fn refuse(auth: &Auth, worthless: Worthless, meta: &RequestMeta<'_>) -> Refusal {
    let failed = auth.throttle.fail(&Guess::with_token(meta.network()), Moment::now()).await;
    let record = |kind| {
        let event = Event::now(kind).on(meta);
        auth.audit.record(match &worthless {
            Worthless::Malformed | Worthless::Unknown(Presented::Malformed) => event,
            Worthless::Unknown(Presented::Whole(digest)) => event.with_token(digest.mark()),
            Worthless::Expired(holder) => {
                event.to(&holder.user.name).with_token(holder.token.digest.mark())
            }
        });
    };
    let (reason, outcome) = match (&failed, &worthless) {
        (Err(Unjudged::Throttled(_)), _) => (Reason::TokenThrottled, Outcome::Throttled),
        (Err(Unjudged::Store(_)), _) => (Reason::TokenUnjudged, Outcome::Unavailable),
        (Ok(_), Worthless::Malformed) => (Reason::TokenMalformed, Outcome::Malformed),
        (Ok(_), Worthless::Unknown(_)) => (Reason::TokenUnknown, Outcome::Unknown),
        (Ok(_), Worthless::Expired(_)) => (Reason::TokenExpired, Outcome::Expired),
    };
    METRICS.gateway_tokens.count(outcome);
    record(EventKind::Refused(reason));
    match failed {
        Ok(bans) => {
            for ban in bans {
                record(EventKind::Banned(ban.scope.word(), ban.time.as_secs()));
                auth.bans.note_token(&ban, meta.network(), Moment::now());
            }
            Refusal::Refused
        }
        Err(Unjudged::Throttled(wait)) => Refusal::Throttled(wait),
        Err(Unjudged::Store(_)) => Refusal::Unavailable,
    }
}

/// Writes down which tokens a new users file has brought and taken away.
pub(super) fn note_changes(auth: &Auth, changes: &[TokenChange]) {
    for change in changes {
        let kind = if change.is_new { EventKind::TokenAdded } else { EventKind::TokenRemoved };
        auth.audit.record(Event::now(kind).to(&change.user).with_token(change.mark));
    }
    if !changes.is_empty() {
        let added = changes.iter().filter(|change| change.is_new).count();
        let removed = changes.len() - added;
        log::info!(
            "the users file was read again: {added} gateway tokens added, {removed} removed"
        );
    }
}
