//! The listener for operators.

use std::sync::Arc;

use super::{BindError, bind};
use crate::admin::Admin;
use crate::admin::guard::Guard;
use crate::admin::service::AdminService;
use crate::config::{self, AdminAddress, Config};
use crate::gateway::Gateway;
use crate::limits::Limits;
use crate::net::concurrency::ConcurrencyLimits;
use crate::net::connections::Connections;
use crate::net::listener::{Bound, Listener, Open, bind_unix};
use crate::net::server::Front;

/// How many connections there may be. They are counted apart from those of clients, who cannot shut operators out.
const CONNECTIONS: usize = 64;

/// Opens the listener, if there is to be one.
pub(super) fn bind_all(config: &Config) -> Result<Option<Listener>, BindError> {
    match config.admin.as_ref().map(|admin| &admin.listen) {
        None => Ok(None),
        Some(AdminAddress::Tcp(address)) => bind(*address).map(Some),
        Some(AdminAddress::Unix(path)) => {
            let failed = |source| BindError { address: format!("unix:{path}"), source };
            let socket = Open::Unix(bind_unix(path).map_err(failed)?, path.clone());
            Ok(Some(Listener { socket, certificate: None }))
        }
    }
}

/// Who may ask.
pub(super) fn guard(settings: &config::Admin) -> Arc<Guard> {
    Arc::new(Guard::new(settings.token.as_ref().map(|(token, _)| token)))
}

/// The service behind `listener`, on a thread of its own. It reads requests as strictly as `gateway` does.
pub(super) fn service(
    admin: Admin,
    listener: Listener,
    gateway: Arc<Gateway>,
    limits: &Limits,
) -> Bound<Front<AdminService>> {
    let front = Front {
        proxy: Arc::new(AdminService(Arc::new(admin))),
        gateway,
        connections: Connections::new(CONNECTIONS, CONNECTIONS),
        concurrency: ConcurrencyLimits::new(limits),
        keep_alive: limits.into(),
    };
    Bound::new("admin", front, vec![listener]).with_threads(1)
}
