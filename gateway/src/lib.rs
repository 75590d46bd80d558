//! A session gateway for InfluxDB.
//!
//! It stands in front of InfluxDB, answers `POST /api/v2/signin`, `GET /api/v2/me` and
//! `POST /api/v2/signout` itself, keeps the sessions, and forwards the rest of the API with the
//! resolved user as a header and the right credential injected.
//!
//! # Reading order
//! [`gateway`] is the life of a request: [`Gateway::handle`](gateway::Gateway::handle) decides whether it
//! is answered, rejected or forwarded. Around it: [`proxy`] calls it and forwards, what has come whole by
//! [itself](proxy::direct), and other requests in Pingora's [`phases`](proxy::phases); [`net`] reads connections, [`tasks`] run beside, [`admin`] answers operators. Below it: [`api`] (HTTP without sockets),
//! [`auth`] (sign in, authenticate, sign out), [`session`] and [`directory`], [`user`].
//! [`config`] reads what can be configured, [`app`] puts everything together, [`cli`] is the
//! command line.
//!
//! # Words
//! | | |
//! |---|---|
//! | upstream | InfluxDB, or whatever stands for it |
//! | downstream | the client's side of a request |
//! | session | one signed-in user on one client ([`session::Session`]) |
//! | session token | the secret in the session's cookie ([`session::token::SessionToken`]) |
//! | session id | its digest, under which the session is kept ([`session::token::SessionId`]) |
//! | upstream session | InfluxDB's own session behind one of ours |
//! | store | where sessions are kept ([`session::store::SessionStore`]) |
//! | directory | who may sign in: a users file, or InfluxDB ([`directory`]) |
//! | account | a user of the users file, with the hash of the password |
//! | caller | who is authenticated: a session, an API token, or a JWT ([`auth::credential::Caller`]) |
//! | grant | what a user of an identity provider may do ([`jwt::grants`]) |
//! | credential | what the upstream knows the caller by ([`auth::credential::UpstreamCredential`]) |
//! | identity headers | the headers that tell the upstream the user ([`api::identity`]) |
//! | route | where a path leads ([`api::route::Route`]) |
//! | forward | leave to go upstream, for a caller or for a public route ([`api::forward::Forward`]) |
//! | rejection | an answer that says no, and why ([`api::rejection::Rejection`]) |
//! | policy | the rules that are read with each request ([`gateway::policy::Policy`]) |
//! | access | what a user may have forwarded ([`user::access::Access`]) |
//! | throttle | brute-force protection ([`auth::throttle`]) |
//! | admission | a few at once, the others in a fair queue, for expensive work ([`directory`]) |
//! | metrics | what is counted, for Prometheus ([`metrics`]) |
//! | span | what OpenTelemetry is told of a request ([`spans`]) |
//! | audit trail | who signed in, and what became of sessions ([`audit`]) |
//! | drain | to answer what has been asked, and end |
//!
//! # Invariants
//! - A module uses itself and the floors below it; modules on one floor are strangers:
//!   `cli`, `app`, then `admin`, `config`, `proxy` and `tasks`, `net`, `gateway`, `api`, `auth`, `audit`,
//!   `session`, `directory` and `jwt`, `user`, `process_log` and `spans`, then `clock`, `limits`, `metrics`, `toml_reader`,
//!   `file_identity`, `request_meta`, `background_writer`, `quiet_threads`, `seal`, `seeds` and `service_manager`. Files of
//!   one folder do not use each other in circles. A test reads the sources and says so. Above `cli`, and not in the
//!   program: `internals`.
//! - A request is forwarded for somebody, or because its path is public: the only way through takes
//!   a [`Caller`](auth::credential::Caller).
//! - A secret is not a key: stores take a [`SessionId`](session::token::SessionId), which only a
//!   [`SessionToken`](session::token::SessionToken) can make.
//! - A name is a header: a [`Username`](user::name::Username) always is a header's value.
//! - A foreign crate is used in few places, which a test knows. Pingora: in [`net`], [`proxy`],
//!   [`tasks`] and [`admin::service`], and in [`config`], which reads the settings of its server. moka: in the store of
//!   sessions and in [`auth::tokens`], which remembers whose a token is.

/// What memory comes from.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

mod admin;
mod net;
mod proxy;
mod tasks;

mod gateway;

mod api;

mod auth;

mod audit;

mod directory;
mod jwt;
mod session;

mod user;

mod app;
mod cli;
mod config;

mod process_log;
mod spans;

mod background_writer;
mod clock;
mod file_identity;
mod hex;
mod limits;
mod metrics;
mod quiet_threads;
mod request_meta;
mod seal;
mod seeds;
mod server_address;
mod service_manager;
mod toml_reader;

#[cfg(feature = "internals")]
pub mod internals;

pub use cli::main;
