//! Looks after the session of a WebSocket.
//!
//! That somebody ends a session, the bell of its [`Watch`] says at once. That it idles out, nobody says: what goes through
//! a WebSocket does not renew it, for a page that nobody looks at would keep it for ever.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::sleep;

use crate::clock::Moment;
use crate::gateway::Gateway;
use crate::session::token::SessionToken;
use crate::session::{Notice, Watch};

/// How long it waits between two looks.
const PACE: Duration = Duration::from_secs(1);

/// With every so many of them a store elsewhere is asked; one in this process, with each.
const LOOKS_ELSEWHERE: u32 = 5;

/// Waits until the session of `token` lives no longer, its user is not the same any more, or the gateway is about to leave:
/// then says so and rings.
pub async fn keep(
    gateway: Arc<Gateway>,
    (token, watch): (SessionToken, Watch),
    is_over: Arc<AtomicBool>,
) {
    let auth = gateway.auth();
    let looks = if auth.sessions().outlives_process() { LOOKS_ELSEWHERE } else { 1 };
    let why = loop {
        if let Some(why) = look(&gateway, &watch, looks).await {
            break why;
        }
        match auth.peek(&token, Moment::now()).await {
            Ok(Some(_)) => {}
            Ok(None) => break "its session has ended",
            Err(_) => break "the session store does not answer",
        }
    };
    log::debug!("a WebSocket is closed: {why}");
    is_over.store(true, Ordering::Release);
    watch.bell().notify_one();
}

/// Looks so often; why it is to end, if it is.
async fn look(gateway: &Gateway, watch: &Watch, looks: u32) -> Option<&'static str> {
    for _ in 0..looks {
        sleep(PACE).await;
        if gateway.readiness().is_leaving() {
            // Pages open another one elsewhere.
            return Some("the gateway is about to stop");
        }
        if watch.notice() != Notice::Nothing {
            // By what is so now, pages may ask for another one.
            return Some("its user has changed");
        }
    }
    None
}
