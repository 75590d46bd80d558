//! The body of a request: read whole for a local endpoint, or forwarded piece by piece.

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http::header::EXPECT;
use pingora::{Error, ErrorType};

use super::context::{Body, Context};
use super::downstream::{self, keep_while_interim};
use super::revocation::{self, CUT_OFF};
use super::upstream::TOO_LARGE;
use super::{Downstream, rest};
use crate::api::framing;
use crate::api::rejection::Rejection;
use crate::auth::Auth;
use crate::limits::Limits;
use crate::net::http1::connection::Connection;

/// Counts a piece that is forwarded, and stops it where the request may not go on.
pub fn forward(
    auth: &Auth,
    downstream: &mut Downstream,
    body: &mut Option<Bytes>,
    end_of_stream: bool,
    context: &mut Context,
) -> pingora::Result<()> {
    rest::check(context)?;
    if revocation::cut_off(auth, downstream.req_header(), context).is_some() {
        return Error::e_explain(CUT_OFF, "its session was ended while its body was coming")
            .map_err(|e: Box<Error>| e.into_down());
    }
    if end_of_stream {
        // What has been sent is sent.
        context.watch = None;
        context.has_holder = false;
        context.expires = None;
    } else if context.is_call && context.body_bytes == 0 {
        // It has begun; how long it is silent then, is its own business.
        downstream.as_downstream_mut().set_read_timeout(None);
    }
    context.body_bytes += body.as_ref().map_or(0, |piece| piece.len() as u64);
    if is_too_large(context) {
        return Error::e_explain(TOO_LARGE, "the body is too large")
            .map_err(|e: Box<Error>| e.into_down());
    }
    // An empty last piece would be written as a second end of a chunked body, and poison the
    // connection for whoever has it next.
    if end_of_stream && body.as_ref().is_some_and(Bytes::is_empty) {
        *body = None;
    }
    Ok(())
}

/// Takes the body of a request that is forwarded, if all of it is here: nobody is waited for.
pub async fn take(downstream: &mut Downstream, context: &mut Context) -> Result<(), Rejection> {
    if context.body.read().is_some() {
        return Ok(());
    }
    if downstream.as_downstream_mut().is_body_done() {
        context.body = Body::Read(Bytes::new());
        return Ok(());
    }
    let has_come = || downstream::connection(downstream).is_some_and(Connection::has_all);
    if !matches!(context.body, Body::Here) && !has_come() {
        return Ok(());
    }
    // It is here, and yet some who have sent it wait for that.
    agree_to_come(downstream).await?;
    let mut body = BytesMut::new();
    let client = downstream.as_downstream_mut();
    while let Some(piece) = client.read_request_body().await.map_err(|it| unreadable(&it))? {
        body.extend_from_slice(&piece);
    }
    context.body_bytes = body.len() as u64;
    if is_too_large(context) {
        return Err(Rejection::TooLarge);
    }
    context.body = Body::Read(body.freeze());
    Ok(())
}

/// Whether more of a body was forwarded, or is to be, than may be.
fn is_too_large(context: &Context) -> bool {
    context.policy.limits.body_bytes.is_some_and(|most| context.body_bytes > most)
}

/// Reads the whole body of the request, of at most so many bytes, and no later than a local one may be. However
/// often a byte of it comes, all of it has one deadline.
pub async fn read(
    downstream: &mut Downstream,
    limits: &Limits,
    most: usize,
) -> Result<Bytes, Rejection> {
    let declared = framing::declared_length(&downstream.req_header().headers);
    if declared.is_some_and(|length| length > most as u64) {
        return Err(Rejection::TooLarge);
    }
    let pieces = read_pieces(downstream, limits, most);
    let whole = tokio::time::timeout(limits.local_body, pieces).await;
    whole.unwrap_or(Err(Rejection::ClientTimedOut))
}

async fn read_pieces(
    downstream: &mut Downstream,
    limits: &Limits,
    most: usize,
) -> Result<Bytes, Rejection> {
    // Otherwise the client would wait for leave to send it.
    agree_to_come(downstream).await?;
    let client = downstream.as_downstream_mut();
    let mut body = BytesMut::new();
    loop {
        // Pingora itself knows no such limit with HTTP/2.
        let read = tokio::time::timeout(limits.body, client.read_request_body());
        let read = read.await.map_err(|_late| Rejection::ClientTimedOut)?;
        let Some(chunk) = read.map_err(|error| unreadable(&error))? else { break };
        if body.len() + chunk.len() > most {
            return Err(Rejection::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// Says that the body may come, to whom has asked (RFC 9110 section 10.1.1).
async fn agree_to_come(downstream: &mut Downstream) -> Result<(), Rejection> {
    if downstream.req_header().headers.contains_key(EXPECT) {
        keep_while_interim(downstream, StatusCode::CONTINUE);
        let told = downstream.as_downstream_mut().write_continue_response().await;
        told.map_err(|_gone| Rejection::Unreadable)?;
    }
    Ok(())
}

fn unreadable(error: &Error) -> Rejection {
    match error.etype() {
        ErrorType::ReadTimedout => Rejection::ClientTimedOut,
        _ => Rejection::Unreadable,
    }
}
