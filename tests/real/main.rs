//! Black-box tests before a real InfluxDB: `make test-influxdb` makes what they need and runs them.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "tests and their helpers fail by panicking, and say so on standard error"
)]

/// Every real client, by name and password and by token.
mod clients;
#[path = "../clock.rs"]
#[expect(dead_code, reason = "the other tests need more of it")]
mod clock;
/// The `influx` command, with most of what it can do.
mod command;
/// InfluxDB's wire contract, asked of InfluxDB.
mod contract;
/// The same requests of InfluxDB itself and through the gateway.
mod differential;
#[path = "../exchanges.rs"]
#[expect(dead_code, reason = "what is said of the gateway alone is for its own tests")]
mod exchanges;
/// nginx in front of the gateway, as the guide has it.
mod guide_nginx;
/// Who is who: what a real InfluxDB is told, whom it takes the user for, whose password changes.
mod identity;
mod influxd;
/// JWTs of an identity provider, as Telegraf and the Python client send them.
mod jwt;
/// Outages, changes and ends of sessions in InfluxDB.
mod life;
/// The five ways in which a gateway stands before InfluxDB.
mod modes;
/// What InfluxDB 2.10 has and 2.9 had not: details that want a token, half a start, HSTS.
mod news;
mod nginx;
/// The calls of InfluxDB's pages, from a page in a browser.
mod pages;
#[path = "../programs.rs"]
mod programs;
/// A Redis of this machine.
#[expect(dead_code, reason = "the other tests need more of it")]
mod redis;
#[path = "../secure.rs"]
#[expect(dead_code, reason = "the other tests need more of it")]
mod secure;
#[path = "../support.rs"]
#[expect(dead_code, reason = "the other tests need more of it")]
mod support;
/// Much data, and a query that is silent for long.
mod volume;
