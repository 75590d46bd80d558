//! Composition: makes a running server of a configuration.

mod admin;
mod counted;
pub mod diagnose;
pub mod explain;
mod files;
mod jwt;
mod key_file;
mod listeners;
mod names;
mod oidc;
mod output;
mod outside;
pub mod pid_file;
pub mod policy;
mod reload;
mod tasks;
mod token_file;
pub mod upgrade;
mod upstreams;
mod users_file;
mod users_here;
pub mod warnings;

use files::Known;
pub use files::{Loaded, Tls, load, load_config, load_for_reload, load_to_serve};
pub use jwt::ask_providers;
pub use listeners::{BindError, bind};
pub use output::open_log_and_audit;
pub use users_file::{UsersFile, UsersReader};

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

use crate::audit::Audit;
use crate::auth::credential::Shared;
use crate::auth::tokens::{Resolver, Tokens};
use crate::auth::upstream_sessions::{self, UpstreamSessions};
use crate::auth::{AuditedEnds, Auth};
use crate::config::{Config, Stop, Store, TokenPolicy};
use crate::directory::Directory;
use crate::directory::file::{FileDirectory, Kept};
use crate::directory::hash_pool::{HashPool, QueueLimits};
use crate::directory::influxdb::{self, InfluxdbDirectory, UpstreamClient};
use crate::directory::users::Users;
use crate::gateway::Gateway;
use crate::gateway::readiness::Readiness;
use crate::gateway::reloads;
use crate::gateway::version::Version;
use crate::net::acceptance::Acceptance;
use crate::net::concurrency::ConcurrencyLimits;
use crate::net::connections::Connections;
use crate::net::listener::{Bound, Listener};
use crate::net::open_requests::OpenRequests;
use crate::net::server::{Front, Server};
use crate::net::whoami::Whoami;
use crate::proxy::Proxy;
use crate::session::memory::MemoryStore;
use crate::session::redis::{Halves, RedisStore, Whose};
use crate::session::store::{EndListener, SessionStore};
use crate::tasks::drain::Drain;
use crate::tasks::reload::Reload;
use crate::tasks::upgrade::{Handover, Takeover};
use listeners::Listeners;
use reload::InForce;
use tasks::Tasks;
use upgrade::Place;
use users_here::UsersHere;

/// Serves by what was `Loaded` from `path` until the process is told to stop, then returns; in place of another
/// process, if there is a `takeover`. Calls `ready` with the URLs of its
/// listeners when it serves.
///
/// Without a users file, InfluxDB is asked who may sign in, or identity providers alone are.
pub fn serve(
    path: &Path,
    Loaded { config, users, tls }: Loaded,
    audit: Audit,
    takeover: Option<Takeover>,
    ready: impl FnOnce(&[String]) + Send + 'static,
) -> Result<(), BindError> {
    let users = users.map(|UsersFile { reader, users }| {
        (users, Some(Kept::new(reader.file.path.clone(), Box::new(reader))))
    });
    // Where nobody has a password, each is as wrong as that of a name that nobody has.
    let users = users.or_else(|| config.users.are_of_providers().then(|| (Users::none(), None)));
    let known = (tls.upstream.clone(), tls.ui.clone());
    let place = Place::of(path, &config);
    let clients = listeners::bind_all(&config, tls, takeover.as_ref())?;
    let admin = admin::bind_all(&config, takeover.as_ref())?;
    let acceptance = Arc::new(Acceptance::new(takeover.is_some()));
    let listeners = Listeners { clients, admin, acceptance };
    let urls = listeners.urls();
    let built = build(Some(path), config, users, known, audit, listeners);
    let handover = built.handover;
    built.server.run(&built.audit, built.draining, move || {
        upgrade::succeed(takeover, handover, &place);
        ready(&urls);
    });
    Ok(())
}

