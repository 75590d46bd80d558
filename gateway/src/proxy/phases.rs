//! Pingora's phases of a request, in their order.

use std::os::fd::RawFd;
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
use super::upstream;
use super::{
    Downstream, Proxy, answer, downstream, grpc, head, http2, http10, measured, page_answer,
    receive, request_body, rest, small_answers, span, websocket,
};
use crate::api::rejection::Rejection;
use crate::gateway::access_log;
use crate::gateway::request::Decision;
use crate::gateway::traceparent::TraceParent;
use crate::net::socket;

#[async_trait]
impl ProxyHttp for Proxy {
    type CTX = Context;

    fn new_ctx(&self) -> Context {
        Context::new(self.gateway.policy(), self.open.begin())
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
        context.is_call = http2::translate(downstream)?;
        http10::expect_one_answer(downstream);
        head::simplify(downstream.req_header_mut());
        let headers = &downstream.req_header().headers;
        let peer = socket::peer_address(downstream::socket(downstream));
        let over_tls = downstream::is_over_tls(downstream);
        let (trusted, limits) = (&context.policy.trusted, &context.policy.limits);
        context.client = trusted.client_info(peer, over_tls, headers);
        context.trace = span::trace(self.spans.as_ref(), headers);
        let connection = downstream.as_downstream_mut();
        if connection.get_keepalive().is_some() {
            // Not so if the client wants the connection closed, as HTTP/1.0 does.
            connection.set_keepalive(Some(limits.keepalive.as_secs().max(1)));
        }
        if self.gateway.readiness().is_leaving() {
            // Clients that come again do so elsewhere, and nobody loses a request to the end.
            connection.set_keepalive(None);
        }
        connection.set_read_timeout(Some(limits.body));
        connection.set_write_timeout(Some(limits.body));
        connection.set_total_drain_timeout(Some(limits.body));
        Ok(())
    }

    /// Decides. `Ok(true)` tells Pingora that the response has been written.
    async fn request_filter(
        &self,
        downstream: &mut Downstream,
        context: &mut Context,
    ) -> pingora::Result<bool> {
        let response = match receive::receive(&self.gateway, downstream, context).await {
            Ok(Decision::Forward(forward)) => {
                let leave = self.leave(downstream, &forward, context).await;
                let is_small = leave.is_ok() && small_answers::is_small(downstream, &forward);
                context.forward = Some(forward);
                match leave {
                    Ok(()) if is_small => {
                        Box::pin(small_answers::fetch(self, downstream, context)).await?;
                        return Ok(true);
                    }
                    Ok(()) => return Ok(false),
                    Err(rejection) => grpc::refusal(rejection, context),
                }
            }
            Ok(Decision::Respond(response)) => response,
            Err(rejection) => {
                context.is_cross_site = rejection == Rejection::CrossSite;
                grpc::refusal(rejection, context)
            }
        };
        self.respond(downstream, response, context).await?;
        Ok(true)
    }

    /// Where to.
    async fn upstream_peer(
        &self,
        _downstream: &mut Downstream,
        context: &mut Context,
    ) -> pingora::Result<Box<HttpPeer>> {
        let upstream = self.upstream(context);
        let peer = upstream.peer().await?;
        Ok(if context.is_call { grpc::peer(peer, upstream.watched(), context) } else { peer })
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
        context.upstream = peer._address.as_inet().copied();
        context.measured.connect(self.spans.is_some());
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
        let forward = context.forward.as_ref().expect("nothing is forwarded without leave");
        let rewrite = self.rewrite(context);
        let trace = context.trace.or_else(|| TraceParent::of(&request.headers));
        head::rewrite(request, |request| {
            rewrite.apply(request, forward, &context.client);
            trace.inspect(|trace| trace.put(&mut request.headers));
        });
        context.trace = trace;
        if context.is_call { grpc::prepare(request, &context.policy.identity) } else { Ok(()) }
    }

    /// Removes what is the upstream's and the gateway's business only.
    async fn upstream_response_filter(
        &self,
        _downstream: &mut Downstream,
        response: &mut ResponseHeader,
        context: &mut Context,
    ) -> pingora::Result<()> {
        let begins = websocket::begins(response, context)?;
        if context.is_call {
            grpc::note(&response.headers, context);
        }
        self.rewrite(context).clear(response)?;
        if begins {
            websocket::agree(response)?;
        }
        if context.is_page() {
            page_answer::adapt(response, self.upstream(context))
        } else {
            Ok(())
        }
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
        answer::heed(self, response.status, context).await;
        http10::unchunk(downstream, response);
        downstream::keep_while_interim(downstream, response.status);
        if downstream.is_process_shutting_down() || self.gateway.readiness().is_leaving() {
            downstream.set_keepalive(None);
        }
        rest::note_head(downstream, response, context);
        answer::complete(downstream, response, context)
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
        let rejection = self.why_failed(downstream, error, context);
        if let Some(rejection) = rejection {
            measured::note_failure(rejection, context.is_apart());
            self.fail(downstream, rejection, context).await;
        }
        let error_code = rejection.map_or(0, |rejection| rejection.table().0.as_u16());
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
        let request = downstream.req_header();
        format!(
            "{} {} request_id={}",
            request.method,
            access_log::escaped(request.uri.path()),
            context.client.request_id.as_str()
        )
    }

    /// One line a request, also when it failed; and one more of its kind.
    async fn logging(
        &self,
        downstream: &mut Downstream,
        _error: Option<&Error>,
        context: &mut Context,
    ) {
        // By now it has its connection back.
        context.slot = None;
        self.conclude(downstream, context);
    }
}
