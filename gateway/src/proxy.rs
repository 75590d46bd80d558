//! Forwarding: what is done with a request as [`gateway`](crate::gateway) decides.
//!
//! Start at [`handle`]: a request that has come whole goes from there to [`exchange`], or as a [`call`] of gRPC; any other by
//! Pingora's [`phases`].

mod access_line;
mod answer;
mod answer_framing;
mod call;
mod calls;
mod context;
mod cors;
mod counted;
pub mod direct;
mod downstream;
mod exchange;
mod grpc;
mod handle;
pub mod head;
mod held;
mod http10;
mod http2;
mod local_response;
mod measured;
mod missing_tokens;
mod outcome;
mod page_answer;
mod passing;
pub mod phases;
mod receive;
mod request_body;
mod rest;
mod revocation;
mod small_answers;
mod span;
pub mod upstream;
pub mod upstream_client;
pub mod upstream_rewrite;
pub mod upstreams;
mod vigil;
mod websocket;

use std::sync::Arc;

use pingora::Error;
use pingora::apps::HttpServerOptions;
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::protocols::http::v2::server::default_h2_options;
use pingora::server::configuration::ServerConf;
use pingora_proxy::http_proxy;

use crate::api::Response;
use crate::api::forward::Forward;
use crate::api::rejection::Rejection;
use crate::gateway::Gateway;
use crate::gateway::access_log;
use crate::gateway::policy::Policy;
use crate::gateway::response_headers::Recipient;
use crate::gateway::traceparent::TraceParent;
use crate::limits::Limits;
use crate::net::concurrency::ConcurrencyLimits;
use crate::net::http1::connection::Connection;
use crate::net::open_requests::OpenRequests;
use crate::spans::Spans;
use context::Context;
use direct::Service;
use missing_tokens::MissingTokens;
use outcome::Outcome;
use phases::Phases;
use upstream::Upstream;
use upstream_client::OwnRequests;
use upstream_rewrite::UpstreamRewrite;
use upstreams::Upstreams;

/// The client's side of a request. Pingora says `Session`, which is our word for something else.
pub type Downstream = pingora_proxy::Session;

/// How much of an answer waits to be sent, in bytes.
const UNREAD: usize = 64 * 1024;

/// Forwards requests as the gateway decides.
pub struct Proxy {
    gateway: Arc<Gateway>,
    upstreams: Upstreams,
    /// What the gateway sends to InfluxDB by itself.
    own_requests: Arc<OwnRequests>,
    /// The same to the server of the pages, if that is another.
    ui_requests: Option<OwnRequests>,
    concurrency: Arc<ConcurrencyLimits>,
    missing_tokens: MissingTokens,
    open: OpenRequests,
    spans: Option<Arc<Spans>>,
}

impl Proxy {
    /// Forwards to `upstreams` what `gateway` allows, so much at once as `concurrency` does; requests are counted in `open`,
    /// and leave spans if those are wanted.
    pub fn new(
        gateway: Arc<Gateway>,
        upstreams: Upstreams,
        (own_requests, ui_requests): (Arc<OwnRequests>, Option<OwnRequests>),
        concurrency: Arc<ConcurrencyLimits>,
        (open, spans): (OpenRequests, Option<Arc<Spans>>),
    ) -> Self {
        let missing_tokens = MissingTokens::default();
        Self {
            gateway,
            upstreams,
            own_requests,
            ui_requests,
            concurrency,
            missing_tokens,
            open,
            spans,
        }
    }

    /// The same as Pingora runs it.
    pub fn service(self: &Arc<Self>, conf: &Arc<ServerConf>, limits: &Limits) -> Service {
        let mut proxy = http_proxy(conf, Phases(Arc::clone(self)));
        let mut options = HttpServerOptions::default();
        options.h2_idle_timeout = Some(limits.keepalive);
        proxy.server_options = Some(options);
        let mut h2 = default_h2_options();
        h2.max_header_list_size(u32::try_from(limits.head_bytes).unwrap_or(u32::MAX));
        h2.max_concurrent_streams(limits.http2_streams);
        h2.max_pending_accept_reset_streams(limits.http2_resets);
        // Of an answer that its client does not read, so much is kept; 400 KiB by default.
        h2.max_send_buffer_size(UNREAD);
        proxy.h2_options = Some(h2);
        Service { proxy: Arc::clone(self), pingora: Arc::new(proxy) }
    }

    /// For a request that begins now.
    fn context(&self) -> Context {
        Context::new(self.gateway.policy(), self.open.begin())
    }

