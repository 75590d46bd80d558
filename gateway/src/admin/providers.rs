//! Identity providers, and whether they say what their keys are.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::auth::jwt::keys::Keys;
use crate::metrics::METRICS;
use crate::session::UnixMillis;

/// A provider of the configuration.
pub struct ProviderInUse {
    /// The kind of its table: `jwt` or `oidc`.
    table: &'static str,
    /// What that calls it, if it does.
    id: Option<String>,
    issuer: String,
    keys: Arc<Keys>,
}

impl ProviderInUse {
    /// The one that such a table has, whose state is among the metrics from now on.
    pub fn noted(table: &'static str, id: Option<String>, issuer: &str, keys: &Arc<Keys>) -> Self {
        METRICS.providers.watch(table, issuer.to_owned(), Arc::clone(keys.state()));
        Self { table, id, issuer: issuer.to_owned(), keys: Arc::clone(keys) }
    }
}

/// What is said of `providers`.
pub(super) fn list(providers: &[ProviderInUse]) -> Value {
    let all = providers.iter().map(|provider| {
        let known = provider.keys.state().known();
        let time = |seconds: u64| UnixMillis(seconds.saturating_mul(1000)).to_string();
        let signs_in = provider.id.is_some().then(|| provider.keys.endpoints().is_some());
        json!({
            "table": provider.table,
            "id": provider.id,
            "issuer": provider.issuer,
            "keys": known.keys,
            "discovered": signs_in,
            "last_read": known.read.map(time),
            "failing_since": known.failing().map(|(since, _)| time(since)),
            "reason": known.failing().map(|(_, why)| why),
        })
    });
    all.collect()
}
