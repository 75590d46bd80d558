//! `[limits]`.

use std::time::Duration;

use super::duration;
use crate::limits::{Limits, MOST_HEAD_BYTES, MOST_HEAD_FIELDS, MOST_TARGET_BYTES};
use crate::toml_reader::{self, Table};

/// Reads the table.
pub(super) fn read(mut table: Table<'_>) -> Limits {
    let body_bytes = table.json("body_bytes").and_then(|value| match value {
        value if value == "none" => None,
        value => {
            let bytes = value.as_u64();
            if bytes.is_none() {
                let found = toml_reader::found(&value);
                let fault = format!("expected \"none\" or a number of bytes, found {found}");
                table.fault("body_bytes", &fault);
            }
            bytes
        }
    });
    let mut bounded = |key, most, default| table.within(key, 1..=most).unwrap_or(default);
    let head_bytes = bounded("head_bytes", MOST_HEAD_BYTES, 16 * 1024);
    let head_fields = bounded("head_fields", MOST_HEAD_FIELDS, 100);
    let target_bytes = bounded("target_bytes", MOST_TARGET_BYTES, 8 * 1024);
    let mut count = |key, default| table.count(key, 1).unwrap_or(default);
    let requests = count("requests", 100_000);
    let connections = count("connections", 65_536);
    let connections_per_client = count("connections_per_client", 16_384);
    let upstream_connections = count("upstream_connections", 4096);
    let upstream_connections_per_client = count("upstream_connections_per_client", 1024);
    let local_body_bytes = count("local_body_bytes", 4096);
    let http2_streams = u32::try_from(count("http2_streams", 100)).unwrap_or(u32::MAX);
    let http2_resets = count("http2_resets", 20);
    let ping = table.parsed("upstream_ping", |text| match text {
        "off" => Ok(None),
        text => duration(text).map(Some),
    });
    let upstream_ping = ping.unwrap_or(Some(Duration::from_secs(30)));
    let mut time =
        |key, seconds| table.parsed(key, duration).unwrap_or(Duration::from_secs(seconds));
    let limits = Limits {
        upstream_connect: time("upstream_connect", 5),
        upstream_read: time("upstream_read", 300),
        upstream_write: time("upstream_write", 60),
        upstream_ask: time("upstream_ask", 10),
        upstream_idle: time("upstream_idle", 60),
        upstream_ping,
        body: time("body", 60),
        local_body: time("local_body", 10),
        keepalive: time("keepalive", 75),
        head: time("head", 10),
        head_bytes,
        head_fields,
        target_bytes,
        body_bytes,
        local_body_bytes,
        http2_streams,
        http2_resets,
        requests,
        connections,
        connections_per_client,
        upstream_connections,
        upstream_connections_per_client,
    };
    table.close();
    limits
}
