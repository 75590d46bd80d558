//! InfluxDB's own pages, where they are for who has a session.

use super::authenticator::Authenticator;
use super::policy::Policy;
use super::request::{Decision, Request};
use super::{access, navigation};
use crate::api::forward::{Forward, Visit};
use crate::api::rejection::Rejection;
use crate::api::route::Route;
use crate::api::websocket;

/// Decides about a request for one of them. Whoever gets there can do with InfluxDB what the pages can, whoever they
/// are: so it takes full access.
pub async fn answer(
    policy: &Policy,
    client: &mut Authenticator<'_>,
    request: Request<'_>,
) -> Result<Decision, Rejection> {
    let head = request.head;
    let is_websocket = websocket::asked(head)?;
    let caller = match client.visitor(is_websocket).await {
        Ok(visitor) => visitor.for_changes()?,
        Err(Rejection::Unauthorized) => {
            let instead = navigation::to_sign_in(policy, head).filter(|_| !is_websocket);
            return instead.map(Decision::Respond).ok_or(Rejection::Unauthorized);
        }
        Err(rejection) => return Err(rejection),
    };
    access::check(policy, &caller, head)?;
    let visit = Visit { is_apart: policy.forwarding.ui.is_apart(), is_websocket };
    Ok(Decision::Forward(Forward::to_page(caller, visit)))
}

/// Rejects a WebSocket where there are only answers.
pub fn check_protocol(policy: &Policy, request: Request<'_>) -> Result<(), Rejection> {
    let is_asked = || websocket::is_wanted(&request.head.headers);
    if policy.head.websockets && request.route != Route::Ui && is_asked() {
        return Err(Rejection::UpgradeRefused);
    }
    Ok(())
}
