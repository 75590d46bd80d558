//! Signing in: the throttle is asked, the password is checked, a session is created.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::runtime::Handle;

use super::throttle::{Ban, Guess, Unjudged};
use super::{Auth, event, rehash};
use crate::audit::{Event, EventKind, Reason};
use crate::clock::Moment;
use crate::directory::file::{Check, FileDirectory, Verified};
use crate::directory::influxdb::{InfluxdbDirectory, SignInFailure, SignedIn};
use crate::directory::users::Account;
use crate::directory::{Directory, Overloaded};
use crate::request_meta::{Client, RequestMeta};
use crate::session::store::{CreateError, StoreError, wait};
use crate::session::token::{SessionId, SessionToken};
use crate::session::{EndReason, Session};
use crate::user::User;
use crate::user::credentials::Credentials;
use crate::user::login_name::LoginName;
use crate::user::name::Username;
use crate::user::password::{Password, PasswordMark};
use crate::user::secret::UpstreamSession;

/// Why nobody was signed in.
pub enum SignInError {
    /// There is no such user, or that is not the password: clients are never told which.
    Refused(Reason, Vec<Ban>),
    /// The directory's own answer.
    PasswordChangeRequired(Box<http::Response<Bytes>>),
    /// The name is too long to be told upstream.
    NameTooLong,
    /// The directory could not be asked.
    Unavailable,
    /// There are as many sessions as there may be.
    Full,
    /// The session store cannot be asked.
    Store,
    /// There were too many failures: nothing was looked at. Come back after so long.
    Throttled(Duration),
    /// Too many are waiting to be looked at.
    Overloaded,
}

impl SignInError {
    fn reason(&self) -> Reason {
        match self {
            Self::Refused(reason, _) => *reason,
            Self::PasswordChangeRequired(_) => Reason::PasswordChangeRequired,
            Self::NameTooLong => Reason::NameTooLong,
            Self::Unavailable | Self::Store => Reason::Unavailable,
            Self::Full => Reason::Full,
            Self::Throttled(_) => Reason::Throttled,
            Self::Overloaded => Reason::Overloaded,
        }
    }

    fn bans(&self) -> &[Ban] {
        if let Self::Refused(_, bans) = self { bans } else { &[] }
    }
}

impl From<Unjudged> for SignInError {
    fn from(unjudged: Unjudged) -> Self {
        match unjudged {
            Unjudged::Throttled(wait) => Self::Throttled(wait),
            Unjudged::Store(_) => Self::Store,
        }
    }
}

impl From<StoreError> for SignInError {
    fn from(_: StoreError) -> Self {
        Self::Store
    }
}

impl From<CreateError> for SignInError {
    fn from(error: CreateError) -> Self {
        match error {
            CreateError::Full => Self::Full,
            CreateError::Store(_) => Self::Store,
        }
    }
}

impl From<Overloaded> for SignInError {
    fn from(Overloaded: Overloaded) -> Self {
        Self::Overloaded
    }
}

/// Checks the password and opens a session.
///
/// An inactive user signs in too, as with InfluxDB, and is refused whatever comes next.
pub async fn sign_in(
    auth: &Auth,
    credentials: Credentials,
    meta: &RequestMeta<'_>,
) -> Result<(SessionToken, Arc<Session>), SignInError> {
    let typed = credentials.typed.clone();
    let guess = Guess::new(meta.network(), &(&typed).into());
    let client = meta.client();
    let signed_in = match &auth.directory {
        Directory::File(file) => sign_in_by_file(auth, file, credentials, guess, client).await,
        Directory::Influxdb(influxdb) => {
            sign_in_by_influxdb(auth, influxdb, credentials, guess, client).await
        }
    };
    match &signed_in {
        Ok((_, session)) => auth.audit.record(event(EventKind::SignedIn, session).on(meta)),
        Err(error) => note_refused(auth, error, meta, &typed, None),
    }
    signed_in
}

/// Writes a refusal down, and the waits that begin with it: of an attempt in `session`, if in one.
pub(super) fn note_refused(
    auth: &Auth,
    error: &SignInError,
    meta: &RequestMeta<'_>,
    typed: &LoginName,
    session: Option<&SessionId>,
) {
    let record = |kind| {
        let event = Event::now(kind).on(meta).for_typed(typed);
        auth.audit.record(match session {
            Some(session) => event.within(session.fingerprint()),
            None => event,
        });
    };
    record(EventKind::Refused(error.reason()));
    for ban in error.bans() {
        record(EventKind::Banned(ban.scope.word(), ban.time.as_secs()));
        auth.bans.note(ban, typed, meta.network(), Moment::now());
    }
}

