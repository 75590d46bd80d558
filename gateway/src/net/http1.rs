//! HTTP/1: one strictly framed request after the other.
//!
//! Start at [`keepalive`]: the life of a connection.

pub mod connection;
mod early_rejection;
pub mod fields;
mod framer;
mod interrupt;
pub mod keepalive;
mod rejecting;
mod stream_traits;
pub mod tunnel;

pub use early_rejection::EarlyRejection;
