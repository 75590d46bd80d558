//! Counts what is written down. The one place, so that each event is counted once.

use super::{EventKind, Reason};
use crate::metrics::METRICS;
use crate::metrics::label::{BanScope, EndCause, SignIn};

/// Counts an event.
pub(super) fn count(kind: EventKind) {
    match kind {
        EventKind::SignedIn => METRICS.sign_ins.count(SignIn::SignedIn),
        EventKind::Refused(reason) => {
            if let Some(outcome) = outcome(reason) {
                METRICS.sign_ins.count(outcome);
            }
        }
        EventKind::SignedOut => METRICS.sessions_ended.count(EndCause::SignedOut),
        EventKind::Expired => METRICS.sessions_ended.count(EndCause::Expired),
        EventKind::Evicted => METRICS.sessions_ended.count(EndCause::Evicted),
        EventKind::Revoked => METRICS.sessions_ended.count(EndCause::Revoked),
        EventKind::Banned("pair", _) => METRICS.bans.count(BanScope::Pair),
        EventKind::Banned("client", _) => METRICS.bans.count(BanScope::Client),
        EventKind::Banned(_, _) => METRICS.bans.count(BanScope::User),
        EventKind::Lifted(_)
        | EventKind::PasswordChanged
        | EventKind::TokenAdded
        | EventKind::TokenRemoved
        | EventKind::Reloaded(_)
        | EventKind::ReloadRefused(_)
        | EventKind::Lost(_) => {}
    }
}

/// What came of a sign-in. `None` of what was none: JWTs and gateway tokens are counted where they are
/// looked at.
fn outcome(reason: Reason) -> Option<SignIn> {
    Some(match reason {
        Reason::UnknownUser => SignIn::UnknownUser,
        Reason::WrongPassword => SignIn::WrongPassword,
        Reason::WrongCredentials => SignIn::WrongCredentials,
        Reason::Malformed => SignIn::Malformed,
        Reason::Throttled => SignIn::Throttled,
        Reason::Overloaded => SignIn::Busy,
        Reason::Full => SignIn::Full,
        Reason::NameTooLong => SignIn::NameTooLong,
        Reason::Unavailable => SignIn::Unavailable,
        Reason::PasswordChangeRequired => SignIn::PasswordChangeRequired,
        Reason::OidcState => SignIn::OidcState,
        Reason::OidcIssuer => SignIn::OidcIssuer,
        Reason::OidcDenied => SignIn::OidcDenied,
        Reason::OidcProvider => SignIn::OidcProvider,
        Reason::OidcCode => SignIn::OidcCode,
        Reason::OidcToken => SignIn::OidcToken,
        Reason::JwtExpired
        | Reason::JwtSignature
        | Reason::JwtAudience
        | Reason::JwtUnknownKey
        | Reason::JwtClaims
        | Reason::JwtThrottled
        | Reason::NoGrant
        | Reason::NameTaken
        | Reason::TokenUnknown
        | Reason::TokenExpired
        | Reason::TokenMalformed
        | Reason::TokenThrottled
        | Reason::TokenUnjudged => return None,
    })
}
