//! Forwarding of request bodies, piece by piece.

use bytes::Bytes;
use http::request::Parts;
use pingora::Error;

use super::authority::CUT_OFF;
use super::context::Context;
use super::gateway::Gateway;
use super::upstream::TOO_LARGE;

impl Gateway {
    /// Counts what is forwarded, and stops it where it may not go on.
    pub(super) fn pass_on(
        &self,
        request: &Parts,
        body: &mut Option<Bytes>,
        end_of_stream: bool,
        context: &mut Context,
    ) -> pingora::Result<()> {
        if self.cut_off(request, context).is_some() {
            return Error::e_explain(CUT_OFF, "its session was ended while its body was coming")
                .map_err(|e: Box<Error>| e.into_down());
        }
        if end_of_stream {
            // What has been sent is sent.
            context.watch = None;
        }
        context.body_bytes += body.as_ref().map_or(0, |piece| piece.len() as u64);
        if self.limits.body_bytes.is_some_and(|most| context.body_bytes > most) {
            return Error::e_explain(TOO_LARGE, "the body is too large")
                .map_err(|e: Box<Error>| e.into_down());
        }
        // An empty last piece would be written as a second end of a chunked body, and poison the
        // connection for whoever has it next.
        if end_of_stream && body.as_ref().is_some_and(Bytes::is_empty) {
            *body = None;
        }
        Ok(())
    }
}
