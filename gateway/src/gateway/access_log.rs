//! The access log: one line for each request.

mod compared;
mod escape;
mod fields;
mod trace_id;

use std::cell::RefCell;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use log::Level;

use crate::clock;
use crate::process_log::{self, line, line::Format};
use crate::session::token::Fingerprint;
pub use compared::Compared;
pub use escape::escaped;
use fields::Fields;
pub use process_log::is_access_wanted as is_wanted;
pub use trace_id::trace_id;

/// The content of an access log line. It holds no secret: only a fingerprint of the session, and only the path of the
/// target.
pub struct Entry<'a> {
    /// The client's address, if it is known.
    pub client: Option<&'a str>,
    /// The resolved user's name, if there is one.
    pub user: Option<&'a str>,
    /// The session, if there is one.
    pub session: Option<Fingerprint>,
    /// The request's method, if it has been read.
    pub method: Option<&'a str>,
    /// The request's path, without the query.
    pub path: Option<&'a str>,
    /// The status of the answer; 0 if none was sent.
    pub status: u16,
    /// Bytes of the answer's body.
    pub bytes: usize,
    /// When the request's header had been read.
    pub started: Instant,
    /// The request's id.
    pub request_id: &'a str,
    /// The id of the trace that it is part of, if there is a sane one.
    pub trace_id: Option<&'a str>,
    /// What was compared, if the request was refused as one of another site's page.
    pub compared: Option<Compared<'a>>,
    /// The upstream's address, if it was connected to.
    pub upstream: Option<SocketAddr>,
    /// How long the upstream took as far as the head of its answer, the connection to it included.
    pub upstream_time: Option<Duration>,
    /// The version of TLS that the client speaks with the gateway, if it does.
    pub tls: Option<&'static str>,
    /// Bytes of the request's body.
    pub received: usize,
}

thread_local! {
    /// Where the thread's lines are put together.
    static LINE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl Entry<'_> {
    /// Writes the line, with the target `access`.
    pub fn log(&self) {
        if !is_wanted() {
            return;
        }
        LINE.with_borrow_mut(|line| {
            line.clear();
            self.put(line, process_log::format());
            process_log::append(line);
        });
    }

    fn put(&self, out: &mut Vec<u8>, format: Format) {
        line::begin(out, format, clock::wall(), (Level::Info, "access"));
        let mut fields = Fields { out, is_json: format == Format::Json };
        fields.word("client", self.client.map(str::as_bytes));
        fields.text("user", self.user);
        let session = self.session.map(Fingerprint::digits);
        fields.word("session", session.as_ref().map(|digits| &digits[..]));
        fields.text("method", self.method);
        fields.text("path", self.path);
        fields.number("status", self.status.into());
        fields.number("bytes", self.bytes as u64);
        fields.millis("ms", Some(self.started.elapsed()));
        fields.word("request_id", Some(self.request_id.as_bytes()));
        if self.trace_id.is_some() {
            fields.word("trace_id", self.trace_id.map(str::as_bytes));
        }
        if let Some(compared) = &self.compared {
            compared.put(&mut fields);
        }
        fields.address("upstream", self.upstream);
        fields.millis("upstream_ms", self.upstream_time);
        fields.word("tls", self.tls.map(str::as_bytes));
        fields.number("received", self.received as u64);
        out.extend_from_slice(if format == Format::Json { b"}\n" } else { b"\n" });
    }
}
