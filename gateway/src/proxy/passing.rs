//! An answer on its way from the upstream to the client, when nothing more comes of the request.

use std::future::{Future, poll_fn};
use std::mem;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use pingora::http::ResponseHeader;
use pingora::protocols::http::HttpTask;
use pingora::protocols::http::client::HttpSession;
use pingora::{Error, ErrorType};
use tokio::task::unconstrained;
use tokio::time::sleep;

use super::context::Context;
use super::{Downstream, Proxy};

/// So many pieces of an answer are written at once, at most, and none is added to so many bytes.
const PIECES: usize = 32;
const BYTES: usize = 32 * 1024;

/// After so many writes an answer is a long one. If it comes in small pieces, it is left to gather for so long before it is
/// read on: InfluxDB sends a query's result in thousands of chunks of 4 KiB, and each would be read and written by itself.
const LONG: usize = 8;
const REST: Duration = Duration::from_millis(1);

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
    let mut writes = 0;
    loop {
        while !is_enough(&tasks) && !tasks.last().is_some_and(HttpTask::is_end) {
            match now(next(session)).await {
                Poll::Ready(piece) => tasks.push(piece),
                Poll::Pending => break,
            }
        }
        let is_last = tasks.last().is_some_and(HttpTask::is_end);
        writes += 1;
        let rest = writes > LONG && !is_enough(&tasks);
        downstream.write_response_tasks(mem::take(&mut tasks)).await?;
        if is_last {
            return Ok(());
        }
        let piece = async {
            if rest {
                sleep(REST).await;
            }
            Ok(next(session).await)
        };
        tasks.push(unless_gone(downstream, pin!(piece)).await?);
    }
}

/// Whether `tasks` are as much as is written at once.
fn is_enough(tasks: &[HttpTask]) -> bool {
    let size = |task: &HttpTask| match task {
        HttpTask::Body(Some(piece), _) => piece.len(),
        _ => 0,
    };
    tasks.len() >= PIECES || tasks.iter().map(size).sum::<usize>() >= BYTES
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

/// What comes of `waiting`, unless the client leaves before. It is pinned where it was made: what moves is copied, and has
/// room in each place where it was.
pub async fn unless_gone<T>(
    downstream: &mut Downstream,
    waiting: Pin<&mut impl Future<Output = pingora::Result<T>>>,
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
