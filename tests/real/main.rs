//! Black-box tests before real InfluxDBs: `make test-influxdb` makes what they need and runs them.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "tests and their helpers fail by panicking, and say so on standard error"
)]

/// Who is who: what a real InfluxDB is told, whom it takes the user for, whose password changes.
mod identity;
mod influxd;
/// The five ways in which a gateway stands before InfluxDB.
mod modes;
#[path = "../support.rs"]
#[expect(dead_code, reason = "the other tests need more of it")]
mod support;
