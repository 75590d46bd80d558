//! The configuration: gateway.toml key for key, every value checked.

mod admin;
mod audit;
mod cookie;
mod duration;
mod effective;
mod files;
mod forward;
mod grant;
mod identity;
mod jwt;
mod limits;
mod listen;
mod log;
mod metrics;
mod oidc;
mod own;
mod page;
mod providers;
mod server;
mod session;
mod signin;
mod tracing;
mod ui;
mod upstream;
mod users;

use std::path::Path;

use http::uri::Authority;
use pingora::server::configuration::ServerConf;
use serde_json::Value;

use crate::api::cookie::CookieRules;
use crate::api::page::Page;
use crate::api::route::Forwarding;
use crate::limits::Limits;
use crate::session::Lifetime;
use crate::session::memory::Capacity;
use crate::toml_reader::{Diagnostic, Document, Environment, Named, Written};
use crate::user::secret::ApiToken;
pub use admin::{Admin, AdminAddress, token as admin_token};
use duration::duration;
pub use files::{NamedFiles, Relying};
pub use identity::Identity;
pub use jwt::{JwtProvider, KeySource};
pub use listen::Listen;
pub use log::Log;
pub use metrics::Metrics;
pub use oidc::{OidcProvider, OidcTimes};
use own::Own;
pub use providers::Providers;
pub use server::{PID_FILE, Stop, UPGRADE_SOCKET};
pub use session::Store;
pub use signin::SignIn;
pub use tracing::Tracing;
pub use ui::UiServer;
pub use users::{TokenPolicy, Users};

/// Everything that can be configured.
pub struct Config {
    /// Where clients come from.
    pub listen: Listen,
    /// Where requests go.
    pub upstream: Upstream,
    /// How long sessions live.
    pub lifetime: Lifetime,
    /// How many sessions there may be.
    pub capacity: Capacity,
    /// Where sessions are kept.
    pub store: Store,
    /// The session cookie.
    pub cookie: CookieRules,
    /// Who may sign in.
    pub users: Users,
    /// The listener for operators, if there is to be one.
    pub admin: Option<Admin>,
    /// Brute-force protection, and how passwords are hashed.
    pub signin: SignIn,
    /// What is said, how and where.
    pub log: Log,
    /// The file of the audit trail; `None`: the log.
    pub audit: Option<Named>,
    /// What is counted besides what always is.
    pub metrics: Metrics,
    /// The gateway's own page, if there is to be one; its logo is read with the other files.
    pub page: Option<Page>,
    /// Where requests are traced, if they are.
    pub tracing: Option<Tracing>,
    /// The headers that tell the upstream who asks.
    pub identity: Identity,
    /// Identity providers, and what their users may do.
    pub providers: Providers,
    /// What is forwarded besides the API.
    pub forwarding: Forwarding,
    /// The server that InfluxDB's own pages come from, if that is not InfluxDB.
    pub ui: Option<UiServer>,
    /// Time limits.
    pub limits: Limits,
    /// How the process ends.
    pub stop: Stop,
    /// Pingora's own configuration.
    pub server: ServerConf,
    /// The files that are named in it.
    pub files: NamedFiles,
    /// What was written, to see what has changed.
    pub written: Written,
    /// All of it, for people to read: without secrets.
    pub effective: Value,
}

/// The kind of upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpstreamKind {
    /// InfluxDB 2.
    Influxdb2,
    /// InfluxDB 3: no users, no sign-in, tokens as `Bearer` only.
    Influxdb3,
}

/// The upstream.
pub struct Upstream {
    /// Host and port, as in the URL.
    pub authority: Authority,
    /// What it is.
    pub kind: UpstreamKind,
    /// Whether calls of Arrow Flight go to it, over HTTP/2.
    pub grpc: bool,
    /// Whether it is spoken to over TLS; its certificate is verified then.
    pub tls: bool,
    /// Certificates that may have signed the upstream's; none: those of the system.
    pub ca_file: Option<Named>,
    /// The gateway's own certificate and its key, for an upstream that asks.
    pub client: Option<(Named, Named)>,
    /// The token for users who have none of their own.
    pub token: Option<ApiToken>,
    /// Where it was read.
    pub token_file: Option<Named>,
}

/// Why there is no [`Config`].
pub struct Refused {
    /// Everything that is wrong, in the order of the lines.
    pub faults: Vec<Diagnostic>,
    /// What else can be checked.
    pub files: Box<NamedFiles>,
}

impl Config {
    /// Reads `text`, or returns all its faults. They call the file `name`.
    ///
    /// Files named in it are looked for relative to `folder`.
    pub fn parse(
        name: &str,
        text: &str,
        folder: &Path,
        environment: Environment<'_>,
    ) -> Result<Self, Refused> {
        Self::of(Document::parse(name, text, environment), folder)
    }

    /// The same of a `document`.
    pub fn of(document: Document<'_>, folder: &Path) -> Result<Self, Refused> {
        let mut root = document.root();
        let listen = listen::read(root.table("listen"), folder);
        let admin = admin::read(root.table("admin"), folder, &listen);
        let own = Own::of(&listen, admin.as_ref());
        let upstream = upstream::read(root.table("upstream"), folder, (&listen, &own));
        let cookie = cookie::read(root.table("cookie"), &listen);
        let identity = identity::read(root.table("identity"));
        let providers = providers::read(&mut root, folder, upstream.kind);
        let others = (&identity, &providers);
        let users = users::read(root.table("users"), folder, &upstream, others);
        let (lifetime, capacity, store, store_ca_file) =
            session::read(root.table("session"), folder);
        let signin = signin::read(root.table("signin"));
        let log = log::read(root.table("log"), folder);
        let audit = audit::read(root.table("audit"), folder);
        let metrics = metrics::read(root.table("metrics"));
        let (page, logo) = page::read(root.table("page"), folder, &users, &providers);
        let tracing = tracing::read(root.table("tracing"), &own);
        let mut forwarding =
            forward::read(root.table("forward"), &upstream, page.as_ref(), &cookie);
        let ui = ui::read(root.table("ui"), folder, forwarding.ui.is_by_session(), &own);
        forwarding.ui = forwarding.ui.of_elsewhere(ui.is_some());
        let page = page.map(|page| Page { ui: forwarding.ui.is_open(), ..page });
        let limits = limits::read(root.table("limits"));
        let (stop, server) = server::read(root.table("server"), folder);
        root.close();

        let written = document.written();
        let mut effective = effective::of(&document);
        let store_and_ca = (&store, store_ca_file.as_ref());
        let files =
            NamedFiles::of(&listen, &upstream, (&users, &identity), &providers, logo.as_ref())
                .and_of_servers(ui.as_ref(), store_and_ca, tracing.as_ref())
                .and_made(&log, audit.as_ref(), admin.as_ref());
        let faults = document.into_faults();
        if !faults.is_empty() {
            return Err(Refused { faults, files: Box::new(files) });
        }
        let follows = (page.is_some(), listen.speaks_h2c(upstream.grpc));
        effective::complete(&mut effective, &server, &signin, lifetime.idle, follows);
        Ok(Self {
            listen,
            upstream,
            lifetime,
            capacity,
            store,
            cookie,
            users,
            admin,
            signin,
            log,
            audit,
            metrics,
            page,
            tracing,
            identity,
            providers,
            forwarding,
            ui,
            limits,
            stop,
            server,
            files,
            written,
            effective,
        })
    }
}

#[cfg(test)]
mod tests;
