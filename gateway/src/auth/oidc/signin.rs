//! The end of a sign-in by a provider: the browser comes back with a code, and gets a session for it.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::exchange::NoTokens;
use super::provider::Provider;
use super::refresh::PATIENCE;
use super::state::{LIFE, State};
use super::{Failure, Oidc};
use crate::audit::{Event, EventKind};
use crate::auth::jwt::admission::Denied;
use crate::auth::signin::confirm;
use crate::auth::throttle::{Guess, Unjudged};
use crate::auth::{Auth, SignInError, event};
use crate::clock::{self, Moment};
use crate::directory::file::FileDirectory;
use crate::directory::users::Account;
use crate::hex;
use crate::jwt::id_token::{Expected, SignedIn};
use crate::jwt::refusal::Refusal;
use crate::metrics::METRICS;
use crate::metrics::label::SignIn;
use crate::request_meta::RequestMeta;
use crate::session::once::{Kind, Single};
use crate::session::origin::{Named, Origin};
use crate::session::provider::{Kept, ProviderHalf};
use crate::session::token::SessionToken;
use crate::session::{EndReason, Session};
use crate::user::login_name::LoginName;
use crate::user::secret::Shared;
use crate::user::{Status, User};

/// With what a browser comes back.
pub struct Callback<'a> {
    /// What is sealed in the cookie of this `state`, if there is one of ours.
    pub state: Option<State>,
    /// `iss`.
    pub issuer: Option<&'a str>,
    /// `error`.
    pub error: Option<&'a str>,
    /// `code`.
    pub code: Option<&'a str>,
}

/// Somebody who was signed in.
pub struct Arrived {
    /// The secret of the session's cookie.
    pub token: SessionToken,
    /// The session, which is a new one whatever cookie came along.
    pub session: Arc<Session>,
    /// Where the browser is sent on to.
    pub return_to: String,
}

