//! From a request as Pingora has it to a decision.

use http::request::Parts;

use super::context::Context;
use super::decision::{Asked, Decision};
use super::gateway::Gateway;
use super::{Downstream, exchange, http2};
use crate::api::rejection::Rejection;
use crate::api::route::Route;
use crate::clock::Moment;

impl Gateway {
    /// Decides about a request once it is one that can be read.
    pub(super) async fn receive(
        &self,
        downstream: &mut Downstream,
        context: &mut Context,
    ) -> Result<Decision, Rejection> {
        http2::check(downstream, &(&self.limits).into())?;
        self.check_host(downstream, &context.client)?;
        let is_whole = downstream.as_downstream_mut().is_body_done();
        let head = downstream.req_header();
        let route = Route::of(&head.method, head.uri.path(), &self.forwarding);
        if is_whole || !self.reads(route, head) {
            return self.handle_for(context, route, head, &[]).await;
        }
        let body = exchange::read_body(downstream, &self.limits).await?;
        let head = downstream.req_header();
        let route = Route::of(&head.method, head.uri.path(), &self.forwarding);
        self.handle_for(context, route, head, &body).await
    }

    async fn handle_for(
        &self,
        context: &mut Context,
        route: Route<'_>,
        head: &Parts,
        body: &[u8],
    ) -> Result<Decision, Rejection> {
        let (client, now) = (&context.client, Moment::now());
        let outcome = self.handle(Asked { route, head, body, client, now }).await;
        context.session = outcome.session;
        outcome.decision
    }
}
