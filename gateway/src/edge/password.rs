//! Password changes: in the users file or upstream. Also other changes of InfluxDB's users.

use http::StatusCode;

use super::context::Context;
use super::gateway::{Decision, Gateway};
use crate::api::rejection::Rejection;
use crate::api::route::{Account, Proof};
use crate::api::{password, signin, users};
use crate::auth::credential::{Caller, Purpose};
use crate::auth::errand::Deed;
use crate::user::UserId;

impl Gateway {
    /// A new password is the business of whoever keeps the old one.
    pub(super) fn decide_password(
        &self,
        caller: Caller,
        account: Account<'_>,
        proof: Proof,
        context: &mut Context,
    ) -> Result<Decision, Rejection> {
        if proof == Proof::Session && caller.session().is_some() && !self.password_by_session {
            return Err(Rejection::OldPasswordWanted);
        }
        match caller {
            Caller::Session(session) if self.auth.keeps_passwords() => {
                password::check_account(&session, account)?;
                let password = self.auth.password_of(&session).ok_or(Rejection::Unauthorized)?;
                Ok(Decision::ChangePassword(password, proof))
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
                self.send_on(deed, account, &caller, context)?;
                context.purpose = Purpose::NewPassword;
                Ok(Decision::Forward(caller))
            }
        }
    }

    /// Has the upstream do something to a user of its own.
    pub(super) fn send_on(
        &self,
        deed: Deed,
        account: Option<UserId>,
        caller: &Caller,
        context: &mut Context,
    ) -> Result<(), Rejection> {
        let errand = self.auth.errand(deed, account, caller, &context.visit());
        context.errand = errand.map_err(|error| signin::not_looked_at(&error))?;
        Ok(())
    }

    /// Draws the conclusions from what the upstream has answered to that.
    pub(super) async fn conclude(&self, status: StatusCode, context: &mut Context) {
        if status.is_informational() {
            return;
        }
        if let (Some(errand), Some(caller)) = (context.errand.take(), &context.caller) {
            Box::pin(self.auth.conclude(*errand, status, caller, &context.visit())).await;
        }
    }
}
