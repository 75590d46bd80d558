//! Checks whether a request whose session was valid at its head may still go on.

use http::request::Parts;
use pingora::ErrorType;

use super::context::Context;
use super::held::WebSocket;
use super::{Downstream, downstream};
use crate::api::forward::Forward;
use crate::api::rejection::Rejection;
use crate::auth::Auth;
use crate::auth::credential::Caller;
use crate::auth::gateway_tokens;
use crate::clock;
use crate::directory::client_tokens::Holder;
use crate::gateway::access;
use crate::gateway::policy::Policy;
use crate::session::{Notice, Session};
use crate::user::Status;

/// The error when a request may not go on.
pub const CUT_OFF: ErrorType = ErrorType::Custom("the session was ended");

/// Makes sure that the session of a request still holds when it is forwarded, and watches over it if
/// the body is still to come.
pub fn accompany(
    auth: &Auth,
    downstream: &mut Downstream,
    forward: &Forward,
    context: &mut Context,
) -> Result<(), Rejection> {
    let is_whole = downstream.as_downstream_mut().is_body_done();
    if !is_whole {
        context.expires = forward.caller().and_then(Caller::expires);
    }
    let Some(session) = forward.session() else {
        context.has_holder = forward.gateway_token().is_some();
        return Ok(());
    };
    let is_websocket = forward.visit().is_some_and(|visit| visit.is_websocket);
    context.websocket = is_websocket.then(Box::default);
    let watch = (!is_whole || is_websocket).then(|| auth.watch(session));
    // It may have waited for a permit; and of what has happened before now, no watch is told.
    if session.has_ended() {
        return Err(Rejection::Unauthorized);
    }
    let Some(watch) = watch else { return Ok(()) };
    check_again(&context.policy, forward, downstream.req_header())?;
    if let Some(connection) = downstream::connection(downstream) {
        connection.interrupt_at(watch.bell());
    }
    context.watch = Some(watch);
    Ok(())
}

/// Why a request of which more is to come may not go on: its session was ended or has lived its time, its JWT has expired,
/// or its user may do less than before. That a session has idled out meanwhile is no reason, but for a WebSocket.
pub fn cut_off(auth: &Auth, request: &Parts, context: &Context) -> Option<Rejection> {
    if context.has_holder
        && let Some(Caller::Holder(holder)) = context.forward.as_ref()?.caller()
    {
        return holder_cut_off(auth, request, (holder, context));
    }
    if context.websocket.as_deref().is_some_and(WebSocket::is_over) {
        return Some(Rejection::Unauthorized);
    }
    if context.expires.is_some_and(|expires| expires <= clock::unix_seconds()) {
        return Some(Rejection::Unauthorized);
    }
    let watch = context.watch.as_ref()?;
    match watch.notice() {
        Notice::Nothing if watch.has_outlived() => Some(Rejection::Unauthorized),
        Notice::Nothing => None,
        Notice::Revoked => Some(Rejection::Unauthorized),
        Notice::Changed => check_again(&context.policy, context.forward.as_ref()?, request).err(),
    }
}

/// Makes sure that a request which has come whole may still go on, when it has waited for a connection.
pub fn check_whole(auth: &Auth, request: &Parts, context: &Context) -> Result<(), Rejection> {
    let Some(forward) = &context.forward else { return Ok(()) };
    if let Some(Caller::Holder(holder)) = forward.caller() {
        return holder_cut_off(auth, request, (holder, context)).map_or(Ok(()), Err);
    }
    let expires = forward.caller().and_then(Caller::expires);
    let is_over = expires.is_some_and(|expires| expires <= clock::unix_seconds());
    if is_over || forward.session().is_some_and(|session| session.has_ended()) {
        return Err(Rejection::Unauthorized);
    }
    check_again(&context.policy, forward, request)
}

/// The same of a request with a gateway token, at each piece of its body: it is looked up anew.
#[cold]
fn holder_cut_off(
    auth: &Auth,
    request: &Parts,
    (holder, context): (&Holder, &Context),
) -> Option<Rejection> {
    let Some(now) = gateway_tokens::holder_now(auth, holder) else {
        return Some(Rejection::Unauthorized);
    };
    if now.user.status == Status::Inactive {
        return Some(Rejection::UserInactive);
    }
    access::check(&context.policy, &Caller::Holder(now), request).err()
}

fn check_again(policy: &Policy, forward: &Forward, request: &Parts) -> Result<(), Rejection> {
    forward.session().map_or(Ok(()), |session| check_status(session))?;
    forward.caller().map_or(Ok(()), |caller| access::check(policy, caller, request))
}

fn check_status(session: &Session) -> Result<(), Rejection> {
    match session.user().status {
        Status::Active => Ok(()),
        Status::Inactive => Err(Rejection::UserInactive),
    }
}
