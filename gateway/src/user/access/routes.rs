//! The routes and the access that each needs. From InfluxDB's `OpenAPI` and from what its servers answer besides.
//!
//! `*` is one segment of a path. What is not here is for full access only, so that a route that
//! InfluxDB adds is not open before somebody has looked at it.

/// `GET` and `HEAD` of data, and of what describes it.
///
/// Not here: who else is there (users, members, owners), what holds other systems' addresses and
/// passwords (telegrafs, notification endpoints and the queries made of them, sources, scrapers, remotes,
/// replications, stacks), how the server is configured (config), and what runs programs (scripts,
/// InfluxDB 3's engine).
pub(super) const READS: [&str; 50] = [
    "/api/v2",
    "/api/v2/buckets",
    "/api/v2/buckets/*",
    "/api/v2/buckets/*/labels",
    "/api/v2/buckets/*/schema/measurements",
    "/api/v2/buckets/*/schema/measurements/*",
    "/api/v2/checks",
    "/api/v2/checks/*",
    "/api/v2/checks/*/labels",
    "/api/v2/checks/*/query",
    "/api/v2/dashboards",
    "/api/v2/dashboards/*",
    "/api/v2/dashboards/*/cells/*/view",
    "/api/v2/dashboards/*/labels",
    "/api/v2/dbrps",
    "/api/v2/dbrps/*",
    "/api/v2/flags",
    "/api/v2/labels",
    "/api/v2/labels/*",
    "/api/v2/notificationRules",
    "/api/v2/notificationRules/*",
    "/api/v2/notificationRules/*/labels",
    "/api/v2/orgs",
    "/api/v2/orgs/*",
    "/api/v2/orgs/*/labels",
    "/api/v2/query/suggestions",
    "/api/v2/query/suggestions/*",
    "/api/v2/resources",
    "/api/v2/setup",
    "/api/v2/swagger.json",
    "/api/v2/tasks",
    "/api/v2/tasks/*",
    "/api/v2/tasks/*/labels",
    "/api/v2/tasks/*/logs",
    "/api/v2/tasks/*/runs",
    "/api/v2/tasks/*/runs/*",
    "/api/v2/tasks/*/runs/*/logs",
    "/api/v2/telegraf/plugins",
    "/api/v2/variables",
    "/api/v2/variables/*",
    "/api/v2/variables/*/labels",
    "/api/v2private/annotations",
    "/api/v2private/annotations/*",
    "/api/v2private/notebooks",
    "/api/v2private/notebooks/*",
    "/api/v2private/streams",
    "/api/v3/configure/database",
    "/api/v3/query_influxql",
    "/api/v3/query_sql",
    "/query",
];

/// `POST` that changes nothing: queries carry their text in the body.
///
/// Not here: InfluxDB 1's `/query`, which is asked by `POST` to change something.
///
/// Those of Arrow Flight are here too: a query is in the ticket. Not here: `DoPut`, `DoExchange` and `DoAction`, which do
/// what InfluxDB makes of them.
pub(super) const QUERIES: [&str; 12] = [
    "/api/v2/query",
    "/api/v2/query/analyze",
    "/api/v2/query/ast",
    "/api/v2/query/suggestions",
    "/api/v3/query_influxql",
    "/api/v3/query_sql",
    "/arrow.flight.protocol.FlightService/DoGet",
    "/arrow.flight.protocol.FlightService/GetFlightInfo",
    "/arrow.flight.protocol.FlightService/GetSchema",
    "/arrow.flight.protocol.FlightService/Handshake",
    "/arrow.flight.protocol.FlightService/ListActions",
    "/arrow.flight.protocol.FlightService/ListFlights",
];

/// `POST` that changes points and nothing else.
pub(super) const WRITES: [&str; 4] =
    ["/api/v2/delete", "/api/v2/write", "/api/v3/write_lp", "/write"];

/// What makes or shows credentials, with whatever follows.
pub(super) const CREDENTIALS: [&str; 5] = [
    "/api/v2/authorizations",
    "/api/v2/backup",
    "/api/v2/restore",
    "/api/v2/orgs/*/secrets",
    // Of which there are authorizations, and nothing else.
    "/private/legacy",
];

/// What makes credentials when it is asked to change something, with whatever follows.
pub(super) const ACCOUNTS: [&str; 2] = ["/api/v2/setup", "/api/v2/users"];

/// InfluxDB 3's API; what makes, ends or lists its tokens has one of the segments below somewhere.
pub(super) const INFLUXDB_3: &str = "/api/v3/";

/// See [`INFLUXDB_3`]. By `authorize` its Enterprise signs its own users in, and hands out tokens.
pub(super) const TOKENS: [&str; 3] = ["authorize", "token", "tokens"];

/// [`ACCOUNTS`] of InfluxDB 3, where its Enterprise has users.
pub(super) const ACCOUNTS_3: [&str; 3] =
    ["/api/v3/configure/user", "/api/v3/roles", "/api/v3/users"];

/// What [`CREDENTIALS`] and [`ACCOUNTS`] have after the first eight bytes, as many as `/api/v2/` has: two
/// bytes, [`mixed`]. Others may be the same mixed, so that this says only where to look.
pub(super) const BEGINNINGS: [bool; 256] =
    beginnings(&CREDENTIALS, beginnings(&ACCOUNTS, [false; 256]));

/// An index that two bytes have in common with few others.
pub(super) const fn mixed(first: u8, second: u8) -> usize {
    first.wrapping_mul(7).wrapping_add(second) as usize
}

const fn beginnings(routes: &[&str], mut beginnings: [bool; 256]) -> [bool; 256] {
    let mut index = 0;
    while index < routes.len() {
        let route = routes[index].as_bytes();
        beginnings[mixed(route[8], route[9])] = true;
        index += 1;
    }
    beginnings
}
