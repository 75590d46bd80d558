//! A user's own sessions: listed, and ended.

use super::authenticator::Authenticator;
use super::request::{Decision, Request};
use crate::api::no_content;
use crate::api::rejection::Rejection;
use crate::api::route::OwnSessions;
use crate::api::sessions::{ambiguous, meant, own, revoked};
use crate::audit::Actor;
use crate::auth::Auth;
use crate::auth::credential::Caller;
use crate::session::Record;
use crate::session::store::StoreError;

/// Answers what is `asked` of the sessions of whoever asks. Others are not there for them.
pub async fn of(
    auth: &Auth,
    client: &mut Authenticator<'_>,
    asked: OwnSessions<'_>,
    request: Request<'_>,
) -> Result<Decision, Rejection> {
    let authenticated = client.caller().await?;
    let caller = match asked {
        OwnSessions::List => authenticated.caller,
        OwnSessions::EndOthers | OwnSessions::EndOne(_) => authenticated.for_changes()?,
    };
    let Caller::Session(session) = caller else { return Err(Rejection::NoSessionsByToken) };
    let records = auth.sessions().records_of(session.user_id(), request.now);
    let records = records.await.map_err(unavailable)?;
    let meta = request.client.meta();
    let end = async |records: &[Record]| {
        auth.revoke(records, Actor::User, &meta).await.map_err(unavailable)
    };
    let answer = match asked {
        OwnSessions::List => Ok(own(records, session.id())),
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

/// The store says in the log what is wrong with it, and not with every request.
fn unavailable(_: StoreError) -> Rejection {
    Rejection::SessionsUnavailable
}
