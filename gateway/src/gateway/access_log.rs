//! The access log: one line for each request.

mod compared;
mod escape;
mod fields;
mod trace_id;

use std::cell::RefCell;
use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use log::Level;

use crate::clock;
use crate::jwt::verify::TokenMark;
use crate::process_log::{self, line, line::Format};
use crate::session::token::Fingerprint;
use crate::user::gateway_token::Mark;
pub use compared::Compared;
pub use escape::escaped;
use fields::{Fields, name};
pub use process_log::is_access_wanted as is_wanted;
pub use trace_id::trace_id;

/// The content of an access log line. It holds no secret: only a fingerprint of the session, and only the path of the
/// target.
pub struct Entry<'a> {
    /// The client's address in visible ASCII, if it is known.
    pub client: Option<&'a [u8]>,
    /// The resolved user's name, if there is one.
    pub user: Option<&'a str>,
    /// The session, if there is one.
    pub session: Option<Fingerprint>,
    /// A digest of the id of the JWT, if there is one.
    pub jti: Option<TokenMark>,
    /// The gateway token, if there is one.
    pub token: Option<Mark>,
    /// The request's method, if it has been read.
    pub method: Option<&'a str>,
    /// The request's path, without the query.
    pub path: Option<&'a str>,
    /// The status of the answer; 0 if none was sent.
    pub status: u16,
    /// The status of a call of gRPC, if there is one.
    pub grpc_status: Option<u8>,
    /// Bytes of the answer's body.
    pub bytes: u64,
    /// When the answer ended.
    pub at: Instant,
    /// How long the request took, from its head to the end of the answer.
    pub took: Duration,
    /// The request's id, in visible ASCII.
    pub request_id: &'a [u8],
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
    pub received: u64,
}

/// Where a thread's lines are put together. How one begins serves for the others of its second.
struct Line {
    text: Vec<u8>,
    /// As far as its fields.
    begin: usize,
    until: Option<Instant>,
}

thread_local! {
    static LINE: RefCell<Line> =
        const { RefCell::new(Line { text: Vec::new(), begin: 0, until: None }) };
}

impl Line {
    /// A line of this moment without fields. In JSON, each has its own millisecond.
    fn begin(&mut self, format: Format, at: Instant) -> &mut Vec<u8> {
        let is_text = format == Format::Text;
        if is_text && self.until.is_some_and(|until| at < until) {
            self.text.truncate(self.begin);
        } else {
            let now = clock::wall();
            self.text.clear();
            line::begin(&mut self.text, format, now, (Level::Info, "access"));
            self.begin = self.text.len();
            self.until = is_text.then(|| at + rest_of_second(now));
        }
        &mut self.text
    }
}

fn rest_of_second(time: SystemTime) -> Duration {
    let nanos = time.duration_since(UNIX_EPOCH).unwrap_or_default().subsec_nanos();
    Duration::from_secs(1).saturating_sub(Duration::from_nanos(nanos.into()))
}

impl Entry<'_> {
    /// Writes the line, with the target `access`.
    pub fn log(&self) {
        if !is_wanted() {
            return;
        }
        LINE.with_borrow_mut(|line| {
            let format = process_log::format();
            let line = line.begin(format, self.at);
            if format == Format::Json {
                self.put::<true>(line);
            } else {
                self.put::<false>(line);
            }
            process_log::append(line);
        });
    }

    fn put<const JSON: bool>(&self, out: &mut Vec<u8>) {
        let mut fields = Fields::<'_, JSON> { out };
        fields.word(&name!("client"), self.client);
        fields.text(&name!("user"), self.user);
        let session = self.session.map(Fingerprint::digits);
        fields.word(&name!("session"), session.as_ref().map(|digits| &digits[..]));
        if let Some(jti) = self.jti {
            fields.word(&name!("jti"), Some(&jti.digits()));
        }
        if let Some(token) = self.token {
            fields.word(&name!("token"), Some(&token.digits()));
        }
        // Letters, digits and signs that mean nothing in a line (RFC 9110 section 9.1), or it would not have been read.
        fields.word(&name!("method"), self.method.map(str::as_bytes));
        fields.text(&name!("path"), self.path);
        fields.number(&name!("status"), self.status.into());
        if let Some(status) = self.grpc_status {
            fields.number(&name!("grpc_status"), status.into());
        }
        fields.number(&name!("bytes"), self.bytes);
        fields.millis(&name!("ms"), Some(self.took));
        fields.word(&name!("request_id"), Some(self.request_id));
        if self.trace_id.is_some() {
            fields.word(&name!("trace_id"), self.trace_id.map(str::as_bytes));
        }
        if let Some(compared) = &self.compared {
            compared.put(&mut fields);
        }
        fields.address(&name!("upstream"), self.upstream);
        fields.millis(&name!("upstream_ms"), self.upstream_time);
        fields.word(&name!("tls"), self.tls.map(str::as_bytes));
        fields.number(&name!("received"), self.received);
        out.extend_from_slice(if JSON { b"}\n" } else { b"\n" });
    }
}
