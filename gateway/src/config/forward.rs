//! `[forward]`: what is forwarded besides the API.

use super::{Upstream, UpstreamKind};
use crate::api::page::Page;
use crate::api::route::{self, Forwarding, Unversioned};
use crate::toml_reader::Table;

/// Reads the table; `page` is the gateway's own.
pub(super) fn read(mut table: Table<'_>, upstream: &Upstream, page: Option<&Page>) -> Forwarding {
    let default = || ["/health", "/ping", "/ready"].map(str::to_owned).to_vec();
    let public = table.texts("public").unwrap_or_else(default);
    for path in &public {
        let is_path = path.starts_with('/')
            && path.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#%\\;".contains(&byte));
        if !is_path {
            table.fault("public", &format!("{path:?} is not a plain path such as \"/health\""));
        } else if page.is_some_and(|page| route::is_below(path, &page.path)) {
            table.fault("public", &format!("{path:?} is the gateway's own page, by page.path"));
        } else if let Some(why) = route::why_not_public(path) {
            table.fault("public", &format!("{path:?} {why}"));
        }
    }
    let mut switch = |key| table.boolean(key).unwrap_or(false);
    let (setup, credentials) = (switch("setup"), switch("credentials"));
    let (ui, v1) = (switch("ui"), switch("v1"));
    let is_influxdb_3 = upstream.kind == UpstreamKind::Influxdb3;
    if v1 && is_influxdb_3 {
        table.fault("v1", "InfluxDB 3 has its /query and /write by session already");
    }
    table.close();
    let unversioned = match (is_influxdb_3, v1) {
        (true, _) => Unversioned::Api,
        (false, true) => Unversioned::OnTheirOwn,
        (false, false) => Unversioned::Closed,
    };
    let page = page.map(|page| page.path.clone());
    Forwarding { public, setup, credentials, ui, page, unversioned, grpc: upstream.grpc }
}