/// Signs in whoever comes back from `provider`; `shared` is the token of users who are granted none.
pub async fn finish(
    auth: &Auth,
    oidc: &Oidc,
    provider: &Provider,
    callback: Callback<'_>,
    (shared, meta): (&Shared, &RequestMeta<'_>),
) -> Result<Arrived, Failure> {
    let finished = judge(auth, oidc, provider, callback, (shared, meta)).await;
    match &finished {
        Ok(Arrived { session, .. }) => {
            let signed_in = event(EventKind::SignedIn, session).on(meta);
            auth.audit().record(signed_in.by_provider(&provider.id));
        }
        Err(failure) => note_refused(auth, provider, failure, meta),
    }
    finished
}

/// Writes down that nobody was signed in.
fn note_refused(auth: &Auth, provider: &Provider, failure: &Failure, meta: &RequestMeta<'_>) {
    match failure {
        // What is refused for these reasons need not be a sign-in, so it is not counted where it is written down.
        Failure::NoGrant(_) => METRICS.sign_ins.count(SignIn::NoGrant),
        Failure::NameTaken(_) => METRICS.sign_ins.count(SignIn::NameTaken),
        _ => {}
    }
    let (reason, user) = failure.reason();
    let refused = Event::now(EventKind::Refused(reason)).on(meta).by_provider(&provider.id);
    auth.audit().record(match user {
        Some(user) => refused.to(user),
        None => refused,
    });
}

async fn judge(
    auth: &Auth,
    oidc: &Oidc,
    provider: &Provider,
    callback: Callback<'_>,
    (shared, meta): (&Shared, &RequestMeta<'_>),
) -> Result<Arrived, Failure> {
    let now = clock::unix_seconds();
    let state = callback.state.as_ref().ok_or(Failure::State)?;
    let come = Single { kind: Kind::SignIn, digest: state.digest(), until: now + LIFE };
    let is_first = auth.sessions().note_come(&come).await;
    if !is_first.map_err(|_| Failure::Unavailable)? {
        return Err(Failure::State);
    }
    // A name of its own for each sign-in: nobody is kept from signing in but the client that fails.
    let name = LoginName::of(hex::encode(&state.digest()).as_bytes());
    let guess = Guess::new(meta.network(), &(&name).into());
    let throttled = |unjudged: Unjudged| Failure::from(SignInError::from(unjudged));
    auth.throttle.admit(&guess, Moment::now()).await.map_err(throttled)?;
    let arrived = exchange(auth, oidc, provider, (&callback, state), (shared, meta)).await;
    if let Err(failure) = &arrived
        && failure.counts()
    {
        let bans = auth.throttle.fail(&guess, Moment::now()).await.map_err(throttled)?;
        for ban in &bans {
            let banned = Event::now(EventKind::Banned(ban.scope.word(), ban.time.as_secs()));
            auth.audit().record(banned.on(meta));
            auth.bans.note(ban, &name, meta.network(), Moment::now());
        }
    }
    arrived
}

/// From the issuer on.
async fn exchange(
    auth: &Auth,
    oidc: &Oidc,
    provider: &Provider,
    (callback, state): (&Callback<'_>, &State),
    (shared, meta): (&Shared, &RequestMeta<'_>),
) -> Result<Arrived, Failure> {
    let endpoints = provider.keys.endpoints().ok_or(Failure::Unavailable)?;
    match callback.issuer {
        Some(issuer) if issuer != provider.rules.issuer => return Err(Failure::Issuer),
        None if endpoints.says_issuer => return Err(Failure::Issuer),
        _ => {}
    }
    if let Some(error) = callback.error {
        return Err(said(error));
    }
    let code = callback.code.filter(|code| !code.is_empty()).ok_or(Failure::State)?;
    let asked = Moment::now();
    let tokens = provider.exchange(code, state.verifier()).await.map_err(|none| match none {
        NoTokens::Refused | NoTokens::Unfit => Failure::Code,
        NoTokens::Unavailable => Failure::Unavailable,
    })?;
    let access_token = tokens.access_token.as_ref().map(|token| token.as_str());
    let expected = Expected { nonce: state.nonce(), access_token };
    let id_token = tokens.id_token.as_ref().ok_or(Failure::Token)?;
    let left = PATIENCE.saturating_sub(Moment::now().since(asked));
    let verified = tokio::time::timeout(left, provider.verify(id_token, expected)).await;
    let verified = verified.ok().flatten().ok_or(Failure::Unavailable)?;
    let signed_in = verified.map_err(|refusal| {
        log::info!("oidc: an ID token of {} is refused: {refusal}", provider.id);
        // Of a clock that goes wrong there, no client is guilty.
        let is_early = matches!(refusal, Refusal::Early(_));
        if is_early { Failure::Unavailable } else { Failure::Token }
    })?;
    let settings = provider.settings.load_full();
    let kept = Kept {
        groups: oidc.admission.relevant(&provider.rules.issuer, &signed_in.groups),
        refresh: tokens.refresh_token.filter(|_| settings.refresh.is_some()),
        id_token: tokens.id_token.filter(|token| settings.sign_out && token.len() <= LONGEST_HINT),
        subject: Some(Named::subject(&provider.rules.issuer, &signed_in.subject)),
        is_linked: false,
    };
    if settings.refresh.is_some() && kept.refresh.is_none() && !provider.is_told.swap(true, Relaxed)
    {
        log::warn!(
            "oidc: {} gives no refresh token, so its sessions live up to oidc.lifetime whatever becomes of users there; \
             ask for one by oidc.scopes, for example with \"offline_access\", or set oidc.refresh = \"off\"",
            provider.id
        );
    }
    let (token, session) =
        open(auth, oidc, provider, (signed_in, kept, asked), (shared, meta)).await?;
    Ok(Arrived { token, session, return_to: state.return_to().to_owned() })
}

/// A longer ID token is not kept to be shown when the user signs out: it has to fit into a URL.
const LONGEST_HINT: usize = 4096;

/// What a provider says by `error`, of a closed list (RFC 6749, section 4.1.2.1, and OpenID Connect Core 1.0, 3.1.2.6).
fn said(error: &str) -> Failure {
    match error {
        "access_denied"
        | "login_required"
        | "interaction_required"
        | "consent_required"
        | "account_selection_required" => Failure::Denied,
        "temporarily_unavailable" | "server_error" => Failure::Unavailable,
        _ => Failure::Provider,
    }
}

/// Somebody whom the provider has signed in, as they are here.
struct Known {
    user: Arc<User>,
    /// The token that goes upstream by the user's grant.
    granted: Option<Arc<Shared>>,
    /// Where the users file has them, if it does.
    linked: Option<(Arc<FileDirectory>, Account)>,
}

/// Opens a session for somebody who has signed in at the provider, which was asked at that moment, if something is granted to
/// them.
async fn open(
    auth: &Auth,
    oidc: &Oidc,
    provider: &Provider,
    (signed_in, mut kept, asked): (SignedIn, Kept, Moment),
    (shared, meta): (&Shared, &RequestMeta<'_>),
) -> Result<(SessionToken, Arc<Session>), Failure> {
    let Known { user, granted, linked } = recognise(auth, oidc, provider, &signed_in, shared)?;
    kept.is_linked = linked.is_some();
    let SignedIn { subject, session, .. } = signed_in;
    let (token, now) = (SessionToken::generate(), Moment::now());
    let half = ProviderHalf::new(Arc::clone(&provider.id), granted, kept, now);
    let origin = Origin::new(&provider.rules.issuer, &subject, session.as_deref());
    let session = Session::start(token.id(), user, None, now)
        .of_client(meta.client())
        .with_origin(origin.clone())
        .with_provider(half);
    let mark = linked.as_ref().map(|(_, account)| account.mark());
    let created = auth.sessions().create(&token, session, mark, now).await;
    let session = created.map_err(|error| Failure::from(SignInError::from(error)))?;
    end_if_logged_out(auth, &origin, asked, &session).await?;
    if let Some((file, account)) = linked {
        // The file may have been read anew in the meantime.
        let is_still = confirm(auth, &file, &account, &session).await;
        if !is_still.map_err(|error| Failure::from(SignInError::from(error)))? {
            return Err(Failure::NoGrant(account.user.name.clone()));
        }
    }
    Ok((token, session))
}

/// Ends `session` if the provider has logged the user out since it was `asked`: it could not be found then.
async fn end_if_logged_out(
    auth: &Auth,
    origin: &Origin,
    asked: Moment,
    session: &Session,
) -> Result<(), Failure> {
    let was_logged_out = auth.sessions().was_logged_out(origin, asked, Moment::now()).await;
    if let Ok(false) = was_logged_out {
        return Ok(());
    }
    // Nobody has its token, whether this is done or not.
    let _ = auth.sessions().end(session.id(), EndReason::Revoked, Moment::now()).await;
    Err(if was_logged_out.is_ok() { Failure::Denied } else { Failure::Unavailable })
}

/// Who somebody is here whom the provider has signed in, and what they may do: as the users file says, if it knows them; by
/// a grant otherwise.
fn recognise(
    auth: &Auth,
    oidc: &Oidc,
    provider: &Provider,
    SignedIn { subject, name, id, groups, .. }: &SignedIn,
    shared: &Shared,
) -> Result<Known, Failure> {
    if let Some((file, account)) = auth.linked(&provider.id, subject) {
        let user = Arc::clone(&account.user);
        return Ok(Known { user, granted: None, linked: Some((file, account)) });
    }
    let issuer = &provider.rules.issuer;
    let admitted = oidc.admission.admit(issuer, name, groups, |name| auth.has_account(name));
    let refused = |denied| match denied {
        Denied::NameTaken => Failure::NameTaken(name.clone()),
        Denied::NoGrant => Failure::NoGrant(name.clone()),
    };
    let grant = admitted.map_err(refused)?;
    if grant.token.is_none() && !shared.has_token() {
        log::info!("oidc: {name} has a grant, and there is no token that could go upstream by it");
        return Err(Failure::NoGrant(name.clone()));
    }
    // For as long as the session may live; while it is used, this is said again.
    oidc.admission.hold(issuer, name, provider.settings.load().lifetime).map_err(refused)?;
    let (name, id, status) = (name.clone(), *id, Status::Active);
    let user = Arc::new(User { name, id, status, access: grant.access, token: None });
    Ok(Known { user, granted: grant.token.clone(), linked: None })
}
