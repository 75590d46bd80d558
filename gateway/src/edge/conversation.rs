//! An HTTP/1 connection: one request after the other (keep-alive).
//!
//! Pingora would do this by itself, and spend some 30 KiB on a connection that waits for its next
//! request: it prepares for a request before there is one. Here the [`Guard`] waits, which takes
//! next to nothing, and Pingora gets the connection with each request and gives it back after it.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use pingora::apps::{HttpPersistentSettings, HttpServerApp};
use pingora::protocols::Stream;
use pingora::protocols::http::ServerSession;
use pingora::server::ShutdownWatch;
use pingora_proxy::HttpProxy;
use tokio::time::{Instant, sleep};

use super::gateway::Gateway;
use super::guard::Guard;

/// How long the first request may take to begin, as in Pingora.
const FIRST: Duration = Duration::from_secs(60);

/// Has `proxy` answer the requests of a connection, which may be `keepalive` apart.
pub(super) async fn hold(
    proxy: &Arc<HttpProxy<Gateway>>,
    mut guard: Box<Guard>,
    keepalive: Duration,
    shutdown: &ShutdownWatch,
) {
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
            request = guard.next_request(patience.as_mut()) => request,
            () = &mut closing => None,
        };
        let Some(request) = request else { return };
        let mut session = session(proxy, guard, settings.take(), shutdown);
        // As if it had come along with the request before: nothing is read or copied again. It never
        // has: of the next request the guard gives Pingora nothing to keep.
        session.set_pipelined_prefix(request);
        let Some(reused) = proxy.process_new_http(session, shutdown).await else { return };
        let stream;
        (stream, settings) = reused.consume();
        let Ok(same) = stream.into_any().downcast() else { return };
        guard = same;
        patience.as_mut().reset(Instant::now() + keepalive);
    }
}

/// What Pingora wants to have for a request: with the `settings` of the one before, if there was.
fn session(
    proxy: &HttpProxy<Gateway>,
    stream: Stream,
    settings: Option<HttpPersistentSettings>,
    shutdown: &ShutdownWatch,
) -> ServerSession {
    let mut session = ServerSession::new_http1(stream);
    if let Some(settings) = settings {
        settings.apply_to_session(&mut session);
        return session;
    }
    let is_shutting_down = *shutdown.borrow();
    session.set_keepalive((!is_shutting_down).then_some(FIRST.as_secs()));
    let options = proxy.server_options.as_ref();
    let reuses = options.and_then(|options| options.keepalive_request_limit);
    session.set_keepalive_reuses_remaining(reuses);
    session
}