/// The same with users that are kept nowhere, and beside it the upstream that answers with what it
/// saw, on `upstream`.
pub fn serve_with_whoami(
    config: Config,
    users: Users,
    listeners: Vec<Listener>,
    upstream: Vec<Listener>,
    ready: impl FnOnce() + Send + 'static,
) {
    let acceptance = Arc::new(Acceptance::new(false));
    let listeners = Listeners { clients: listeners, admin: None, acceptance };
    let users = Some((users, None));
    let mut built = build(None, config, users, (None, None), Audit::to_log(), listeners);
    // Nobody takes over.
    built.handover.sockets.close();
    built.server.listen(Bound::new("whoami", upstream, |_| Whoami));
    built.server.run(&built.audit, built.draining, ready);
}

/// Where sessions are kept: those of users of the file, or of InfluxDB's.
fn store(
    config: &Config,
    file: Option<&Arc<FileDirectory>>,
    told: [Arc<dyn EndListener>; 2],
) -> SessionStore {
    let (lifetime, capacity) = (config.lifetime, config.capacity);
    let Store::Redis { settings, key } = &config.store else {
        return SessionStore::Memory(MemoryStore::new(lifetime, capacity, told));
    };
    let whose = if let Some(file) = file {
        Whose::Known(Arc::new(UsersHere::of(Arc::clone(file), config)))
    } else {
        Whose::Influxdb(Halves { key: key.clone(), renew: config.users.pace.renew })
    };
    let redis = RedisStore::new((**settings).clone(), lifetime, capacity, whose, told);
    SessionStore::Redis(Arc::new(redis))
}

/// A server that can be run.
struct Built {
    server: Server,
    audit: Audit,
    draining: (Arc<Readiness>, Duration),
    handover: Handover,
}

#[expect(
    clippy::too_many_lines,
    reason = "each part is made once, in the order in which others need it"
)]
fn build(
    path: Option<&Path>,
    config: Config,
    users: Option<(Users, Option<Kept>)>,
    (upstream_tls, ui): (Known, Known),
    audit: Audit,
    listeners: Listeners,
) -> Built {
    counted::begin(&config, &listeners.clients);
    let (tls_files, tls) = upstream_tls.unzip();
    let upstreams::Made { upstreams, own_requests, ui_requests, ui_files } =
        upstreams::of(&config, tls, ui);
    let upstream = Arc::clone(&upstreams.influxdb);
    let client = Arc::clone(&own_requests) as Arc<dyn UpstreamClient>;
    let shared =
        Arc::new(Shared::new(config.upstream.token.clone(), config.upstream.kind.scheme()));
    let queue = QueueLimits { at_once: influxdb::AT_ONCE, ..config.signin.line };
    let influxdb = InfluxdbDirectory::new(Arc::clone(&client), queue, Arc::clone(&shared));
    let jwt::Made { jwts, oidc, fetch, watched: jwt_files, noted } = jwt::of(&config);
    let (auth, sessions, upstream_sessions) = auth(&config, users, Arc::new(influxdb), audit);
    let auth = Arc::new(auth.taking(jwts, oidc));

    let version = Arc::new(Version::new(client, Arc::clone(&shared)));
    let token_file = token_file::watched(config.upstream.token_file.clone(), &shared);
    let policy = policy::of(&config, Arc::clone(&shared));
    let readiness = admin::readiness(&config, &sessions, &version);
    let gateway =
        Gateway::new(Arc::clone(&auth), policy, Arc::clone(&version), Arc::clone(&readiness));
    let gateway = Arc::new(gateway);
    let limits = &config.limits;
    let connections = Connections::new(limits.connections, limits.connections_per_client);
    let concurrency = ConcurrencyLimits::new(limits);
    let open = OpenRequests::default();
    let (spans, send_spans) = tasks::spans(config.tracing.as_ref()).unzip();
    let proxy = Arc::new(Proxy::new(
        Arc::clone(&gateway),
        upstreams.clone(),
        (own_requests, ui_requests),
        Arc::clone(&concurrency),
        (open.clone(), spans.clone()),
    ));

    let effective = Arc::new(ArcSwap::from_pointee(config.effective.clone()));
    let in_force = InForce {
        gateway: Arc::clone(&gateway),
        shared,
        connections: connections.clone(),
        concurrency: Arc::clone(&concurrency),
        effective: Arc::clone(&effective),
    };
    let configuration = path.and_then(|path| reload::configuration(path, &config, in_force));
    let (reloads, wanted) = reloads::line();
    let Stop { drain_delay, grace, .. } = config.stop;
    let mut conf = config.server;
    conf.ca_file = upstreams.authorities();
    let mut server = Server::new(conf, reloads.clone(), Arc::clone(&listeners.acceptance));
    let (sockets, certificates) = (listeners.again(), listeners.certificates());
    let Listeners { clients, admin, acceptance } = listeners;
    let in_use = admin::certificates(&clients, tls_files.as_ref());
    let front = Front {
        proxy: Arc::new(proxy.service(server.conf(), &config.limits)),
        whole: Some(proxy),
        gateway: Arc::clone(&gateway),
        connections: connections.clone(),
        open: open.clone(),
        concurrency,
        keep_alive: (&config.limits).into(),
        acceptance: Arc::clone(&acceptance),
    };
    server.listen(front.behind("gateway", clients));
    let tls_files = tls_files.map(|files| files.watched(upstream));
    let needs = admin::Needs {
        gateway,
        version: Arc::clone(&version),
        readiness: Arc::clone(&readiness),
        effective,
        reloads,
        acceptance: Arc::clone(&acceptance),
        certificates: in_use,
        providers: noted,
    };
    let admin = config.admin.zip(admin);
    let admin_token = admin::add(&mut server, admin, &config.limits, needs);
    let watched = token_file.into_iter().chain(tls_files).chain(ui_files).chain(certificates);
    let watched = watched.chain(admin_token).chain(jwt_files);
    let reload = Reload::new(Arc::clone(&auth), configuration, watched.collect(), wanted);
    let shared = (upstream_sessions.clone(), Arc::clone(&sessions));
    let written = (auth.audit().clone(), spans);
    let drain = Drain::new((connections, open), shared, written, sockets.clone(), grace);
    Tasks { upstreams, version, sessions, upstream_sessions, reload, fetch, send_spans, drain }
        .add_to(&mut server);
    let audit = auth.audit().clone();
    let handover = Handover { sockets, auth, acceptance };
    Built { server, audit, draining: (readiness, drain_delay), handover }
}

