//! Spans: what OpenTelemetry is to know of each request, and how they wait to be sent.

pub mod otlp;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::{mpsc, oneshot};

use crate::metrics::METRICS;

/// How many are sent at once, at most.
const BATCH: usize = 512;

/// How long the first of a batch waits for others.
const PAUSE: Duration = Duration::from_secs(1);

/// What is told of one request that is over. It holds no secret: of the target only the path, and nothing of headers and
/// bodies but what is named here.
pub struct Span {
    /// The id of the trace: 32 hex digits.
    pub trace_id: [u8; 32],
    /// Its own id, which the upstream knows as that of its parent.
    pub id: u64,
    /// The client's span, if there is one.
    pub parent: Option<u64>,
    /// The flags of the trace.
    pub flags: u8,
    /// The method; `None` if it is not one of those that are read.
    pub method: Option<&'static str>,
    /// What was asked for, by the metrics' words.
    pub route: &'static str,
    /// The path, as the access log has it.
    pub path: String,
    /// Whether the client spoke TLS.
    pub over_tls: bool,
    /// The status of the answer; 0 if there was none.
    pub status: u16,
    /// The client's address, if it is known.
    pub client: Option<String>,
    /// Who was authenticated, if somebody was.
    pub user: Option<String>,
    /// The request's id.
    pub request_id: String,
    /// The upstream's address, if it was connected to.
    pub upstream: Option<SocketAddr>,
    /// Bytes of the request's body.
    pub received: u64,
    /// Bytes of the answer's body.
    pub sent: u64,
    /// When the request's head had been read.
    pub started: SystemTime,
    /// How long after that all was over.
    pub took: Duration,
    /// What happened in between, each so long after the start.
    pub phases: Vec<(&'static str, Duration)>,
}

/// Where requests leave their spans. They never wait there.
pub struct Spans {
    queue: mpsc::Sender<Message>,
    ratio: f64,
}

/// Spans that wait to be sent.
pub struct Waiting(mpsc::Receiver<Message>);

/// What is sent at once.
#[derive(Default)]
pub struct Batch {
    /// The spans.
    pub spans: Vec<Span>,
    /// Who waits until they are sent.
    pub flushed: Vec<oneshot::Sender<()>>,
}

enum Message {
    Span(Box<Span>),
    Flush(oneshot::Sender<()>),
}

impl Spans {
    /// Of traces that begin here the share `ratio`, from 0 to 1, is recorded; and `most` spans may wait.
    pub fn new(ratio: f64, most: usize) -> (Arc<Self>, Waiting) {
        let (queue, waiting) = mpsc::channel(most);
        (Arc::new(Self { queue, ratio }), Waiting(waiting))
    }

    /// Whether a new trace is recorded whose id ends in these random 64 bits. Whoever else goes by the id, and by the same
    /// ratio, decides alike.
    pub fn wants(&self, id: u64) -> bool {
        let high = u32::try_from(id >> 32).unwrap_or(u32::MAX);
        f64::from(high) < self.ratio * (f64::from(u32::MAX) + 1.0)
    }

    /// Leaves a span. If too many wait, it is dropped and counted.
    pub fn leave(&self, span: Span) {
        if self.queue.try_send(Message::Span(Box::new(span))).is_err() {
            METRICS.spans_dropped.count();
        }
    }

    /// Waits until all that were left are sent, or dropped.
    pub async fn flush(&self) {
        let (done, is_done) = oneshot::channel();
        if self.queue.send(Message::Flush(done)).await.is_ok() {
            // An error says that nobody sends any more.
            let _ = is_done.await;
        }
    }
}

impl Waiting {
    /// The next spans, once there are enough of them, or somebody waits, or the first has waited for long enough. `None`
    /// if there will be no more.
    pub async fn next(&mut self) -> Option<Batch> {
        let mut batch = Batch::default();
        batch.take(self.0.recv().await?);
        let fill = async {
            while batch.spans.len() < BATCH && batch.flushed.is_empty() {
                let Some(message) = self.0.recv().await else { break };
                batch.take(message);
            }
        };
        // When the time is over, what is there is enough.
        let _ = tokio::time::timeout(PAUSE, fill).await;
        Some(batch)
    }
}

impl Batch {
    fn take(&mut self, message: Message) {
        match message {
            Message::Span(span) => self.spans.push(*span),
            Message::Flush(done) => self.flushed.push(done),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_large_a_share_of_ids_is_wanted() {
        let wants = |ratio, id| Spans::new(ratio, 1).0.wants(id);
        for id in [0, 1 << 32, u64::MAX / 2, u64::MAX] {
            assert!(wants(1.0, id) && !wants(0.0, id), "{id}");
        }
        let (spans, _waiting) = Spans::new(0.25, 1);
        let wanted = (0..1024).filter(|step| spans.wants(step << 54)).count();
        assert_eq!(wanted, 256);
    }
}
