//! The files that a configuration names.

use super::{Listen, Providers, UiServer, Upstream, Users};
use crate::toml_reader::Named;

/// The files that a configuration names, as far as they are known. Their faults are reported together with those of the
/// configuration.
#[derive(Default)]
pub struct NamedFiles {
    /// The users file.
    pub users: Option<Named>,
    /// Certificates of listeners, each with its key.
    pub https: Vec<(Named, Named)>,
    /// Certificates that may have signed the upstream's.
    pub ca: Option<Named>,
    /// The gateway's own certificate, and its key.
    pub client: Option<(Named, Named)>,
    /// Certificates that may have signed that of the server of InfluxDB's pages.
    pub ui_ca: Option<Named>,
    /// Certificates that may have signed the session store's.
    pub store_ca: Option<Named>,
    /// Certificates that may have signed those of identity providers.
    pub providers_ca: Vec<Named>,
    /// The picture at the head of the gateway's own page.
    pub logo: Option<Named>,
}

impl NamedFiles {
    pub(super) fn of(
        listen: &Listen,
        upstream: &Upstream,
        users: &Users,
        providers: &Providers,
        store_ca: Option<&Named>,
        logo: Option<&Named>,
    ) -> Self {
        let https = listen.https.iter().map(|https| (https.certificate.clone(), https.key.clone()));
        Self {
            users: users.file().cloned(),
            https: https.collect(),
            ca: upstream.ca_file.clone(),
            client: upstream.client.clone(),
            ui_ca: None,
            store_ca: store_ca.cloned(),
            providers_ca: providers.ca_files(),
            logo: logo.cloned(),
        }
    }

    /// The same, and that of the server of InfluxDB's pages, if it is another.
    pub(super) fn and_of(self, ui: Option<&UiServer>) -> Self {
        Self { ui_ca: ui.and_then(|ui| ui.ca_file.clone()), ..self }
    }
}
