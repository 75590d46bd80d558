//! The files that a configuration names.

use std::path::Path;

use super::{
    Admin, AdminAddress, Identity, Listen, Log, Providers, Store, Tracing, UiServer, Upstream,
    Users,
};
use crate::toml_reader::Named;
use crate::user::name::TokenPrefix;

/// The files that a configuration names, as far as they are known, and what else can be checked of them. Their faults are
/// reported together with those of the configuration, whatever those are.
#[derive(Clone, Default)]
pub struct NamedFiles {
    /// The users file.
    pub users: Option<Named>,
    /// What no name in it may begin with.
    pub token_prefix: Option<TokenPrefix>,
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
    /// What the gateway is to make: the log, the audit trail, and a socket for operators.
    pub made: Vec<Named>,
    /// Whose certificates are checked against the system's authorities.
    pub relying: Vec<Relying>,
}

/// A server whose certificate is checked against the system's authorities.
#[derive(Clone, Copy, Debug)]
pub struct Relying {
    /// The key to tell, with its table.
    pub key: &'static str,
    /// Whose certificate it is.
    pub whose: &'static str,
    /// What else could be done.
    pub remedy: &'static str,
}

const UPSTREAM: &str = "not set, so the certificate of the https:// upstream";
const UI: &str = "not set, so the certificate of the https:// server of pages";
const STORE: &str = "not set, so the certificate of the session store";
const PROVIDER: &str = "not set, so the certificate of the identity provider";
const COLLECTOR: &str = "the certificate of an https:// collector";

impl NamedFiles {
    pub(super) fn of(
        listen: &Listen,
        upstream: &Upstream,
        (users, identity): (&Users, &Identity),
        providers: &Providers,
        logo: Option<&Named>,
    ) -> Self {
        Self {
            users: users.file().cloned(),
            token_prefix: identity.token_prefix.clone(),
            https: listen.pairs.clone(),
            ca: upstream.ca_file.clone(),
            client: upstream.client.clone(),
            providers_ca: providers.ca_files.clone(),
            logo: logo.cloned(),
            ..Self::default()
        }
        .relying(upstream.tls && upstream.ca_file.is_none(), "upstream.ca_file", UPSTREAM)
        .relying(providers.needs_system_authorities(), "jwt.ca_file", PROVIDER)
        .relying(providers.needs_system_authorities_to_sign_in(), "oidc.ca_file", PROVIDER)
    }

    /// The same, and what goes to other servers than the upstream: that of InfluxDB's pages, the session store with the
    /// certificates that may have signed its own, and a collector.
    pub(super) fn and_of_servers(
        self,
        ui: Option<&UiServer>,
        (store, store_ca): (&Store, Option<&Named>),
        tracing: Option<&Tracing>,
    ) -> Self {
        let ui_ca = ui.and_then(|ui| ui.ca_file.clone());
        let is_ui = ui.is_some_and(|ui| ui.tls) && ui_ca.is_none();
        let is_store = store.is_secure() && store_ca.is_none();
        let is_collector = tracing.is_some_and(Tracing::is_secure);
        Self { ui_ca, store_ca: store_ca.cloned(), ..self }
            .relying(is_ui, "ui.ca_file", UI)
            .relying(is_store, "session.store_ca_file", STORE)
            .relying(is_collector, "tracing.endpoint", COLLECTOR)
    }

    /// The same, and what the gateway is to make.
    pub(super) fn and_made(self, log: &Log, audit: Option<&Named>, admin: Option<&Admin>) -> Self {
        let socket = admin.and_then(|admin| match &admin.listen {
            AdminAddress::Unix(path) => {
                Some(Named { path: Path::new(path).to_owned(), place: admin.place.clone() })
            }
            AdminAddress::Tcp(_) => None,
        });
        let made = log.file.iter().chain(audit).cloned().chain(socket);
        Self { made: made.collect(), ..self }
    }

    fn relying(mut self, relies: bool, key: &'static str, whose: &'static str) -> Self {
        let remedy = if key == "tracing.endpoint" { "use http://" } else { "set it" };
        self.relying.extend(relies.then_some(Relying { key, whose, remedy }));
        self
    }
}
