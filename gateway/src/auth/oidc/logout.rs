//! Signing out by providers: they say that somebody has signed out there, or are told that somebody has here.

use std::sync::Arc;

use http::Uri;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::Oidc;
use super::provider::Provider;
use crate::auth::apart::{Busy, apart};
use crate::auth::jwt::keys::{Asked, Bringer};
use crate::clock::{self, Moment};
use crate::jwt::form::Unverified;
use crate::jwt::keys::KeySet;
use crate::jwt::logout_token::{self, LoggedOut};
use crate::jwt::parameters::Parameters;
use crate::jwt::refusal::Refusal;
use crate::request_meta::ClientKey;
use crate::session::logged_out::Whose;
use crate::session::once::{Kind, Single};
use crate::session::origin::Named;
use crate::session::store::{SessionStore, StoreError};

/// Why nobody was signed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotLoggedOut {
    /// What came is no log-out token of the provider's, or has come before.
    Refused,
    /// This client has sent too many of those: nothing was looked at.
    TooMany,
    /// There is no key to judge it by, and there may be one soon.
    NoKey,
    /// Too many wait to be judged, or the session store cannot be asked.
    Unavailable,
}

/// Ends the sessions that a log-out token of `provider` names, which `client` has sent; returns how many. Its signature is
/// looked at before anything is looked up.
pub(super) async fn log_out_by(
    sessions: &SessionStore,
    oidc: &Oidc,
    provider: &Provider,
    token: &str,
    client: ClientKey,
) -> Result<usize, NotLoggedOut> {
    let refused = |why: &dyn std::fmt::Display| {
        log::info!("oidc: a log-out token of {} is refused: {why}", provider.id);
        oidc.failures.note(client);
        NotLoggedOut::Refused
    };
    let judged = judge(provider, token).await?;
    let LoggedOut { subject, session, jti, until } = judged.map_err(|refusal| refused(&refusal))?;
    let issuer = &provider.rules.issuer;
    let digest = Sha256::new().chain_update(issuer).chain_update([0]).chain_update(&jti);
    let come = Single { kind: Kind::LogOut, digest: digest.finalize().into(), until };
    if sessions.has_come(&come).await.map_err(|_| NotLoggedOut::Unavailable)? {
        return Err(refused(&"it has come before"));
    }
    let ended = end(sessions, issuer, subject.as_deref(), session.as_deref()).await;
    let ended = ended.map_err(|_| NotLoggedOut::Unavailable)?;
    // Not before: what could not be done is done when the provider says so again.
    sessions.note_come(&come).await.map_err(|_| NotLoggedOut::Unavailable)?;
    log::info!("oidc: {} has ended {ended} sessions", provider.id);
    Ok(ended)
}

/// Ends the sessions of a user or of one session at the provider, whichever of the two are named; returns how many.
async fn end(
    sessions: &SessionStore,
    issuer: &str,
    subject: Option<&str>,
    session: Option<&str>,
) -> Result<usize, StoreError> {
    let subject = subject.map(|subject| Named::subject(issuer, subject));
    let of_session = session.map(|it| Whose { named: Named::session(issuer, it), all: true });
    let of_user = subject.map(|named| Whose { named, all: session.is_none() });
    let whose: Vec<_> = of_session.into_iter().chain(of_user).collect();
    // First, or one that is about to be opened would be missed.
    sessions.note_logged_out(&whose, Moment::now()).await?;
    match (session, subject) {
        (None, None) => Ok(0),
        (None, Some(subject)) => sessions.revoke_named(&subject, true).await,
        (Some(session), subject) => {
            let of_session = sessions.revoke_named(&Named::session(issuer, session), true).await;
            match (of_session, subject) {
                // Those of which the provider has not said to which of its sessions they belong.
                (Ok(count), Some(subject)) => {
                    sessions.revoke_named(&subject, false).await.map(|more| count + more)
                }
                (of_session, _) => of_session,
            }
        }
    }
}

/// What it is, as far as anybody can say now.
async fn judge(
    provider: &Provider,
    token: &str,
) -> Result<Result<LoggedOut, Refusal>, NotLoggedOut> {
    let keys = || provider.keys.get().ok_or(NotLoggedOut::NoKey);
    let mut judged = judge_by(keys()?, provider, token).await?;
    if let Err(Refusal::UnknownKey) = judged {
        let asked = provider.keys.ask(Bringer::Anybody, Moment::now()).await;
        judged = judge_by(keys()?, provider, token).await?;
        let may_come = asked == Asked::Later || !provider.keys.are_of_now();
        if may_come && let Err(Refusal::UnknownKey) = judged {
            return Err(NotLoggedOut::NoKey);
        }
    }
    Ok(judged)
}

async fn judge_by(
    keys: Arc<KeySet>,
    provider: &Provider,
    token: &str,
) -> Result<Result<LoggedOut, Refusal>, NotLoggedOut> {
    let unreadable = Refusal::Claims("it has not the form of a JWT, or its claims cannot be read");
    let (rules, now) = (logout_token::rules(&provider.rules), clock::unix_seconds());
    let token = token.to_owned();
    let judged = apart(move || {
        let token = Unverified::parse(token.as_bytes()).ok_or(unreadable)?;
        logout_token::verify(&token, &rules, &keys, now)
    });
    judged.await.map_err(|Busy| NotLoggedOut::Unavailable)
}

impl Provider {
    /// Where a browser signs out of the provider, if its users do; `id_token` says who it is. It comes back to `page`.
    pub fn end_session(&self, id_token: Option<&str>, page: &str) -> Option<Zeroizing<String>> {
        let endpoints = self.keys.endpoints().filter(|_| self.settings.load().sign_out)?;
        let back = origin_of(&self.redirect) + page;
        let parameters = Parameters::default()
            .with("client_id", &self.client_id)
            .with("post_logout_redirect_uri", &back);
        let parameters = match id_token {
            Some(id_token) => parameters.with("id_token_hint", id_token),
            None => parameters,
        };
        Some(parameters.behind(endpoints.end_session.as_ref()?))
    }
}

fn origin_of(uri: &Uri) -> String {
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    format!("{}://{authority}", uri.scheme_str().unwrap_or("https"))
}

/// Gives the refresh token of a session back that was signed out of, in the background.
pub(in crate::auth) fn give_back(provider: Arc<Provider>, refresh: Zeroizing<String>) {
    tokio::spawn(async move {
        if let Err(what) = provider.revoke(&refresh).await {
            log::debug!("oidc: {} does not take a refresh token back: {what}", provider.id);
        }
    });
}
