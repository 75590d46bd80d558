//! Sessions in Redis: several gateways before one real Redis, and what becomes of sessions when something
//! happens to either.

/// A minimal client of Redis.
mod client;
/// Clocks that disagree.
mod clocks;
/// A copy of Redis, and secrets in what the gateway says.
mod copies;
/// What a request costs Redis.
mod cost;
/// Requests whose body is still coming.
mod cut_off;
/// InfluxDB's own sessions behind those in Redis.
mod halves;
/// Gateways with the same users file, or with another.
mod one_file;
/// The listener for operators, where gateways share their sessions.
mod operators;
/// Redis that is gone, hangs, or takes nothing.
mod outages;
/// A user's own sessions, at whichever gateway.
mod own_sessions;
/// A relay before Redis that does harm.
pub(crate) mod relay;
/// Redis over TLS.
mod secure;
/// A primary that Sentinels watch over.
mod sentinel;
/// A real redis-server.
pub(crate) mod server;
/// One session, several gateways.
mod sharing;
/// Gateways that share a Redis.
mod stage;
/// Guessing at several gateways.
mod throttle;
/// How soon a sign-out counts elsewhere.
mod timing;
/// Requests that run while something happens.
mod traffic;
/// The users files of several gateways.
mod users;
