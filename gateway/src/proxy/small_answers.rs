//! Small public answers, read whole before any of them is passed on.
//!
//! Who has neither session nor token could otherwise hold a connection to the upstream for as long as
//! it takes them to read, with a window of HTTP/2 that is closed for example. So the gateway has the connection back before
//! the client gets a word. Answers that are not small go on as they come.

use std::pin::pin;

use bytes::BytesMut;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{Method, StatusCode};
use pingora::Error;
use pingora::http::ResponseHeader;
use pingora::protocols::http::HttpTask;
use pingora::protocols::http::client::HttpSession;

use super::context::Context;
use super::upstream::Target;
use super::{Downstream, Proxy, passing};
use crate::api::forward::Forward;

/// What is small.
const SMALL: usize = 64 * 1024;

/// Whether the answer is for somebody who has neither session nor token, and does not come piece by piece for minutes.
pub fn are_wanted(downstream: &Downstream, context: &Context) -> bool {
    let is_public = context.forward.as_ref().is_some_and(is_public);
    is_public && !matches!(downstream.req_header().uri.path(), "/query" | "/write")
}

fn is_public(forward: &Forward) -> bool {
    forward.caller().is_none()
}

/// Passes the answer on, whose head is there.
pub async fn pass(
    proxy: &Proxy,
    downstream: &mut Downstream,
    (mut head, mut session, target): (ResponseHeader, HttpSession<()>, &Target),
    context: &mut Context,
) -> pingora::Result<()> {
    let mut body = BytesMut::new();
    let is_whole = loop {
        let piece = async { session.read_response_body().await.map_err(Error::into_up) };
        match passing::unless_gone(downstream, pin!(piece)).await? {
            Some(piece) => body.extend_from_slice(&piece),
            None => break true,
        }
        if body.len() > SMALL {
            break false;
        }
    };
    let server = proxy.server(context);
    if is_whole {
        server.release(session, target).await;
        context.slot = None;
        frame(&mut head, &downstream.req_header().method, body.len())?;
        proxy.complete(downstream, &mut head, context).await?;
        let mut tasks = vec![HttpTask::Header(Box::new(head), body.is_empty())];
        if !body.is_empty() {
            tasks.push(HttpTask::Body(Some(body.freeze()), true));
        }
        downstream.write_response_tasks(tasks).await?;
        return Ok(());
    }
    let head = passing::complete(proxy, downstream, (head, &mut session), context).await?;
    let piece = HttpTask::Body(Some(body.freeze()), false);
    passing::pass(downstream, head, &mut session, Some(piece)).await?;
    server.release(session, target).await;
    Ok(())
}

/// Says how long the body is, as far as there is one.
fn frame(head: &mut ResponseHeader, method: &Method, length: usize) -> pingora::Result<()> {
    let has_none = matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    // Of a HEAD it says the length of what a GET would get.
    if !has_none && *method != Method::HEAD {
        head.remove_header(&TRANSFER_ENCODING);
        head.insert_header(CONTENT_LENGTH, length)?;
    }
    Ok(())
}
