//! What becomes of sessions of a provider while they are used: it is asked now and then whether the user is still signed in,
//! and in which groups.

use std::sync::Arc;
use std::time::Duration;

use super::Oidc;
use super::exchange::{NoTokens, Tokens};
use super::logout::give_back;
use super::provider::Provider;
use super::unsaid::say_later;
use crate::auth::Auth;
use crate::clock::Moment;
use crate::jwt::claims::Groups;
use crate::jwt::refusal::Refusal;
use crate::session::origin::Named;
use crate::session::provider::{Confirmed, Kept, Lease, Right};
use crate::session::store::{SessionStore, StoreError};
use crate::session::token::SessionToken;
use crate::session::{EndReason, Session};
use crate::user::User;

/// How long a request waits for what a provider says. The provider has longer, so that nothing it gives is lost.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// Whether `session`, that of `token`, goes on at `now`. Whoever asks waits for the provider if it has to be asked, so that
/// what it says counts for this request already; not for long.
pub async fn goes_on(
    auth: &Auth,
    token: &SessionToken,
    session: &Arc<Session>,
    now: Moment,
) -> Result<bool, StoreError> {
    let Some(half) = session.provider() else { return Ok(true) };
    let sessions = auth.sessions();
    let known =
        auth.shared_oidc().and_then(|oidc| Some((oidc, Arc::clone(oidc.find(half.provider())?))));
    let Some((oidc, provider)) = known else {
        // Another process has let the user in, by a provider that is none here.
        return end(sessions, session, EndReason::Revoked).await;
    };
    let settings = provider.settings.load_full();
    if now.since(session.started()) >= settings.lifetime {
        return end(sessions, session, EndReason::Expired).await;
    }
    let is_due = settings.refresh.is_some_and(|every| now.since(half.refreshed()) >= every);
    let user = session.user();
    // What names the user there is looked at now and then, whose name it is with every request.
    let subject = || is_due.then(|| half.kept().subject).flatten();
    if !auth.still_is((user.id(), &user.name), half.provider(), subject) {
        let (name, id) = (&user.name, half.provider());
        log::info!(
            "oidc: a session of {name} ends, as the users file does not say so of whom {id} has signed in"
        );
        return end(sessions, session, EndReason::Revoked).await;
    }
    if !is_due || sessions.is_handed_over() {
        return Ok(true);
    }
    let asking = Asking {
        oidc: Arc::clone(oidc),
        provider,
        sessions: Arc::clone(sessions),
        session: Arc::clone(session),
        token: token.clone(),
        lease: Lease::fresh(),
    };
    // By itself: a refresh token is good once, whether the client waits for it or not.
    let asked = tokio::spawn(asking.clone().ask());
    if let Ok(answer) = tokio::time::timeout(PATIENCE, asked).await {
        return answer.unwrap_or(Err(StoreError::Unavailable));
    }
    let now = Moment::now();
    asking.fall_silent(None, asking.provider.fall_silent(now), now).await
}

async fn end(
    sessions: &SessionStore,
    session: &Session,
    reason: EndReason,
) -> Result<bool, StoreError> {
    sessions.end(session.id(), reason, Moment::now()).await?;
    Ok(false)
}

/// A question about a session.
#[derive(Clone)]
struct Asking {
    oidc: Arc<Oidc>,
    provider: Arc<Provider>,
    sessions: Arc<SessionStore>,
    session: Arc<Session>,
    token: SessionToken,
    /// By which nobody else asks at the same time.
    lease: Lease,
}

impl Asking {
    /// Whether the session goes on.
    async fn ask(self) -> Result<bool, StoreError> {
        let every = self.provider.settings.load().refresh;
        let (Some(half), Some(every)) = (self.session.provider(), every) else {
            return Ok(true);
        };
        let _turn = half.turn.lock().await;
        // Others may have asked while this one was waiting.
        let now = Moment::now();
        if self.session.has_ended() {
            return Ok(false);
        }
        if now.since(half.refreshed()) < every {
            return Ok(true);
        }
        if self.provider.rests(now) {
            // Nobody was asked: another gateway may be asking.
            return self.fall_silent(None, self.provider.fall_silent(now), now).await;
        }
        if self.oidc.unsaid.has(self.session.id()) {
            return Ok(true);
        }
        let turn = (every, self.lease);
        let right = self.sessions.begin_refresh(&self.session, &self.token, turn, now).await?;
        let kept = match right {
            Right::Mine(kept) => kept,
            Right::Others => return Ok(true),
            Right::Over => return Ok(self.over()),
        };
        let Some(refresh) = &kept.refresh else {
            // It has given nothing to ask by: the session lives as long as it may.
            return self.confirm(kept, None).await;
        };
        match self.provider.refresh(refresh).await {
            Ok(tokens) => {
                let fresh = tokens.refresh_token.clone();
                let goes_on = self.take(kept, tokens).await;
                // Whoever has ended the session meanwhile knew of the one before.
                if let (Ok(false), Some(fresh)) = (&goes_on, fresh) {
                    give_back(Arc::clone(&self.provider), fresh);
                }
                goes_on
            }
            Err(NoTokens::Refused) => {
                let (name, id) = (&self.session.user().name, &self.provider.id);
                log::info!("oidc: {id} says that {name} is not signed in any more");
                end(&self.sessions, &self.session, EndReason::Revoked).await
            }
            // What it answers about others says nothing of this one.
            Err(NoTokens::Unfit) => self.fall_silent(Some(self.lease), None, now).await,
            Err(NoTokens::Unavailable) => {
                self.fall_silent(Some(self.lease), self.provider.fall_silent(now), now).await
            }
        }
    }

