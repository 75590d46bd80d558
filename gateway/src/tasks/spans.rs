//! Sends spans to the collector.

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use pingora::server::ShutdownWatch;
use pingora::services::background::BackgroundService;
use tokio::sync::Mutex;

use super::collector::Collector;
use crate::metrics::METRICS;
use crate::spans::{Span, Waiting, otlp};

/// The task.
pub struct SendSpans {
    waiting: Mutex<Waiting>,
    collector: Collector,
    has_failed: AtomicBool,
}

impl SendSpans {
    /// Sends what is `waiting` to `collector`.
    pub fn new(waiting: Waiting, collector: Collector) -> Self {
        Self { waiting: Mutex::new(waiting), collector, has_failed: AtomicBool::new(false) }
    }

    /// Sends them; those that are not taken are dropped and counted.
    async fn send(&self, spans: Vec<Span>) {
        let count = spans.len() as u64;
        match self.collector.post(otlp::request(spans).into()).await {
            Ok(answer) => {
                METRICS.spans_dropped.add(otlp::rejected(&answer).min(count));
                if self.has_failed.swap(false, Ordering::Relaxed) {
                    log::info!("tracing: {} takes spans again", self.collector.authority());
                }
            }
            Err(what) => {
                METRICS.spans_dropped.add(count);
                // Said once, not for every batch.
                if !self.has_failed.swap(true, Ordering::Relaxed) {
                    log::warn!(
                        "tracing: {} does not take spans: {what}; they are dropped until it does, see tracing.endpoint",
                        self.collector.authority()
                    );
                }
            }
        }
    }
}

#[async_trait]
impl BackgroundService for SendSpans {
    /// Goes on after the signal to stop: requests that are still answered have spans too.
    async fn start(&self, _shutdown: ShutdownWatch) {
        let mut waiting = self.waiting.lock().await;
        while let Some(batch) = waiting.next().await {
            if !batch.spans.is_empty() {
                self.send(batch.spans).await;
            }
            for flushed in batch.flushed {
                // Who has waited may have given up.
                let _ = flushed.send(());
            }
        }
    }
}
