//! An HTTP/1 connection: one request after the other (keep-alive).
//!
//! Pingora would do this by itself, and spend some 30 KiB on a connection that waits for its next
//! request: it prepares for a request before there is one. Here the [`Connection`] waits, which takes
//! next to nothing, and Pingora gets the connection with each request and gives it back after it.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use http::Method;
use pingora::apps::{HttpPersistentSettings, HttpServerApp, ReusedHttpStream};
use pingora::protocols::Stream;
use pingora::protocols::http::ServerSession;
use pingora::server::ShutdownWatch;
use tokio::time::{Instant, sleep};

use super::connection::Connection;
use crate::api::route;
use crate::limits::Limits;

/// How long the first request may take to begin, as in Pingora.
const FIRST: Duration = Duration::from_secs(60);

/// How long a connection is kept.
#[derive(Clone, Copy, Debug)]
pub struct KeepAlive {
    /// Time to wait for the next request.
    pub idle: Duration,
    /// Requests on it after the first; `None`: any number.
    pub reuses: Option<u32>,
}

impl From<&Limits> for KeepAlive {
    fn from(limits: &Limits) -> Self {
        // Pingora counts the requests after the first.
        Self { idle: limits.keepalive, reuses: u32::try_from(limits.requests - 1).ok() }
    }
}

/// Answers requests by itself that have come whole.
pub trait Whole: Send + Sync + 'static {
    /// Answers the one that `start` has. Gives `connection` back if there may be another.
    fn answer(
        self: &Arc<Self>,
        connection: Stream,
        start: Start,
    ) -> impl Future<Output = Option<ReusedHttpStream>> + Send;
}

/// What a request begins with.
pub struct Start {
    request: BytesMut,
    /// Those of the request before, if there was one.
    settings: Option<HttpPersistentSettings>,
    keep_alive: KeepAlive,
    is_shutting_down: bool,
}

impl Start {
    /// Has Pingora's `session` begin with it.
    pub fn apply(self, session: &mut ServerSession) {
        if let Some(settings) = self.settings {
            settings.apply_to_session(session);
        } else {
            session.set_keepalive(Some(FIRST.as_secs()));
            session.set_keepalive_reuses_remaining(self.keep_alive.reuses);
        }
        if self.is_shutting_down {
            session.set_keepalive(None);
        }
        // As if it had come along with the request before: nothing is read or copied again. It never
        // has: of the next request the connection gives Pingora nothing to keep.
        session.set_pipelined_prefix(self.request);
    }
}

/// Has `whole` and `proxy` answer the requests of `connection`. Gives it back if its client speaks HTTP/2.
pub async fn serve<P: HttpServerApp + Send + Sync + 'static, W: Whole>(
    (whole, proxy): (Option<&Arc<W>>, &Arc<P>),
    mut connection: Box<Connection>,
    keep_alive: KeepAlive,
    shutdown: &ShutdownWatch,
) -> Option<Box<Connection>> {
    let mut watch = shutdown.clone();
    let mut closing = pin!(async move {
        let _ = watch.wait_for(|is_shutting_down| *is_shutting_down).await;
    });
    // Moved on with every request, which is cheaper than to set another.
    let mut patience = pin!(sleep(FIRST));
    let mut settings = None;
    loop {
        let request = tokio::select! {
            // A request that is there is answered, whatever else has happened.
            biased;
            request = connection.next_request(patience.as_mut()) => request,
            () = &mut closing => None,
        };
        let Some(request) = request else { return connection.is_http_2().then_some(connection) };
        let whole = whole.filter(|_| connection.has_all() && is_usual(&request));
        let is_shutting_down = *shutdown.borrow();
        let start = Start { request, settings: settings.take(), keep_alive, is_shutting_down };
        let reused = if let Some(whole) = whole {
            // By itself: what it needs it gives back when the connection is idle.
            Box::pin(whole.answer(connection, start)).await?
        } else {
            let mut session = ServerSession::new_http1(connection);
            start.apply(&mut session);
            proxy.process_new_http(session, shutdown).await?
        };
        let stream;
        (stream, settings) = reused.consume();
        connection = stream.into_any().downcast().ok()?;
        patience.as_mut().reset(Instant::now() + keep_alive.idle);
    }
}

/// Whether the method of `request` is one that is forwarded. `CONNECT` makes it another thing.
fn is_usual(request: &[u8]) -> bool {
    let method = request.split(|&byte| byte == b' ').next().map(Method::from_bytes);
    method.is_some_and(|method| method.is_ok_and(|method| route::is_known(&method)))
}