async fn sign_in_by_file(
    auth: &Auth,
    file: &Arc<FileDirectory>,
    credentials: Credentials,
    guess: Guess,
    client: Client,
) -> Result<(SessionToken, Arc<Session>), SignInError> {
    let Credentials { name, password, .. } = credentials;
    let verified = verify(auth, file, name.as_ref(), password, guess).await?;
    let user = Arc::clone(&verified.account.user);
    let password = Some(verified.account.mark());
    let (token, session) = open(auth, user, password, None, client, Moment::now()).await?;
    if !confirm(auth, file, &verified.account, &session).await? {
        return Err(SignInError::Refused(Reason::WrongPassword, Vec::new()));
    }
    rehash::begin(auth, file, verified, guess.claim_of_known());
    Ok((token, session))
}

/// Makes sure that `session` is of `account` as it is now: the users file may have been read
/// anew between the look at the password and the beginning of the session. Whatever is read
/// anew later, finds the session. If the account is gone, the session ends; false then.
pub(super) async fn confirm(
    auth: &Auth,
    file: &FileDirectory,
    account: &Account,
    session: &Arc<Session>,
) -> Result<bool, StoreError> {
    while let Some(user) = file.now(account) {
        auth.sessions.assign(session, &user).await?;
        // Or a user from before might have been set over a newer one.
        if file.now(account).is_some_and(|again| Arc::ptr_eq(&again, &user)) {
            return Ok(true);
        }
    }
    auth.sessions.end(session.id(), EndReason::Revoked, Moment::now()).await?;
    Ok(false)
}

/// Checks the password of `name` in the users file, if the guess may be made.
pub(super) async fn verify(
    auth: &Auth,
    file: &FileDirectory,
    name: Option<&Username>,
    password: Password,
    guess: Guess,
) -> Result<Verified, SignInError> {
    let claim = auth.throttle.admit(&guess, Moment::now()).await?;
    let (throttle, runtime) = (auth.throttle.clone(), Handle::current());
    let judge = move |check: Check<'_>| {
        // The thread that hashes waits for the throttle, so that a guess counts whose client has left.
        let _waits = runtime.enter();
        // Others may have failed while this one was waiting.
        wait(throttle.admit(&guess, Moment::now()))?;
        match check.run() {
            Some(verified) => wait(throttle.succeed(&guess, Moment::now())).map(|()| Ok(verified)),
            None => wait(throttle.fail(&guess, Moment::now())).map(Err),
        }
    };
    file.verify(name, password, claim, judge).await??.map_err(|bans| {
        let is_known = file.knows(name);
        let reason = if is_known { Reason::WrongPassword } else { Reason::UnknownUser };
        SignInError::Refused(reason, bans)
    })
}

async fn sign_in_by_influxdb(
    auth: &Auth,
    influxdb: &InfluxdbDirectory,
    credentials: Credentials,
    guess: Guess,
    client: Client,
) -> Result<(SessionToken, Arc<Session>), SignInError> {
    if auth.is_jwt(&credentials.header) {
        // Nobody's password, and it never goes upstream.
        return Err(SignInError::Refused(Reason::WrongCredentials, Vec::new()));
    }
    let claim = auth.throttle.admit(&guess, Moment::now()).await?;
    let permit = influxdb.permit(claim).await?;
    auth.throttle.admit(&guess, Moment::now()).await?;
    match influxdb.sign_in(permit, &credentials).await {
        Ok(SignedIn { user, session }) => {
            if let Err(unjudged) = auth.throttle.succeed(&guess, Moment::now()).await {
                influxdb.sign_out(&session).await;
                return Err(unjudged.into());
            }
            // Not the moment of the request: it may have waited for its turn.
            open(auth, user, None, Some(session), client, Moment::now()).await
        }
        Err(SignInFailure::Wrong) => {
            let bans = auth.throttle.fail(&guess, Moment::now()).await?;
            Err(SignInError::Refused(Reason::WrongCredentials, bans))
        }
        Err(SignInFailure::PasswordChangeRequired(answer)) => {
            Err(SignInError::PasswordChangeRequired(answer))
        }
        Err(SignInFailure::Unnamable) => Err(SignInError::NameTooLong),
        Err(SignInFailure::Unavailable) => Err(SignInError::Unavailable),
    }
}

/// Opens a new session: with a token of its own, whatever cookie came along.
pub(super) async fn open(
    auth: &Auth,
    user: Arc<User>,
    password: Option<PasswordMark>,
    upstream: Option<UpstreamSession>,
    client: Client,
    now: Moment,
) -> Result<(SessionToken, Arc<Session>), SignInError> {
    let token = SessionToken::generate();
    let session = Session::start(token.id(), user, upstream, now).of_client(client);
    let session = auth.sessions.create(&token, session, password, now).await?;
    if let Some(upstream_sessions) = &auth.upstream_sessions {
        upstream_sessions.begin(&session, now);
    }
    Ok((token, session))
}
