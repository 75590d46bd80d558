//! The network side of the gateway.
//!
//! Start at [`gateway`]: the life of a request.

mod access_line;
pub mod access_log;
pub mod answer;
mod authority;
mod body;
pub mod client;
mod connections;
pub mod context;
mod conversation;
mod decision;
pub mod exchange;
mod fetch;
pub mod gateway;
pub mod guard;
pub mod head;
mod http10;
mod http2;
pub mod identity;
mod lasting;
pub mod listener;
pub mod origin;
mod password;
pub mod phases;
mod receive;
pub mod refusal;
mod reload;
pub mod request_id;
mod rights;
pub mod room;
pub mod server;
mod signals;
mod site;
pub mod tls;
mod tokenless;
pub mod upstream;
pub mod version;
pub mod whoami;

/// The client's side of a request. Pingora says `Session`, which is our word for something else.
pub type Downstream = pingora_proxy::Session;
