//! The listener for operators.

use std::sync::Arc;

use arc_swap::ArcSwap;
use serde_json::Value;

use super::listeners::bind_beside;
use super::{BindError, token_file};
use crate::admin::Admin;
use crate::admin::certificates::{CertificateInUse, ShownTo};
use crate::admin::guard::Guard;
use crate::admin::providers::ProviderInUse;
use crate::admin::service::AdminService;
use crate::clock::Moment;
use crate::config::{self, AdminAddress, Config};
use crate::file_identity::watched::Watched;
use crate::gateway::Gateway;
use crate::gateway::readiness::Readiness;
use crate::gateway::reloads::Reloads;
use crate::gateway::version::Version;
use crate::limits::Limits;
use crate::net::acceptance::Acceptance;
use crate::net::concurrency::ConcurrencyLimits;
use crate::net::connections::Connections;
use crate::net::listener::{Listener, Open, bind_unix};
use crate::net::open_requests::OpenRequests;
use crate::net::server::{Front, Server};
use crate::proxy::Proxy;
use crate::proxy::upstream::tls::UpstreamFiles;
use crate::session::store::SessionStore;
use crate::tasks::upgrade::Takeover;

/// How many connections there may be. They are counted apart from those of clients, who cannot shut operators out.
const CONNECTIONS: usize = 64;

/// Opens the listener, if there is to be one.
pub(super) fn bind_all(
    config: &Config,
    takeover: Option<&Takeover>,
) -> Result<Option<Listener>, BindError> {
    match config.admin.as_ref().map(|admin| &admin.listen) {
        None => Ok(None),
        Some(AdminAddress::Tcp(address)) => bind_beside(*address, false, takeover).map(Some),
        Some(AdminAddress::Unix(path)) => {
            let failed = |source| BindError { address: format!("unix:{path}"), source };
            let taken = takeover.and_then(|takeover| takeover.socket(path));
            let socket = taken.map_or_else(|| bind_unix(path), |socket| Ok(socket.into()));
            let socket = Open::Unix(socket.map_err(failed)?, path.clone());
            Ok(Some(Listener { socket, certificate: None }))
        }
    }
}

/// Whether the gateway is ready, by what `config` says.
pub(super) fn readiness(
    config: &Config,
    sessions: &Arc<SessionStore>,
    version: &Arc<Version>,
) -> Arc<Readiness> {
    let needs_upstream = config.admin.as_ref().is_some_and(|admin| admin.ready_needs_upstream);
    let upstream = needs_upstream.then(|| Arc::clone(version));
    Arc::new(Readiness::new(Arc::clone(sessions), upstream))
}

/// What it needs to know of the gateway.
pub(super) struct Needs {
    pub(super) gateway: Arc<Gateway>,
    pub(super) version: Arc<Version>,
    pub(super) readiness: Arc<Readiness>,
    pub(super) effective: Arc<ArcSwap<Value>>,
    pub(super) reloads: Reloads,
    pub(super) acceptance: Arc<Acceptance>,
    pub(super) certificates: Vec<CertificateInUse>,
    pub(super) providers: Vec<ProviderInUse>,
}

/// The certificates that clients are shown by `listeners`, and the one that the upstream is shown, if it is of `upstream`.
pub(super) fn certificates(
    listeners: &[Listener],
    upstream: Option<&UpstreamFiles>,
) -> Vec<CertificateInUse> {
    let of_listeners = listeners.iter().filter_map(|listener| {
        let certificate = listener.certificate.as_ref()?;
        Some(CertificateInUse {
            shown_to: ShownTo::Clients(listener.address()),
            file: certificate.path().to_owned(),
            expiry: certificate.expiry(),
        })
    });
    let of_upstream = upstream.and_then(|files| {
        let file = files.client.as_ref()?.certificate.path.clone();
        let expiry = Arc::clone(&files.expiry);
        Some(CertificateInUse { shown_to: ShownTo::Upstream, file, expiry })
    });
    of_listeners.chain(of_upstream).collect()
}

/// Adds the service behind its listener, on a thread of its own; returns the file of its token. It reads requests as
/// strictly as those of clients are read.
pub(super) fn add(
    server: &mut Server,
    admin: Option<(config::Admin, Listener)>,
    limits: &Limits,
    needs: Needs,
) -> Option<Watched> {
    let (settings, listener) = admin?;
    let (token, file) = settings.token.unzip();
    let guard = Arc::new(Guard::new(token.as_ref()));
    let Needs { gateway, acceptance, .. } = &needs;
    let (gateway, acceptance) = (Arc::clone(gateway), Arc::clone(acceptance));
    let admin = Admin {
        guard: Arc::clone(&guard),
        readiness: needs.readiness,
        auth: Arc::clone(gateway.auth()),
        version: needs.version,
        config: needs.effective,
        certificates: needs.certificates,
        providers: needs.providers,
        started: Moment::now(),
        reloads: needs.reloads,
    };
    let front = Front {
        whole: None::<Arc<Proxy>>,
        proxy: Arc::new(AdminService(Arc::new(admin))),
        gateway,
        connections: Connections::new(CONNECTIONS, CONNECTIONS),
        open: OpenRequests::default(),
        concurrency: ConcurrencyLimits::new(limits),
        keep_alive: limits.into(),
        acceptance,
    };
    server.listen(front.behind("admin", vec![listener]).with_threads(1));
    file.map(|file| token_file::watched_for_admin(file, guard))
}
