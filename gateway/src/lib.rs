//! A session gateway for InfluxDB.
//!
//! It stands in front of InfluxDB, answers `POST /api/v2/signin`, `GET /api/v2/me` and
//! `POST /api/v2/signout` itself, keeps the sessions, and forwards the rest of the API with the
//! resolved user as a header and the right credential injected.
//!
//! # Reading order
//! [`edge::gateway`] is the life of a request. From there: [`api`] (HTTP without sockets),
//! [`auth`] (sign in, authenticate, sign out), [`session`] and [`directory`], [`user`].
//! [`config`] reads what can be configured, [`app`] puts everything together, [`cli`] is the
//! command line.
//!
//! # Invariants
//! - A module uses itself and the floors below it; modules on one floor are strangers:
//!   `cli`, `app`, then `config` and `edge`, `api`, `auth`, `audit`, `session` and `directory`,
//!   `user`, then `clock`, `document`, `limits`, `stamp`, `visit` and `writer`. A test reads
//!   the sources and says so. Beside `cli`, and not in the program: `internals`.
//! - A request is forwarded for somebody, or because its path is public: the only way through takes
//!   a [`Caller`](auth::credential::Caller).
//! - A secret is not a key: stores take a [`SessionId`](session::token::SessionId), which only a
//!   [`SessionToken`](session::token::SessionToken) can make.
//! - A name is a header: a [`Username`](user::name::Username) always is a header's value.
//! - A foreign crate is used in few places, which a test knows. Pingora: in [`edge`], and in
//!   [`config`], which reads the settings of its server. moka: in the store of sessions and in
//!   [`auth::tokens`], which remembers whose a token is.

/// What memory comes from.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

mod net;
mod proxy;
mod tasks;

mod gateway;

mod api;

mod auth;

mod audit;

mod directory;
mod session;

mod user;

mod app;
mod cli;
mod config;

mod background_writer;
mod clock;
mod file_identity;
mod limits;
mod request_meta;
mod toml_reader;

#[cfg(feature = "internals")]
pub mod internals;

pub use cli::main;
