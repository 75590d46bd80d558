//! Forwarded requests that change one of InfluxDB's users. Wrong old passwords count as failed sign-ins, and a
//! new password or a deletion ends the user's sessions.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use http::StatusCode;

use super::credential::Caller;
use super::signin;
use super::throttle::Guess;
use super::{Auth, SignInError};
use crate::audit::{Event, EventKind, Reason};
use crate::clock::Moment;
use crate::request_meta::RequestMeta;
use crate::session::Session;
use crate::session::store::StoreError;
use crate::user::login_name::LoginName;
use crate::user::{User, UserId};

/// What a request is to do to a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// To set a new password. Whoever does that ends the sessions that the old one opened.
    SetPassword,
    /// The same by somebody who proves to know the old one, which is a guess like any other.
    ReplacePassword,
    /// To rename, activate or deactivate.
    Update,
    /// To delete.
    Delete,
}

/// A forwarded request that does something to a user, until InfluxDB has answered.
pub struct Errand {
    deed: Deed,
    /// Whose account it is; `None` if what stands there is nobody's id.
    account: Option<UserId>,
    guess: Option<Guessing>,
}

/// A guess that InfluxDB judges.
struct Guessing {
    guess: Guess,
    /// At whose password.
    name: LoginName,
    /// Guesses of one user at one account are made one after the other: of many at once, all would be
    /// judged before the first failure is counted.
    _alone: Alone,
}

/// Who guesses at which account right now.
#[derive(Default)]
pub(super) struct GuessesInFlight(Mutex<HashSet<(UserId, Option<UserId>)>>);

struct Alone {
    under_way: Arc<GuessesInFlight>,
    who: (UserId, Option<UserId>),
}

impl GuessesInFlight {
    fn begin(self: &Arc<Self>, who: (UserId, Option<UserId>)) -> Option<Alone> {
        let is_first = self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(who);
        is_first.then(|| Alone { under_way: Arc::clone(self), who })
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        let mut under_way = self.under_way.0.lock().unwrap_or_else(PoisonError::into_inner);
        under_way.remove(&self.who);
    }
}

/// Lets `caller` have something done to the user whose id is written `account`; `None` if InfluxDB
/// knows no users here.
pub async fn begin(
    auth: &Auth,
    deed: Deed,
    account: Option<UserId>,
    caller: &Caller,
    meta: &RequestMeta<'_>,
) -> Result<Option<Box<Errand>>, SignInError> {
    if auth.upstream_sessions.is_none() {
        return Ok(None);
    }
    let guess = match (deed, caller.session()) {
        (Deed::ReplacePassword, Some(session)) => {
            let name = name_of(auth, account, session);
            let guess = guess_at(auth, &name, account, session, meta).await;
            Some(guess.inspect_err(|error| {
                signin::note_refused(auth, error, meta, &name, Some(session.id()));
            })?)
        }
        _ => None,
    };
    Ok(Some(Box::new(Errand { deed, account, guess })))
}

/// What follows from InfluxDB's answer to it.
pub async fn conclude(
    auth: &Auth,
    errand: Errand,
    status: StatusCode,
    caller: &Caller,
    meta: &RequestMeta<'_>,
) {
    if let Some(Guessing { guess, name, _alone }) = &errand.guess {
        match (status, caller.session()) {
            (StatusCode::FORBIDDEN, Some(session)) => {
                let bans = auth.throttle.fail(guess, Moment::now()).await;
                let bans = bans.unwrap_or_default();
                let error = SignInError::Refused(Reason::WrongPassword, bans);
                signin::note_refused(auth, &error, meta, name, Some(session.id()));
            }
            // It was right, and there is nothing to keep it from being so.
            _ if status.is_success() => {
                let _ = auth.throttle.succeed(guess, Moment::now()).await;
            }
            _ => {}
        }
    }
    if let Some(account) = errand.account.filter(|_| status.is_success())
        && let Err(error) = follow_up(auth, errand.deed, account, caller, meta).await
    {
        log::error!("the user {account} has changed at InfluxDB, and sessions go on: {error}");
    }
}

async fn follow_up(
    auth: &Auth,
    deed: Deed,
    account: UserId,
    caller: &Caller,
    meta: &RequestMeta<'_>,
) -> Result<(), StoreError> {
    match deed {
        Deed::SetPassword | Deed::ReplacePassword => {
            let mut changed = Event::now(EventKind::PasswordChanged).on(meta);
            if let Some(user) = user_with(auth, account) {
                changed = changed.to(&user.name);
            }
            let by = caller.session();
            auth.audit.record(match by {
                Some(session) => changed.within(session.id().fingerprint()),
                None => changed,
            });
            // Whoever changes their own stays.
            auth.sessions.revoke_user(account, by.map(|session| session.id())).await?;
        }
        Deed::Delete => {
            auth.sessions.revoke_user(account, None).await?;
        }
        Deed::Update => auth.sessions.of(account).iter().for_each(|other| auth.doubt(other)),
    }
    Ok(())
}

async fn guess_at(
    auth: &Auth,
    name: &LoginName,
    account: Option<UserId>,
    session: &Session,
    meta: &RequestMeta<'_>,
) -> Result<Guessing, SignInError> {
    let guess = Guess::new(meta.network(), &name.into());
    auth.throttle.admit(&guess, Moment::now()).await?;
    let alone = auth.under_way.begin((session.user_id(), account));
    let alone = alone.ok_or(SignInError::Overloaded)?;
    // Another may have failed just now.
    auth.throttle.admit(&guess, Moment::now()).await?;
    Ok(Guessing { guess, name: name.clone(), _alone: alone })
}

/// At whose password it is guessed. Of a user who is not signed in, only the id is known.
fn name_of(auth: &Auth, account: Option<UserId>, session: &Session) -> LoginName {
    match account {
        Some(id) if id == session.user_id() => (&session.user().name).into(),
        Some(id) => match user_with(auth, id) {
            Some(user) => (&user.name).into(),
            None => LoginName::of(id.to_string().as_bytes()),
        },
        None => LoginName::of(b"-"),
    }
}

fn user_with(auth: &Auth, id: UserId) -> Option<Arc<User>> {
    auth.sessions.of(id).first().map(|session| session.user())
}
