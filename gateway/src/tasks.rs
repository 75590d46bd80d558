//! What runs beside requests, for as long as the process lives.

pub mod collector;
pub mod drain;
pub mod expiry;
pub mod jwt_keys;
pub mod oidc;
pub mod reload;
pub mod remote;
pub mod restarting;
pub mod session_store;
pub mod spans;
pub mod upgrade;
pub mod upstream_sessions;
pub mod version;
