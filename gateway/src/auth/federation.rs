//! Users whom identity providers know: they come with a JWT, or by signing in there.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use zeroize::Zeroizing;

use super::Auth;
use super::credential::JwtCaller;
use super::jwt::error::JwtError;
use super::jwt::{Jwts, Supposed};
use super::oidc::Oidc;
use super::oidc::provider::Provider;
use crate::audit::{Event, EventKind};
use crate::clock::Moment;
use crate::directory::Directory;
use crate::directory::file::FileDirectory;
use crate::directory::users::Account;
use crate::request_meta::RequestMeta;
use crate::session::Session;
use crate::session::origin::Named;
use crate::session::provider::Granting;
use crate::session::store::StoreError;
use crate::session::token::SessionToken;
use crate::user::UserId;
use crate::user::name::Username;

impl Auth {
    /// The same, where `jwts` are taken too, and users come by the providers of `oidc`.
    #[must_use]
    pub fn taking(self, jwts: Option<Jwts>, oidc: Option<Oidc>) -> Self {
        let oidc = oidc.map(Arc::new);
        if let Some(oidc) = &oidc {
            self.sessions.grant_by(Arc::clone(oidc) as Arc<dyn Granting>);
        }
        Self { jwts, oidc, ..self }
    }

    /// The providers that sign users in, if there are any.
    pub fn oidc(&self) -> Option<&Oidc> {
        self.oidc.as_deref()
    }

    /// The same, for work that goes on by itself.
    pub(super) fn shared_oidc(&self) -> Option<&Arc<Oidc>> {
        self.oidc.as_ref()
    }

    /// The provider of the session of `token`, and its refresh token, if there are such.
    pub(super) async fn provider_of(
        &self,
        token: &SessionToken,
        now: Moment,
    ) -> Result<Option<(Arc<Provider>, Zeroizing<String>)>, StoreError> {
        let Some(oidc) = &self.oidc else { return Ok(None) };
        let Some(session) = self.sessions.peek(token, now).await? else { return Ok(None) };
        let kept = self.sessions.kept(&session, token).await?;
        let refresh = kept.and_then(|kept| kept.refresh);
        let provider = session.provider().and_then(|half| oidc.find(half.provider()));
        Ok(provider.cloned().zip(refresh))
    }

    /// How long `session` lives at most for the provider that has signed its user in, if one has.
    pub(super) fn life_by_provider(&self, session: &Session) -> Option<Duration> {
        let provider = self.oidc()?.find(session.provider()?.provider())?;
        Some(provider.settings.load().lifetime)
    }

    /// Whether JWTs of identity providers are taken.
    pub fn takes_jwts(&self) -> bool {
        self.jwts.is_some()
    }

    /// Whether there is a JWT of an identity provider in this `Authorization`, good or bad: it never goes upstream.
    pub fn is_jwt(&self, authorization: &HeaderValue) -> bool {
        self.jwts.as_ref().is_some_and(|jwts| jwts.is_for_us(authorization))
    }

    /// Who comes with the JWT in this `Authorization`; `None` if there is none of an identity provider's.
    pub async fn by_jwt<'a>(
        &self,
        authorization: &HeaderValue,
        meta: impl Fn() -> RequestMeta<'a>,
    ) -> Option<Result<Arc<JwtCaller>, JwtError>> {
        let (client, is_taken) = (|| meta().network(), |name: &Username| self.has_account(name));
        let judged = self.jwts.as_ref()?.caller(authorization, client, is_taken).await?;
        Some(judged.map_err(|refused| {
            if refused.is_new
                && let Some((reason, user)) = refused.error.reason()
            {
                let event = Event::now(EventKind::Refused(reason)).on(&meta());
                self.audit.record(match user {
                    Some(user) => event.to(user),
                    None => event,
                });
            }
            refused.error
        }))
    }

    /// What the JWT in this `Authorization` would be worth; see [`Jwts::suppose`].
    pub fn suppose_jwt(&self, authorization: &HeaderValue) -> Option<Supposed> {
        self.jwts.as_ref()?.suppose(authorization, |name| self.has_account(name))
    }

    /// The account of whom a sign-in provider calls so, if the users file says who that is here.
    pub(super) fn linked(
        &self,
        provider: &str,
        subject: &str,
    ) -> Option<(Arc<FileDirectory>, Account)> {
        let Directory::File(file) = &self.directory else { return None };
        Some((Arc::clone(file), file.linked(provider, subject)?))
    }

    /// Whether somebody whom the sign-in provider `provider` calls so is the user `id` of the users file; or, if that has no
    /// such user, may be called `name` beside it.
    pub(super) fn still_is(
        &self,
        (id, name): (UserId, &Username),
        provider: &str,
        subject: impl FnOnce() -> Option<Named>,
    ) -> bool {
        let Directory::File(file) = &self.directory else { return true };
        if file.user(id).is_none() {
            return !file.knows_like(name);
        }
        // Where nothing is at hand of it, whoever looked the session up has looked at it.
        let Some(subject) = subject() else { return true };
        let provider = self.oidc.as_ref().and_then(|oidc| oidc.find(provider));
        provider.is_some_and(|it| {
            let is_it = |called: &str| Named::subject(&it.rules.issuer, called) == subject;
            file.is_linked(id, &it.id, is_it)
        })
    }

    /// Whether somebody in the users file is called so, or so in another letter case.
    pub(super) fn has_account(&self, name: &Username) -> bool {
        match &self.directory {
            Directory::File(file) => file.knows_like(name),
            Directory::Influxdb(_) => false,
        }
    }
}
