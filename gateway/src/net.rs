//! Connections: accepted, counted, read request by request, and closed.

pub mod acceptance;
pub mod concurrency;
pub mod connections;
pub mod handed;
pub mod handshake;
pub mod http1;
pub mod http2;
pub mod listener;
pub mod open_requests;
pub mod own_request;
pub mod server;
pub mod signals;
pub mod socket;
pub mod tls;
pub mod whoami;
