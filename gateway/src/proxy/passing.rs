//! An answer on its way from the upstream to the client, when nothing more comes of the request.

use std::future::{Future, poll_fn};
use std::mem;
use std::pin::pin;
use std::task::Poll;

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use pingora::http::ResponseHeader;
use pingora::protocols::http::HttpTask;
use pingora::protocols::http::client::HttpSession;
use pingora::{Error, ErrorType};
use tokio::task::unconstrained;

use super::context::Context;
use super::{Downstream, Proxy};

/// So many pieces of an answer are written at once, at most, and none is added to so many bytes.
const PIECES: usize = 4;
const BYTES: usize = 32 * 1024;

/// The head of the answer as the client gets it.
pub async fn complete(
    proxy: &Proxy,
    downstream: &mut Downstream,
    (mut head, session): (ResponseHeader, &mut HttpSession<()>),
    context: &mut Context,
) -> pingora::Result<ResponseHeader> {
    let is_framed =
        [TRANSFER_ENCODING, CONTENT_LENGTH].iter().any(|it| head.headers.contains_key(it));
    if !is_framed && !is_over(session) {
        // As Pingora has it; what the client does not understand of it is taken off again.
        head.insert_header(TRANSFER_ENCODING, "chunked")?;
    }
    proxy.complete(downstream, &mut head, context).await?;
    Ok(head)
}

/// Writes an answer of which a `piece` may be there, and the rest as it comes.
pub async fn pass(
    downstream: &mut Downstream,
    head: ResponseHeader,
    session: &mut HttpSession<()>,
    piece: Option<HttpTask>,
) -> pingora::Result<()> {
    let is_alone = piece.is_none() && is_over(session);
    let mut tasks = vec![HttpTask::Header(Box::new(head), is_alone)];
    tasks.extend(piece);
    loop {
        while tasks.len() < PIECES
            && size(&tasks) < BYTES
            && !tasks.last().is_some_and(HttpTask::is_end)
        {
            match now(next(session)).await {
                Poll::Ready(piece) => tasks.push(piece),
                Poll::Pending => break,
            }
        }
        let is_last = tasks.last().is_some_and(HttpTask::is_end);
        downstream.write_response_tasks(mem::take(&mut tasks)).await?;
        if is_last {
            return Ok(());
        }
        let piece = async { Ok(next(session).await) };
        tasks.push(unless_gone(downstream, piece).await?);
    }
}

/// How many bytes of a body there are in `tasks`.
fn size(tasks: &[HttpTask]) -> usize {
    let size = |task: &HttpTask| match task {
        HttpTask::Body(Some(piece), _) => piece.len(),
        _ => 0,
    };
    tasks.iter().map(size).sum()
}

/// What comes of `waiting` without any waiting.
async fn now<T>(waiting: impl Future<Output = T>) -> Poll<T> {
    let mut waiting = pin!(unconstrained(waiting));
    poll_fn(|context| Poll::Ready(waiting.as_mut().poll(context))).await
}

/// The next piece of an answer.
async fn next(session: &mut HttpSession<()>) -> HttpTask {
    match session.read_response_body().await {
        Ok(piece @ Some(_)) => HttpTask::Body(piece, is_over(session)),
        Ok(None) => HttpTask::Body(None, true),
        Err(error) => HttpTask::Failed(error.into_up()),
    }
}

/// Whether nothing more comes of an answer.
fn is_over(session: &mut HttpSession<()>) -> bool {
    match session {
        HttpSession::H1(session) => session.is_body_done(),
        HttpSession::H2(_) | HttpSession::Custom(()) => false,
    }
}

/// What comes of `waiting`, unless the client leaves before.
pub async fn unless_gone<T>(
    downstream: &mut Downstream,
    waiting: impl Future<Output = pingora::Result<T>>,
) -> pingora::Result<T> {
    tokio::select! {
        biased;
        done = waiting => done,
        _ = downstream.as_downstream_mut().read_body_or_idle(true) => {
            Error::e_explain(ErrorType::ConnectionClosed, "the client is gone")
                .map_err(|error: Box<Error>| error.into_down())
        }
    }
}
