//! The servers that requests go to.

use std::sync::Arc;

use super::files::Known;
use crate::config::Config;
use crate::file_identity::watched::Watched;
use crate::proxy::upstream::Upstream;
use crate::proxy::upstream::tls::UpstreamTls;
use crate::proxy::upstream_client::OwnRequests;
use crate::proxy::upstreams::Upstreams;

/// What is made of a configuration.
pub(super) struct Made {
    pub(super) upstreams: Upstreams,
    /// Requests that the gateway sends to InfluxDB by itself.
    pub(super) own_requests: Arc<OwnRequests>,
    /// The same to the server of the pages, if that is another.
    pub(super) ui_requests: Option<OwnRequests>,
    /// The files by which the server of the pages is known.
    pub(super) ui_files: Option<Watched>,
}

/// InfluxDB, known by `tls`, and the server of its pages, if that is another, known by `ui`.
pub(super) fn of(config: &Config, tls: Option<UpstreamTls>, ui: Known) -> Made {
    let sources = config.server.client_bind_to_ipv4.iter().filter_map(|text| text.parse().ok());
    let sources: Vec<_> = sources.collect();
    let (files, ui_tls) = ui.unzip();
    let at = &config.upstream.authority;
    let influxdb = Upstream::new(at, tls, &config.limits, sources.clone());
    let ui = config.ui.as_ref();
    let ui = ui.map(|ui| Upstream::new(&ui.authority, ui_tls, &config.limits, sources));
    let ui_files = files.zip(ui.clone()).map(|(files, ui)| files.watched(ui));
    let own_requests = Arc::new(OwnRequests::new(Arc::clone(&influxdb), &config.server));
    let ui_requests = ui.clone().map(|ui| OwnRequests::new(ui, &config.server));
    Made { upstreams: Upstreams { influxdb, ui }, own_requests, ui_requests, ui_files }
}
