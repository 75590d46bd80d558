//! Password changes: in the users file or upstream. Also other changes of InfluxDB's users.

use http::StatusCode;
use http::request::Parts;
use zeroize::Zeroizing;

use super::context::Context;
use super::decision::{Asked, Decision};
use super::gateway::Gateway;
use super::origin::ClientInfo;
use crate::api::forward::Forward;
use crate::api::rejection::Rejection;
use crate::api::route::{Account, Proof, Route};
use crate::api::{authorization, password, signin, users};
use crate::auth::credential::Caller;
use crate::auth::errand::{Deed, Errand};
use crate::user::UserId;

impl Gateway {
    /// Whether the body of a request is read here, whole and before anything is decided: that of local
    /// endpoints, of which only a new password is wanted. Whoever brings no session brings none.
    pub(super) fn reads(&self, route: Route<'_>, head: &Parts) -> bool {
        match route {
            Route::SignIn(_) | Route::SignOut(_) | Route::Me => true,
            Route::Password(..) => {
                self.auth.keeps_passwords()
                    && authorization::token(&head.headers).is_none()
                    && self.cookie.token(&head.headers).is_some()
            }
            _ => false,
        }
    }

    /// A new password is the business of whoever keeps the old one.
    pub(super) async fn new_password(
        &self,
        caller: Caller,
        account: Account<'_>,
        proof: Proof,
        asked: Asked<'_>,
    ) -> Result<Decision, Rejection> {
        if proof == Proof::Session && caller.session().is_some() && !self.password_by_session {
            return Err(Rejection::OldPasswordWanted);
        }
        match caller {
            Caller::Session(session) if self.auth.keeps_passwords() => {
                password::check_account(&session, account)?;
                let password = self.auth.password_of(&session).ok_or(Rejection::Unauthorized)?;
                let (old, meta) = (authorization::basic(&asked.head.headers), asked.client.meta());
                let body = Zeroizing::new(asked.body.to_vec());
                let change = password::change(&self.auth, &password, proof, old, &body, &meta);
                change.await.map(Decision::Respond)
            }
            // Whatever is asked for with a token of the upstream is the upstream's affair.
            caller => {
                let account = match account {
                    Account::Of(id) => users::account(id),
                    Account::Own => caller.user().map(|user| user.id()),
                };
                let deed = match proof {
                    Proof::OldPassword => Deed::ReplacePassword,
                    Proof::Session => Deed::SetPassword,
                };
                let errand = self.errand(deed, account, &caller, asked.client)?;
                let forward = Forward::on_behalf_of(caller).with_old_password();
                Ok(Decision::Forward(forward.with_errand(errand)))
            }
        }
    }

    /// What the upstream is about to do to a user of its own.
    pub(super) fn errand(
        &self,
        deed: Deed,
        account: Option<UserId>,
        caller: &Caller,
        client: &ClientInfo,
    ) -> Result<Option<Box<Errand>>, Rejection> {
        let errand = self.auth.errand(deed, account, caller, &client.meta());
        errand.map_err(|error| signin::not_looked_at(&error))
    }

    /// Draws the conclusions from what the upstream has answered to that.
    pub(super) async fn conclude(&self, status: StatusCode, context: &mut Context) {
        if status.is_informational() {
            return;
        }
        let Some(forward) = &mut context.forward else { return };
        if let Some(errand) = forward.take_errand()
            && let Some(caller) = forward.caller()
        {
            let meta = context.client.meta();
            Box::pin(self.auth.conclude(*errand, status, caller, &meta)).await;
        }
    }
}
