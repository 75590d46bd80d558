#[path = "../redis/client.rs"]
mod client;
#[path = "../redis/server.rs"]
pub(crate) mod server;
