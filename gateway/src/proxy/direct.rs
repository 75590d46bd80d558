//! Requests that have come whole, without Pingora's proxy around them.
//!
//! The [steps](super::handle) are the same. Pingora makes room for all that a proxy may do, a cache for example, and copies
//! it with each request.

use std::io::Cursor;
use std::sync::Arc;

use async_trait::async_trait;
use http::Method;
use pingora::apps::{HttpPersistentSettings, HttpServerApp, HttpServerOptions, ReusedHttpStream};
use pingora::protocols::Stream;
use pingora::protocols::http::ServerSession;
use pingora::protocols::http::v2::server::H2Options;
use pingora::server::ShutdownWatch;
use pingora::{Error, ErrorSource, ErrorType};
use pingora_proxy::HttpProxy;

use super::context::{Body, Context};
use super::handle::Next;
use super::phases::Phases;
use super::{Downstream, Proxy, call, downstream, exchange, handle, http2};
use crate::net::http1::keepalive::{Start, Whole};

impl Whole for Proxy {
    async fn answer(
        self: &Arc<Self>,
        connection: Stream,
        start: Start,
    ) -> Option<ReusedHttpStream> {
        let mut downstream = Downstream::new_h1(connection);
        let client = downstream.as_downstream_mut();
        start.apply(client);
        // What Pingora cannot read has been refused before.
        if !matches!(client.read_request().await, Ok(true)) {
            client.shutdown().await;
            return None;
        }
        serve(self, downstream).await
    }
}

/// Answers what comes by HTTP/2, and what of HTTP/1 has not come whole.
pub struct Service {
    pub(super) proxy: Arc<Proxy>,
    pub(super) pingora: Arc<HttpProxy<Phases>>,
}

#[async_trait]
impl HttpServerApp for Service {
    async fn process_new_http(
        self: &Arc<Self>,
        session: ServerSession,
        shutdown: &ShutdownWatch,
    ) -> Option<ReusedHttpStream> {
        if !session.is_http2() || session.req_header().method == Method::CONNECT {
            return self.pingora.process_new_http(session, shutdown).await;
        }
        let (session, has_come) = http2::look_ahead(session).await;
        if has_come {
            serve(&self.proxy, of_http_2(session)).await
        } else {
            self.pingora.process_new_http(session, shutdown).await
        }
    }

    fn h2_options(&self) -> Option<H2Options> {
        self.pingora.h2_options()
    }

    fn server_options(&self) -> Option<&HttpServerOptions> {
        self.pingora.server_options()
    }

    async fn http_cleanup(&self) {
        self.pingora.http_cleanup().await;
    }
}

/// Pingora makes one of a connection of HTTP/1 only: of none here, which is gone at once.
fn of_http_2(session: ServerSession) -> Downstream {
    let mut downstream = Downstream::new_h1(Box::new(Cursor::new(Vec::<u8>::new())));
    *downstream.downstream_session = session;
    downstream
}

/// Answers the request that `downstream` has. Gives the connection back if there may be another.
async fn serve(proxy: &Proxy, mut downstream: Downstream) -> Option<ReusedHttpStream> {
    let mut context = proxy.context();
    // No other request of HTTP/2 comes here.
    if downstream::is_http_2(&downstream) {
        context.body = Body::Here;
    }
    let answered = answer(proxy, &mut downstream, &mut context).await;
    if let Err(error) = answered {
        let status = handle::fail(proxy, &mut downstream, &error, &mut context).await;
        if *error.esource() != ErrorSource::Downstream {
            let what = handle::summary(&downstream, &context);
            log::error!("a request has failed: {error}, status: {status}, {what}");
        }
        proxy.conclude(&downstream, &mut context);
        downstream.downstream_session.on_proxy_failure(error);
        return None;
    }
    proxy.conclude(&downstream, &mut context);
    let settings = HttpPersistentSettings::for_session(&downstream);
    let finished = downstream.downstream_session.finish().await;
    Some(ReusedHttpStream::from_reusable_stream(finished.ok()??, settings))
}

async fn answer(
    proxy: &Proxy,
    downstream: &mut Downstream,
    context: &mut Context,
) -> pingora::Result<()> {
    handle::begin(proxy, downstream, context)?;
    match handle::handle(proxy, downstream, context).await? {
        Next::Nothing => Ok(()),
        Next::Exchange => exchange::run(proxy, downstream, context).await,
        Next::Call => call::run(proxy, downstream, context).await,
        Next::Forward => {
            let what = "a request that has come whole was left to Pingora";
            Error::e_explain(ErrorType::InternalError, what)
        }
    }
}