/// Users and their sessions, where sessions are kept, and what looks after those of InfluxDB.
fn auth(
    config: &Config,
    users: Option<(Users, Option<Kept>)>,
    influxdb: Arc<InfluxdbDirectory>,
    audit: Audit,
) -> (Auth, Arc<SessionStore>, Option<Arc<UpstreamSessions>>) {
    let signin = config.signin;
    let (ended_queue, ended) = upstream_sessions::line();
    let told: [Arc<dyn EndListener>; 2] =
        [Arc::new(AuditedEnds(audit.clone())), Arc::new(ended_queue)];
    let file = users.map(|(users, kept)| {
        let pool = HashPool::new(signin.line, signin.cost);
        Arc::new(FileDirectory::new(users, kept, pool))
    });
    let sessions = Arc::new(store(config, file.as_ref(), told));
    let tokens = match config.users.tokens {
        TokenPolicy::Pass => Tokens::Pass,
        TokenPolicy::Resolve => Tokens::Resolve(Box::new(Resolver::new(
            Arc::clone(&influxdb),
            config.identity.token_prefix.clone(),
        ))),
        TokenPolicy::Deny => Tokens::Deny,
    };
    let (directory, upstream_sessions) = if let Some(file) = file {
        (Directory::File(file), None)
    } else {
        let (pace, store) = (config.users.pace, Arc::clone(&sessions));
        let upstream_sessions = UpstreamSessions::new(Arc::clone(&influxdb), store, ended, pace);
        (Directory::Influxdb(influxdb), Some(Arc::new(upstream_sessions)))
    };
    let store = Arc::clone(&sessions);
    let auth = Auth::new(directory, store, tokens, upstream_sessions.clone(), signin.rules, audit);
    (auth, sessions, upstream_sessions)
}