    /// Has `context` use a connection to the upstream, if there is one to be had and the session still
    /// holds.
    async fn leave(
        &self,
        downstream: &mut Downstream,
        forward: &Forward,
        context: &mut Context,
    ) -> Result<(), Rejection> {
        if forward.is_anonymous()
            && let Some(connection) = downstream::http_2(downstream)
        {
            let permit = self.concurrency.anonymous_permit(connection);
            context.permit = Some(Box::pin(permit).await?);
        }
        let address = context.client.address;
        let client = downstream::connection(downstream).and_then(Connection::client);
        context.slot = Some(match client {
            Some(client) if client.is(address) => client.take()?,
            // Behind a proxy, or over HTTP/2.
            _ => self.concurrency.client(address).take()?,
        });
        context.measured.ask();
        revocation::accompany(self.gateway.auth(), downstream, forward, context)
    }

    /// How a request is rewritten by its rules, and for where it goes.
    fn rewrite<'a>(&'a self, context: &'a Context) -> UpstreamRewrite<'a> {
        let policy: &Policy = &context.policy;
        UpstreamRewrite {
            headers: &policy.identity,
            cookie: &policy.cookie,
            shared: &policy.shared,
            authority: self.upstream(context).authority(),
        }
    }

    /// Makes of a `request`, without what is of this hop only, what goes upstream: sets the identity.
    fn rewrite_request(&self, request: &mut RequestHeader, context: &mut Context) {
        let forward = context.forward.as_ref().expect("nothing is forwarded without leave");
        let rewrite = self.rewrite(context);
        let trace = context.trace.or_else(|| TraceParent::of(&request.headers));
        head::rewrite(request, |request| {
            rewrite.apply(request, forward, &context.client);
            trace.inspect(|trace| trace.put(&mut request.headers));
        });
        context.trace = trace;
    }

    /// Removes from the head of an answer what is the upstream's and the gateway's business only.
    fn clear(&self, response: &mut ResponseHeader, context: &mut Context) -> pingora::Result<()> {
        let begins = websocket::begins(response, context)?;
        answer_framing::mend(response, &mut context.interim)?;
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

    /// Completes the head of the upstream's answer, and acts on its status: a 401 or 403 has the session checked.
    async fn complete(
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

    /// Where a request goes.
    fn upstream(&self, context: &Context) -> &Arc<Upstream> {
        self.upstreams.of(context.forward.as_ref())
    }

    /// The same, for what the gateway sends by itself.
    fn server(&self, context: &Context) -> &OwnRequests {
        self.ui_requests.as_ref().filter(|_| context.is_apart()).unwrap_or(&self.own_requests)
    }

    /// Counts a request that is over, and tells of it.
    // By itself, for `make bench-operating` to see it.
    #[inline(never)]
    fn conclude(&self, downstream: &Downstream, context: &mut Context) {
        // By now it has its connection back.
        context.slot = None;
        let outcome = Outcome::of(downstream, context);
        counted::count(downstream, context, &outcome);
        if access_log::is_wanted() {
            access_line::log(downstream, context, &outcome, self.spans.is_some());
        }
        if let Some(spans) = &self.spans {
            span::leave(spans, downstream, context, &outcome);
        }
    }

    /// Why a request has failed, with this `error` of Pingora's; `None` if the client has left.
    fn why_failed(
        &self,
        downstream: &Downstream,
        error: &Error,
        context: &Context,
    ) -> Option<Rejection> {
        // What breaks off a body is said as what breaks off a head is.
        let is_broken = downstream::connection(downstream).is_some_and(Connection::is_broken);
        let (auth, head) = (self.gateway.auth(), downstream.req_header());
        if *error.etype() == revocation::CUT_OFF && context.body.read().is_some() {
            return revocation::check_whole(auth, head, context)
                .err()
                .or(Some(Rejection::Unauthorized));
        }
        revocation::cut_off(auth, head, context)
            .or(is_broken.then_some(Rejection::Unreadable))
            .or_else(|| upstream::rejection(error))
    }

    /// Says why a request has failed, as far as that can still be said.
    async fn fail(&self, downstream: &mut Downstream, rejection: Rejection, context: &mut Context) {
        let has_begun = downstream.was_upgraded()
            || downstream
                .response_written()
                .is_some_and(|response| !response.status.is_informational());
        if has_begun {
            if context.is_call {
                grpc::break_off(downstream, rejection, context).await;
            }
            return;
        }
        downstream.set_keepalive(None);
        let refusal = grpc::refusal(rejection, context);
        if let Err(error) = self.respond(downstream, refusal, context).await {
            log::debug!("the client did not take the answer: {error}");
        }
    }

    /// Writes an answer of the gateway's own.
    async fn respond(
        &self,
        downstream: &mut Downstream,
        response: impl Into<Response>,
        context: &Context,
    ) -> pingora::Result<()> {
        let client = &context.client;
        let headers = Some(&downstream.req_header().headers);
        let to = Recipient { id: &client.request_id, over_tls: client.over_tls, headers };
        let response = self.gateway.complete(response, &context.policy, &to);
        local_response::write(downstream, response).await
    }
}
