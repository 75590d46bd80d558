//! Pingora's phases of a request, in their order.

use std::ops::Deref;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::HeaderMap;
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::modules::http::HttpModules;
use pingora::prelude::HttpPeer;
use pingora::protocols::Digest;
use pingora::{Error, ErrorSource};
use pingora_proxy::{FailToProxy, ProxyHttp, ProxyWarnLogContext};

use super::context::Context;
use super::handle::Next;
use super::upstream::{self, Watched};
use super::{Downstream, Proxy, call, exchange, grpc, handle, request_body, rest};

/// The proxy, as Pingora has it.
pub struct Phases(pub Arc<Proxy>);

impl Deref for Phases {
    type Target = Proxy;

    fn deref(&self) -> &Proxy {
        &self.0
    }
}

#[async_trait]
impl ProxyHttp for Phases {
    type CTX = Context;

    fn new_ctx(&self) -> Context {
        self.context()
    }

    /// Counts what is forwarded, and stops it where it may not go on.
    async fn request_body_filter(
        &self,
        downstream: &mut Downstream,
        body: &mut Option<Bytes>,
        end_of_stream: bool,
        context: &mut Context,
    ) -> pingora::Result<()> {
        request_body::forward(self.gateway.auth(), downstream, body, end_of_stream, context)
    }

    /// None: nothing is compressed or rewritten here.
    fn init_downstream_modules(&self, _modules: &mut HttpModules) {}

    /// How long this connection may take. Pingora's own defaults are mostly "for ever".
    async fn early_request_filter(
        &self,
        downstream: &mut Downstream,
        context: &mut Context,
    ) -> pingora::Result<()> {
        handle::begin(self, downstream, context)
    }

    /// Decides. `Ok(true)` tells Pingora that the response has been written.
    async fn request_filter(
        &self,
        downstream: &mut Downstream,
        context: &mut Context,
    ) -> pingora::Result<bool> {
        match handle::handle(self, downstream, context).await? {
            Next::Nothing => Ok(true),
            Next::Exchange => {
                Box::pin(exchange::run(self, downstream, context)).await?;
                Ok(true)
            }
            Next::Call => {
                Box::pin(call::run(self, downstream, context)).await?;
                Ok(true)
            }
            Next::Forward => Ok(false),
        }
    }

    /// Where to.
    async fn upstream_peer(
        &self,
        _downstream: &mut Downstream,
        context: &mut Context,
    ) -> pingora::Result<Box<HttpPeer>> {
        let upstream = self.upstream(context);
        let mut peer = upstream.target().await?.peer.clone();
        if context.is_call {
            peer = grpc::peer(peer, upstream.watched());
            context.open_call = upstream.watched().map(Watched::call);
        }
        Ok(Box::new(peer))
    }

    /// Nothing was sent, so another address may be tried, whatever the method.
    fn fail_to_connect(
        &self,
        _downstream: &mut Downstream,
        peer: &HttpPeer,
        context: &mut Context,
        mut error: Box<Error>,
    ) -> Box<Error> {
        context.attempts += 1;
        error.set_retry(self.upstream(context).may_try_again(peer, &error, context.attempts));
        upstream::counted(error)
    }

    /// Nothing is sent to anybody but the upstream.
    async fn connected_to_upstream(
        &self,
        _downstream: &mut Downstream,
        reused: bool,
        peer: &HttpPeer,
        _socket: RawFd,
        digest: Option<&Digest>,
        context: &mut Context,
    ) -> pingora::Result<()> {
        context.connected(peer, self.spans.is_some());
        upstream::count_connection(reused);
        self.upstream(context).check(peer, digest)
    }

    /// As Pingora does it by itself; except that nothing was sent to whoever is not the upstream.
    fn error_while_proxy(
        &self,
        peer: &HttpPeer,
        downstream: &mut Downstream,
        error: Box<Error>,
        context: &mut Context,
        reused: bool,
    ) -> Box<Error> {
        if upstream::is_not_sent(&error) {
            return self.fail_to_connect(downstream, peer, context, error);
        }
        upstream::counted(upstream::retried_by_itself(error, peer, downstream, reused))
    }

    /// Sets the identity, after Pingora has removed what is of this hop only.
    async fn upstream_request_filter(
        &self,
        _downstream: &mut Downstream,
        request: &mut RequestHeader,
        context: &mut Context,
    ) -> pingora::Result<()> {
        self.rewrite_request(request, context);
        if context.is_call { grpc::prepare(request, &context.policy.identity) } else { Ok(()) }
    }

    /// Removes what is the upstream's and the gateway's business only.
    async fn upstream_response_filter(
        &self,
        _downstream: &mut Downstream,
        response: &mut ResponseHeader,
        context: &mut Context,
    ) -> pingora::Result<()> {
        self.clear(response, context)
    }

    /// Does the same with the trailers, which of a call have its status.
    fn upstream_response_trailer_filter(
        &self,
        _downstream: &mut Downstream,
        trailers: &mut HeaderMap,
        context: &mut Context,
    ) -> pingora::Result<()> {
        grpc::end(trailers, context);
        Ok(())
    }

    /// Completes the headers of the upstream's response, and acts on its status: a 401 or 403 has the session checked.
    async fn response_filter(
        &self,
        downstream: &mut Downstream,
        response: &mut ResponseHeader,
        context: &mut Context,
    ) -> pingora::Result<()> {
        self.complete(downstream, response, context).await
    }

    /// Notes the end of the answer.
    fn response_body_filter(
        &self,
        downstream: &mut Downstream,
        _body: &mut Option<Bytes>,
        end_of_stream: bool,
        context: &mut Context,
    ) -> pingora::Result<Option<Duration>> {
        rest::note_piece(downstream, end_of_stream, context);
        Ok(None)
    }

    /// Says what went wrong, in the upstream's own way of saying so. The session lives on.
    async fn fail_to_proxy(
        &self,
        downstream: &mut Downstream,
        error: &Error,
        context: &mut Context,
    ) -> FailToProxy {
        let error_code = handle::fail(self, downstream, error, context).await;
        FailToProxy { error_code, can_reuse_downstream: false }
    }

    /// A client that leaves is no error of ours.
    fn suppress_error_log(&self, _: &Downstream, _: &Context, error: &Error) -> bool {
        *error.esource() == ErrorSource::Downstream
    }

    /// That another address is the one to begin with is logged once, not for each request.
    fn suppress_proxy_warn_log(
        &self,
        _: &Downstream,
        _: &Context,
        error: &Error,
        _: ProxyWarnLogContext,
    ) -> bool {
        upstream::is_overtaken(error)
    }

    /// For Pingora's error lines: without the query, which may hold credentials.
    fn request_summary(&self, downstream: &Downstream, context: &Context) -> String {
        handle::summary(downstream, context)
    }

    /// One line a request, also when it failed; and one more of its kind.
    async fn logging(
        &self,
        downstream: &mut Downstream,
        _error: Option<&Error>,
        context: &mut Context,
    ) {
        self.conclude(downstream, context);
    }
}
