//! Black-box tests: the real program over TCP, and nothing of its insides.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "tests and their helpers fail by panicking, and say so on standard error"
)]

/// What a user may do, and InfluxDB 3.
mod access;
/// An upstream of several addresses, or of another one than before.
mod addresses;
/// The listener for operators.
mod admin;
/// Guessing, by one and by many: how slow it is, what it gives away, what it costs others.
mod attack;
/// The audit trail.
mod audit;
/// What is asked of a session counts while it lasts, to the last byte of the request.
mod authority;
/// Files of certificates and tokens: read again, trusted, and told what is wrong with them.
mod certificates;
/// Pages of other origins in a real browser.
mod chromium;
/// The real Python client, writing into a real database through the gateway.
mod clients;
mod clock;
/// The command line: what it prints, which files it changes, its exit codes.
mod command_line;
/// What differs from InfluxDB, and that the documentation says so.
mod compatibility;
/// docker-compose.yml, as far as it can be checked without an engine.
mod compose;
/// Many users at once, none of whom ever sees another's name.
mod concurrency;
/// The configuration, changed while the gateway serves.
mod configuration;
/// InfluxDB's wire contract, as data.
mod conformance;
/// The session cookie: twice, too long, with odd bytes.
mod cookies;
/// Attacks in raw bytes: what must come out, what the upstream may see.
mod corpus;
/// Pages of other sites: what they may not do, and what those that are allowed may.
mod crosssite;
/// Requests that are cut off because their session has lost its authority.
mod cut_off;
/// `influx-gateway demo`, its curl lines pasted.
mod demo;
/// What may be a dependency: licences, sources, versions.
mod dependencies;
mod diagnose;
/// One suite for both directories.
mod directories;
/// Edits of the users file, by commands and by requests: what the gateway would refuse is not written.
mod edits;
/// Exchanges as data, which are asked of the gateway here and of a real InfluxDB elsewhere.
#[expect(dead_code, reason = "what is said of InfluxDB is for its own tests")]
mod exchanges;
mod explain;
/// Pages for who has a session, and their server.
mod explorer;
/// Faults of a configuration: all of them at once, whatever they are about.
mod faults;
/// The files that are read again while the gateway serves: half-written, unreadable, locked.
mod files;
/// Arrow's Flight server, and what stands for InfluxDB 3.
mod flight_server;
/// What goes upstream and what comes back: unchanged, streamed, never twice.
mod forward;
/// HTTP/2, frame by frame.
mod frames;
/// Gateway tokens of users, for what can send nothing but a token.
mod gateway_tokens;
/// gRPC for InfluxDB 3, by Arrow's own server and real clients.
mod grpc;
/// The same, frame by frame.
mod grpc_frames;
mod grpc_whole;
/// The guide: its examples are good, its commands work, and links in the documentation lead somewhere.
mod guide;
/// An upstream that speaks HTTP/2.
mod h2_upstream;
/// Requests whose client never says that they are whole, or is over before they are.
mod half_open;
/// Handshakes of TLS that come to nothing.
mod handshakes;
/// Which hosts are answered.
mod hosts;
/// HTTP/2: the same answers, and attacks that HTTP/1 does not know.
mod http2;
mod http2_bodies;
/// Who the upstream is told is asking, and that nobody can forge it.
mod identity;
mod influxdb;
/// InfluxDB 3's official clients, with nothing but a gateway token.
mod influxdb3_clients;
/// How many instructions a forwarded request takes.
mod instructions;
/// Answers before the answer (1xx): how many.
mod interim;
/// JWTs of identity providers, honest and hostile ones.
mod jwt;
/// When sessions end, and how many there may be.
mod lifetime;
/// Slow, large and many: what one client can cost the others.
mod limits;
/// Listening sockets, and how many files the process may open.
mod listeners;
/// Where the log goes, in which format, and what happens when its file is rotated or full.
mod log_file;
/// What the log says, and what it never says.
mod logs;
/// `GET /api/v2/me`.
mod me;
/// What is counted, for Prometheus.
mod metrics;
/// The first hour with it: users, their tokens, and what is said where one is missing.
mod newcomer;
/// A machine without certificates of authorities.
mod no_authorities;
/// Rules, alerts and dashboard, before a real Prometheus.
mod observe;
/// What may be written oddly, by clients and by the upstream: read in one way, or refused.
mod oddities;
/// Signing in by providers, honest and hostile ones.
mod oidc;
/// gateway/openapi.yaml, held against the program.
mod openapi;
/// Standard output and standard error that take nothing.
mod output;
/// A user's own sessions, listed and ended.
mod own_sessions;
/// The gateway's own page.
mod page;
/// The same in a real browser.
mod page_in_chromium;
/// New passwords.
mod password;
/// One request after the other on one connection, before the answers are there.
mod pipelining;
mod programs;
/// What trusted proxies say of clients, in every spelling.
mod proxies;
/// Sessions in Redis: several gateways before one real Redis.
mod redis;
/// The users file, changed while the gateway serves.
mod reload;
/// One process and the next, or another: what they have in common.
mod restart;
/// Keys that need a restart, changed together with others.
mod restart_keys;
/// What a role may do, and what is done without one: routes by right.
mod roles;
/// What is left in the memory of the process.
mod secrets;
/// Certificates, and connections over TLS.
mod secure;
/// What requests may use of the upstream at once.
mod sharing;
/// An orderly end.
mod shutdown;
/// `POST /api/v2/signin`.
mod signin;
/// `POST /api/v2/signout`.
mod signout;
mod support;
/// A machine that is suspended for a while.
mod suspend;
/// The gateway as a service of systemd.
mod systemd;
/// The house rules: layers, doors, file sizes; configuration and documentation agree.
mod tidy;
/// TLS, towards clients and towards the upstream.
mod tls;
/// Clients that bring their own token: resolved, denied.
mod tokens;
/// Spans for OpenTelemetry.
mod tracing;
/// Configurations by which nobody can be served: `check` and `run` say so.
mod unservable;
/// One process that takes over from another.
mod upgrade;
/// An upstream that is absent, slow or dies.
mod upstream_faults;
/// InfluxDB as the directory: what becomes of its half of sessions.
mod upstream_sessions;
/// A wall clock that jumps.
mod wall_clock;
/// `WebSocket`s of pages: who may have one, and for how long.
mod websocket;