    /// What the provider has given counts from now on.
    async fn take(&self, mut kept: Kept, tokens: Tokens) -> Result<bool, StoreError> {
        let issuer = &self.provider.rules.issuer;
        let access_token = tokens.access_token.as_ref().map(|token| token.as_str());
        let mut unread = None;
        if let Some(id_token) = &tokens.id_token {
            match self.provider.verify_refreshed(id_token, access_token).await {
                Some(Ok(it)) if kept.subject == Some(Named::subject(issuer, &it.subject)) => {
                    self.provider.note_judged(true, Moment::now());
                    kept.groups = self.oidc.admission.relevant(issuer, &it.groups);
                    unread = it.groups.why_unread();
                }
                // Who it is about is known from before; who could not be judged, is who they were. Not for ever.
                None | Some(Err(Refusal::UnknownKey)) => {
                    let unjudged = self.provider.note_judged(false, Moment::now());
                    if unjudged >= self.provider.settings.load().grace {
                        let (name, id) = (&self.session.user().name, &self.provider.id);
                        log::warn!(
                            "oidc: a session of {name} ends, as {id} has not published the key of its ID tokens for oidc.grace"
                        );
                        return end(&self.sessions, &self.session, EndReason::Revoked).await;
                    }
                }
                Some(judged) => {
                    let why =
                        judged.map_or_else(|why| why.to_string(), |_| "sub is another".to_owned());
                    log::warn!(
                        "oidc: a refreshed ID token of {} is refused: {why}",
                        self.provider.id
                    );
                    return end(&self.sessions, &self.session, EndReason::Revoked).await;
                }
            }
        }
        if let Some(refresh) = tokens.refresh_token {
            kept.refresh = Some(refresh);
        }
        if kept.id_token.is_some() && tokens.id_token.is_some() {
            kept.id_token = tokens.id_token;
        }
        self.confirm(kept, unread).await
    }

    /// The session goes on with these groups, as far as something is granted to them; `unread` says why they are none, if they
    /// could not be read.
    async fn confirm(&self, kept: Kept, unread: Option<&'static str>) -> Result<bool, StoreError> {
        let before = self.session.user();
        let (user, token) = if kept.is_linked {
            (before, None)
        } else {
            let (issuer, groups) = (&self.provider.rules.issuer, Groups::Of(kept.groups.clone()));
            let Some(grant) = self.oidc.admission.grant(issuer, &before.name, &groups) else {
                let (name, id) = (&before.name, &self.provider.id);
                match unread {
                    Some(why) => {
                        log::info!("oidc: the groups of {name}, of {id}, cannot be read: {why}");
                    }
                    None => log::info!(
                        "oidc: {name}, of {id}, is in no group any more to which something is granted"
                    ),
                }
                return end(&self.sessions, &self.session, EndReason::Revoked).await;
            };
            let lifetime = self.provider.settings.load().lifetime;
            if self.oidc.admission.hold(issuer, &before.name, lifetime).is_err() {
                let (name, id) = (&before.name, &self.provider.id);
                log::info!("oidc: {name}, of {id}, is somebody of another provider here by now");
                return end(&self.sessions, &self.session, EndReason::Revoked).await;
            }
            let (access, token) = (grant.access, grant.token.clone());
            let user = if before.access == access {
                before
            } else {
                let (name, id, status) = (before.name.clone(), before.id, before.status);
                Arc::new(User { name, id, status, access, token: None })
            };
            (user, token)
        };
        let confirmed = Confirmed { user, token, kept, lease: self.lease };
        let now = Moment::now();
        let goes_on = self.sessions.confirm(&self.session, &self.token, &confirmed, now).await;
        if goes_on.is_err() {
            let provider = (Arc::clone(&self.oidc), Arc::clone(&self.provider));
            let session = (Arc::clone(&self.session), self.token.clone());
            say_later(provider, Arc::clone(&self.sessions), session, confirmed);
        }
        goes_on
    }

    /// The provider cannot be asked: the session lives on for a while. That is counted from when the provider has first not
    /// answered about this session, or from when it has not answered `others` any more if that is later.
    async fn fall_silent(
        &self,
        lease: Option<Lease>,
        others: Option<Moment>,
        now: Moment,
    ) -> Result<bool, StoreError> {
        let since = self.sessions.fall_silent(&self.session, lease, now).await?;
        let Some(since) = since else { return Ok(self.over()) };
        let since = others.map_or(since, |others| others.max(since));
        if now.since(since) < self.provider.settings.load().grace {
            return Ok(true);
        }
        let (name, id) = (&self.session.user().name, &self.provider.id);
        log::info!("oidc: a session of {name} ends, as {id} has not answered for oidc.grace");
        end(&self.sessions, &self.session, EndReason::Revoked).await
    }

    /// Somebody else has ended the session: so it is for all who wait for their turn. Returns that it does not go on.
    fn over(&self) -> bool {
        self.session.end();
        false
    }
}
