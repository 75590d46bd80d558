//! Whether identity providers say what their keys are.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::label::{Label, ProviderFault};
use super::text::{Kind, Text};

/// What is known of a provider. Whoever asks it keeps that up to date.
#[derive(Default)]
pub struct ProviderState(Mutex<Known>);

/// What was known of it at a moment.
#[derive(Clone, Copy, Default)]
pub struct Known {
    /// How many of its keys are in use.
    pub keys: usize,
    /// When they were last read, in seconds since 1970.
    pub read: Option<u64>,
    /// Since when the provider cannot be asked, in seconds since 1970, and why not at the last attempt; and the same of a
    /// file of its keys.
    failing: [Option<(u64, ProviderFault)>; 2],
    /// How many attempts have failed, by why.
    failures: [u64; ProviderFault::COUNT],
}

impl Known {
    /// Since when its keys cannot be read, in seconds since 1970, and in a word why not at the last attempt.
    pub fn failing(&self) -> Option<(u64, &'static str)> {
        let first = self.failing.iter().flatten().min_by_key(|(since, _)| *since);
        first.map(|(since, why)| (*since, ProviderFault::WORDS[why.index()]))
    }
}

impl ProviderState {
    /// The provider has answered at `now`, in seconds since 1970, and has so many keys.
    pub fn has_read(&self, keys: usize, now: u64) {
        let mut known = self.lock();
        (known.keys, known.read, known.failing[0]) = (keys, Some(now), None);
    }

    /// So many keys of it were read from a file at `now`.
    pub fn has_read_file(&self, keys: usize, now: u64) {
        let mut known = self.lock();
        (known.keys, known.read, known.failing[1]) = (keys, Some(now), None);
    }

    /// They could not be read at `now`: the old ones stay in use.
    pub fn has_failed(&self, why: ProviderFault, now: u64) {
        let mut known = self.lock();
        let failing = &mut known.failing[usize::from(matches!(why, ProviderFault::File))];
        let since = failing.map_or(now, |(since, _)| since);
        *failing = Some((since, why));
        known.failures[why.index()] += 1;
    }

    /// What is known.
    pub fn known(&self) -> Known {
        *self.lock()
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The providers of the configuration. Behind a lock that no request takes.
pub struct Providers(Mutex<Vec<Watched>>);

struct Watched {
    table: &'static str,
    issuer: String,
    state: Arc<ProviderState>,
}

impl Providers {
    /// None yet.
    pub const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// From now on `state` is that of the provider of this `issuer` in a table of this name: there are as many as tables.
    pub fn watch(&self, table: &'static str, issuer: String, state: Arc<ProviderState>) {
        let watched = Watched { table, issuer, state };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(watched);
    }

    /// Writes what is known of each.
    pub fn write(&self, text: &mut Text) {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut gauge = |name, help, of: fn(&Known) -> Option<u64>| {
            text.begin(name, Kind::Gauge, help);
            for provider in &*all {
                let labels = [("table", provider.table), ("issuer", &*provider.issuer)];
                if let Some(value) = of(&provider.state.known()) {
                    text.sample("", &labels, value);
                }
            }
        };
        gauge(
            "influx_gateway_provider_up",
            "Whether the keys of an identity provider were read when that was last tried.",
            |known| Some(u64::from(known.read.is_some() && known.failing().is_none())),
        );
        gauge(
            "influx_gateway_provider_keys",
            "How many keys of an identity provider are in use.",
            |known| u64::try_from(known.keys).ok(),
        );
        gauge(
            "influx_gateway_provider_last_read_timestamp_seconds",
            "When the keys of an identity provider were last read, in seconds since 1970.",
            |known| known.read,
        );
        let help = "Attempts to read the keys of an identity provider that failed, by why.";
        text.begin("influx_gateway_provider_failures_total", Kind::Counter, help);
        for provider in &*all {
            let known = provider.state.known();
            for (count, why) in known.failures.iter().zip(ProviderFault::WORDS) {
                let of = [("table", provider.table), ("issuer", &*provider.issuer)];
                text.sample("", &[of[0], of[1], (ProviderFault::NAME, why)], count);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::text::Format;

    #[test]
    fn the_first_of_several_failures_counts_and_the_reason_of_the_last() {
        let state = Arc::new(ProviderState::default());
        state.has_read(2, 100);
        state.has_failed(ProviderFault::Unreachable, 200);
        state.has_failed(ProviderFault::Status, 260);
        let known = state.known();
        assert_eq!(
            (known.keys, known.read, known.failing()),
            (2, Some(100), Some((200, "status")))
        );
        let providers = Providers::new();
        providers.watch("jwt", "https://idp.test/\"\n".to_owned(), Arc::clone(&state));
        let written = || {
            let mut text = Text::new(Format::Prometheus);
            providers.write(&mut text);
            text.end()
        };
        let labels = "table=\"jwt\",issuer=\"https://idp.test/\\\"\\n\"";
        for line in [
            format!("influx_gateway_provider_up{{{labels}}} 0\n"),
            format!("influx_gateway_provider_keys{{{labels}}} 2\n"),
            format!("influx_gateway_provider_last_read_timestamp_seconds{{{labels}}} 100\n"),
            format!(
                "influx_gateway_provider_failures_total{{{labels},reason=\"unreachable\"}} 1\n"
            ),
            format!("influx_gateway_provider_failures_total{{{labels},reason=\"status\"}} 1\n"),
            format!("influx_gateway_provider_failures_total{{{labels},reason=\"tls\"}} 0\n"),
        ] {
            assert!(written().contains(&line), "{line} {}", written());
        }
        state.has_read(1, 300);
        assert_eq!(state.known().failing(), None);
        assert!(written().contains(&format!("influx_gateway_provider_up{{{labels}}} 1\n")));
        // A file of its keys is another matter than its answer.
        state.has_failed(ProviderFault::File, 400);
        state.has_read(1, 500);
        assert_eq!(state.known().failing(), Some((400, "file")));
        state.has_failed(ProviderFault::Tls, 600);
        state.has_read_file(3, 700);
        assert_eq!((state.known().keys, state.known().failing()), (3, Some((600, "tls"))));
    }
}
