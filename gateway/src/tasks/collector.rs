//! An OpenTelemetry collector, asked over HTTP.

use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Uri};
use pingora::http::RequestHeader;

use super::remote::Remote;

/// The longest answer that is read.
const MOST_BYTES: usize = 64 * 1024;

const PROTOBUF: HeaderValue = HeaderValue::from_static("application/x-protobuf");

/// Where spans are sent.
pub struct Collector(Remote);

impl Collector {
    /// The one at `endpoint`, which has so long for each request. Its certificate, if it has one, is verified.
    pub fn new(endpoint: Uri, timeout: Duration) -> Self {
        Self(Remote::new(endpoint, timeout, None))
    }

    /// Its host and port, as they were written.
    pub fn authority(&self) -> &str {
        self.0.authority()
    }

    /// Sends `body`; the body of the answer, or why there is none of status 2xx, for people to read.
    pub async fn post(&self, body: Bytes) -> Result<Bytes, String> {
        let head = self.head().map_err(|error| error.to_string())?;
        match self.0.ask(head, body, MOST_BYTES).await? {
            (status, answer) if status.is_success() => Ok(answer),
            (status, _) => Err(format!("it answers {status}")),
        }
    }

    fn head(&self) -> pingora::Result<RequestHeader> {
        let mut head = RequestHeader::build(Method::POST, self.0.path().as_bytes(), Some(4))?;
        head.insert_header(CONTENT_TYPE, PROTOBUF)?;
        Ok(head)
    }
}
