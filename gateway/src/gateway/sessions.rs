//! A user's own sessions: listed, and ended.

use std::sync::Arc;

use super::authenticator::Authenticator;
use super::policy::Policy;
use super::request::{Decision, Request};
use crate::api::no_content;
use crate::api::rejection::Rejection;
use crate::api::route::OwnSessions;
use crate::api::session_cookies::remind;
use crate::api::sessions::{ambiguous, meant, own, revoked, sort};
use crate::audit::Actor;
use crate::auth::Auth;
use crate::auth::credential::Caller;
use crate::clock::Moment;
use crate::session::store::StoreError;
use crate::session::{Record, Session};

/// Answers what is `asked` of the sessions of whoever asks. Others are not there for them.
pub async fn of(
    auth: &Auth,
    policy: &Policy,
    client: &mut Authenticator<'_>,
    asked: OwnSessions<'_>,
    request: Request<'_>,
) -> Result<Decision, Rejection> {
    let authenticated = client.caller().await?;
    let caller = match asked {
        OwnSessions::List => authenticated.caller,
        OwnSessions::EndOthers | OwnSessions::EndOne(_) => authenticated.for_changes()?,
    };
    let (session, records) = known(auth, caller, request.now).await?;
    let meta = request.client.meta();
    let end = async |records: &[Record]| {
        auth.revoke(records, Actor::User, &meta).await.map_err(unavailable)
    };
    let answer = match asked {
        OwnSessions::List => {
            let mut list = own(&records, session.id());
            let to = (&request.head.headers, meta.over_tls);
            remind(&policy.cookie, to, list.headers_mut());
            Ok(list)
        }
        OwnSessions::EndOthers => {
            let is_other = |record: &Record| record.id != *session.id();
            let others: Vec<_> = records.into_iter().filter(is_other).collect();
            end(&others).await.map(revoked)
        }
        OwnSessions::EndOne(fingerprint) => match &meant(records, fingerprint)[..] {
            [] => Err(Rejection::NoSuchSession),
            [one] => match end(std::slice::from_ref(one)).await? {
                0 => Err(Rejection::NoSuchSession),
                _ => Ok(no_content()),
            },
            several => Ok(ambiguous(several)),
        },
    };
    answer.map(Decision::Respond)
}

/// The session of `caller`, and all sessions of its user: that one first, then as they were used last.
pub async fn known(
    auth: &Auth,
    caller: Caller,
    now: Moment,
) -> Result<(Arc<Session>, Vec<Record>), Rejection> {
    let Caller::Session(session) = caller else { return Err(Rejection::NoSessionsByToken) };
    let records = auth.sessions().records_of(session.user_id(), now);
    let mut records = records.await.map_err(unavailable)?;
    sort(&mut records, session.id());
    Ok((session, records))
}

/// The store says in the log what is wrong with it, and not with every request.
fn unavailable(_: StoreError) -> Rejection {
    Rejection::SessionsUnavailable
}
