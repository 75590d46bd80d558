//! `GET /status`.

use std::sync::Arc;

use serde_json::json;

use super::response::ok;
use super::{Admin, bans, certificates, providers, sessions};
use crate::api::Response;
use crate::clock::{Moment, wall};
use crate::gateway::readiness::Obstacle;
use crate::session::UnixMillis;
use crate::session::store::SessionStore;

/// How the gateway is.
pub(super) async fn get(admin: &Admin) -> Response {
    let obstacles = admin.readiness.obstacles();
    let words: Vec<_> = obstacles.iter().copied().map(Obstacle::words).collect();
    let store = admin.auth.sessions();
    let (version, now) = (&admin.version, Moment::now());
    let said = version.said().and_then(|version| version.to_str().ok().map(str::to_owned));
    let last = version.last_answer();
    ok(&json!({
        "version": env!("CARGO_PKG_VERSION"),
        "uptime_seconds": now.since(admin.started).as_secs(),
        "ready": words.is_empty(),
        "obstacles": words,
        "sessions": sessions::count(&admin.auth).await,
        "store": {
            "kind": if is_redis(store) { "redis" } else { "memory" },
            "known": store.is_known(),
        },
        "upstream": {
            "up": version.is_up(),
            "version": said,
            "last_answer": last.map(|last| UnixMillis::of(last, now, wall()).to_string()),
        },
        "bans": bans::count(&admin.auth, now),
        "providers": providers::list(&admin.providers),
        "certificates": certificates::list(&admin.certificates),
    }))
}

fn is_redis(store: &Arc<SessionStore>) -> bool {
    store.outlives_process()
}
