//! `[forward]`: what is forwarded besides the API.

use super::{Upstream, UpstreamKind};
use crate::api::cookie::{CookieRules, SameSite};
use crate::api::page::Page;
use crate::api::route::{self, Forwarding, Ui, Unversioned};
use crate::toml_reader::{self, Table};

/// Reads the table; `page` is the gateway's own, and sessions have such a `cookie`.
pub(super) fn read(
    mut table: Table<'_>,
    upstream: &Upstream,
    page: Option<&Page>,
    cookie: &CookieRules,
) -> Forwarding {
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
    let v1 = switch("v1");
    let ui = ui(&mut table, cookie);
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

fn ui(table: &mut Table<'_>, cookie: &CookieRules) -> Ui {
    let Some(value) = table.json("ui") else { return Ui::Closed };
    match (value.as_bool(), value.as_str()) {
        (Some(false), _) => return Ui::Closed,
        (Some(true), _) => return Ui::Everybody,
        (None, Some("session")) => {}
        _ => {
            let text = value.as_str().map(|text| format!("{text:?}"));
            let found = text.unwrap_or_else(|| toml_reader::found(&value));
            table.fault("ui", &format!("expected true, false or \"session\", found {found}"));
            return Ui::Closed;
        }
    }
    if cookie.path != "/" {
        let fault = format!(
            "\"session\" needs cookie.path = \"/\", for browsers to send the session with pages; it is {:?}",
            cookie.path
        );
        table.fault("ui", &fault);
    }
    if cookie.same_site != SameSite::Lax {
        let fault = "\"session\" needs cookie.same_site = \"lax\", for browsers to send the session when a link of \
                     another site leads to a page, and for nothing else that another site wants";
        table.fault("ui", fault);
    }
    Ui::Sessions { is_apart: false }
}
