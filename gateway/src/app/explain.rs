//! What would become of a request, and why: decided by the code that decides about real ones.
//!
//! Nothing listens, nobody is asked: sessions are in memory, and the upstream is not there.

mod explanation;
mod question;
mod words;

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{AUTHORIZATION, COOKIE};
use http::request::Parts;
use http::{HeaderValue, Request as HttpRequest};

use super::outside::read_file;
use super::{Loaded, UsersFile, jwt, policy};
use crate::api::forward::Forward;
use crate::api::rejection::Rejection;
use crate::api::route::Route;
use crate::api::{authorization, compatible, framing, grpc};
use crate::audit::Audit;
use crate::auth::Auth;
use crate::auth::credential::Shared;
use crate::auth::gateway_tokens;
use crate::auth::tokens::Tokens;
use crate::clock::Moment;
use crate::config::{Config, TokenPolicy};
use crate::directory::Directory;
use crate::directory::file::FileDirectory;
use crate::directory::hash_pool::HashPool;
use crate::directory::influxdb::{InfluxdbDirectory, Unreachable, UpstreamClient};
use crate::directory::users::Users;
use crate::file_identity::Files;
use crate::gateway::Gateway;
use crate::gateway::client_info::ClientInfo;
use crate::gateway::policy::Policy;
use crate::gateway::readiness::Readiness;
use crate::gateway::request::{Decision, Outcome, Request};
use crate::gateway::version::Version;
use crate::proxy::upstream_rewrite::UpstreamRewrite;
use crate::session::Session;
use crate::session::memory::MemoryStore;
use crate::session::store::SessionStore;
use crate::session::token::SessionToken;
use crate::user::access::Access;
use crate::user::gateway_token::Presented;
use crate::user::name::Username;
use crate::user::secret::{ApiToken, Scheme, UpstreamSession};
use crate::user::{Status, User, UserId};
pub use explanation::Explanation;
use question::Head;
pub use question::{By, Question, Unexplained};

/// An upstream that is not asked.
struct Nobody;

#[async_trait::async_trait]
impl UpstreamClient for Nobody {
    async fn ask(&self, _: HttpRequest<()>) -> Result<http::Response<Bytes>, Unreachable> {
        Err(Unreachable)
    }
}

/// A gateway that serves nobody.
struct Dry {
    config: Config,
    gateway: Gateway,
    policy: Arc<Policy>,
    store: Arc<SessionStore>,
    /// The users of the file, if there is one.
    users: Option<Vec<Arc<User>>>,
}

/// The API token in the file at `path`.
pub fn read_token(path: &Path) -> Result<ApiToken, String> {
    ApiToken::of_file(path, |path| read_file(path, &Files::default()))
}

/// Thinks `question` through, by the rules of what is `loaded`.
///
/// # Panics
/// If the process can have no timer.
pub fn explain(loaded: Loaded, question: &Question) -> Result<Explanation, Unexplained> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime without sockets is had").block_on(think(loaded, question))
}

async fn think(loaded: Loaded, question: &Question) -> Result<Explanation, Unexplained> {
    let dry = Dry::new(loaded);
    let mut text = question.head(&dry.config)?;
    dry.bring_credential(&question.by, &mut text).await?;
    let raw = text.raw();
    let asked = format!("{} {}", question.method, question.path);
    let mut told = Explanation::of(asked, question.from);
    let head = match framing::check(raw.as_bytes(), &dry.policy.head) {
        Ok(checked) => text.parts(&checked.target.encoded()),
        Err(rejection) => Err(rejection),
    };
    match head {
        Ok(head) => dry.ask(question, &head, &mut told).await,
        Err(rejection) => told.reject(rejection, None),
    }
    Ok(told)
}

impl Dry {
    fn new(Loaded { config, users, .. }: Loaded) -> Self {
        let scheme = config.upstream.kind.scheme();
        let shared = Arc::new(Shared::new(config.upstream.token.clone(), scheme));
        let known = users.as_ref().map(|file| file.users.sorted().into_iter().cloned().collect());
        let known = known.or_else(|| config.users.are_of_providers().then(Vec::new));
        let directory = directory(&config, users, &shared);
        let store = MemoryStore::new(config.lifetime, config.capacity, []);
        let store = Arc::new(SessionStore::Memory(store));
        let tokens = match config.users.tokens {
            TokenPolicy::Deny => Tokens::Deny,
            // Whose it is, InfluxDB would have to be asked.
            TokenPolicy::Pass | TokenPolicy::Resolve => Tokens::Pass,
        };
        let (rules, audit) = (config.signin.rules, Audit::to_log());
        let auth = Auth::new(directory, Arc::clone(&store), tokens, None, rules, audit);
        let jwt::Made { jwts, oidc, .. } = jwt::of(&config);
        let auth = auth.taking(jwts, oidc);
        let policy = policy::of(&config, Arc::clone(&shared));
        let version = Version::new(Arc::new(Nobody), shared);
        let readiness = Arc::new(Readiness::new(Arc::clone(&store), None));
        let gateway = Gateway::new(Arc::new(auth), policy, Arc::new(version), readiness);
        let policy = gateway.policy();
        Self { config, gateway, policy, store, users: known }
    }

    /// Adds the credential of whoever sends the request to its head.
    async fn bring_credential(&self, by: &By, text: &mut Head) -> Result<(), Unexplained> {
        match by {
            By::Headers => {}
            By::Token(token) => {
                let value = token.authorization(Scheme::Token);
                text.add(AUTHORIZATION.as_str(), &String::from_utf8_lossy(value.as_bytes()));
            }
            By::User(name) => {
                let token = SessionToken::generate();
                self.sign_in(name, &token).await?;
                let cookie = format!("{}={}", self.policy.cookie.name, *token.text());
                text.add(COOKIE.as_str(), &cookie);
            }
        }
        Ok(())
    }

    async fn sign_in(&self, name: &Username, token: &SessionToken) -> Result<(), Unexplained> {
        let (user, half) = match &self.users {
            Some(users) => {
                let user = users.iter().find(|user| user.name == *name);
                (Arc::clone(user.ok_or_else(|| Unexplained::NoUser(name.clone()))?), None)
            }
            // InfluxDB knows its users; it is not asked whether this is one.
            None => (Arc::new(pretended(name.clone())), UpstreamSession::parse(b"session=secret")),
        };
        let session = Session::start(token.id(), user, half, Moment::now());
        // There is room in a table that is empty, and memory is always there.
        let _ = self.store.create(token, session, None, Moment::now()).await;
        Ok(())
    }

    async fn ask(&self, question: &Question, head: &Parts, told: &mut Explanation) {
        let client =
            self.policy.trusted.client_info(Some(question.from), question.over_tls, &head.headers);
        let tls = if client.over_tls { "HTTPS" } else { "HTTP" };
        told.client = format!("{} over {tls}", client.client.to_str().unwrap_or("-"));
        let own = Some(question.from);
        if !self.policy.hosts.answer(client.host.as_ref(), own) {
            return told.reject(Rejection::Misdirected, None);
        }
        let (method, uri, forwarding) = (&head.method, &head.uri, &self.policy.forwarding);
        // A call comes over HTTP/2 where that is spoken, whatever it is written like here.
        let speaks_http_2 = question.over_tls || self.policy.h2c;
        let route = if speaks_http_2 && grpc::is_call(&head.headers) {
            Route::of_http_2(method, uri, &head.headers, forwarding)
        } else {
            Route::of(method, uri.path(), forwarding)
        };
        told.route = words::of_route(&route);
        let request = Request { route, head, body: &[], client: &client, now: Moment::now() };
        let auth = self.gateway.auth();
        let supposed = bearing(&route, head).and_then(|header| auth.suppose_jwt(header));
        let presented = presented(&route, head);
        let of_token = presented.map(|presented| gateway_tokens::holder(auth, presented));
        let Outcome { decision, session } = self.gateway.handle(&self.policy, request).await;
        if let Some(session) = &session {
            told.caller = words::of_session(session);
        }
        match decision {
            Err(rejection) if supposed.is_some() => {
                told.reject_jwt(rejection, supposed.as_ref(), head);
            }
            Err(rejection) => {
                let holder =
                    || of_token.as_ref()?.as_ref().ok().map(|holder| Arc::clone(&holder.user));
                let user = session.map(|session| session.user()).or_else(holder);
                told.reject(rejection, user.as_deref().map(|user| (user, head)));
                if let Some(Err(worthless)) = &of_token {
                    told.why = words::why_worthless(worthless);
                }
            }
            Ok(Decision::Respond(response)) => {
                told.decision = format!("answered by the gateway: {}", response.status());
                told.why = String::from(match route {
                    Route::Ui => {
                        "pages need a session (forward.ui); a browser without one signs in at page.path first"
                    }
                    _ => "the route is the gateway's own",
                });
            }
            Ok(Decision::Forward(forward)) => self.forward(&forward, head, &client, told),
        }
        if let Some(supposed) = &supposed {
            told.caller = words::of_jwt(supposed);
        }
        if let Some(Ok(holder)) = &of_token {
            told.caller = words::of_holder(holder);
        }
    }

    fn forward(
        &self,
        forward: &Forward,
        head: &Parts,
        client: &ClientInfo,
        told: &mut Explanation,
    ) {
        let upstream = &self.config.upstream;
        let pages = self.config.ui.as_ref().filter(|_| forward.is_apart());
        let (tls, authority) = pages
            .map_or((upstream.tls, &upstream.authority), |pages| (pages.tls, &pages.authority));
        let scheme = if tls { "https" } else { "http" };
        let whose = if pages.is_some() { " (ui.url)" } else { "" };
        told.decision = format!("forwarded to {scheme}://{authority}{whose}");
        told.caller = words::of_caller(forward.caller(), self.config.users.tokens);
        told.why = words::why_forwarded(forward);
        let credential = forward.upstream_credential(&self.policy.shared);
        told.credential = Some(words::of_credential(&credential, forward));
        let rewrite = UpstreamRewrite {
            headers: &self.policy.identity,
            cookie: &self.policy.cookie,
            shared: &self.policy.shared,
            authority: &HeaderValue::from_str(authority.as_str())
                .unwrap_or(HeaderValue::from_static("-")),
        };
        let mut sent = head.clone();
        rewrite.apply(&mut sent, forward, client);
        told.compare(&head.headers, &sent.headers, &credential);
    }
}

/// The `Authorization` of a request in which a JWT counts on its route.
fn bearing<'h>(route: &Route<'_>, head: &'h Parts) -> Option<&'h HeaderValue> {
    let ways = matches!(route, Route::OnItsOwn(_) | Route::OnItsOwnOrApi(_));
    head.headers.get(AUTHORIZATION).filter(|header| ways || authorization::is_token(header))
}

/// The gateway token that a request brings on its route, if it brings one.
fn presented(route: &Route<'_>, head: &Parts) -> Option<Presented> {
    match route {
        Route::OnItsOwn(_) | Route::OnItsOwnOrApi(_) => {
            compatible::gateway_token(head).unwrap_or_default()
        }
        _ => head.headers.get(AUTHORIZATION).and_then(authorization::gateway_token),
    }
}

/// Who may sign in; nobody is asked for it.
fn directory(config: &Config, users: Option<UsersFile>, shared: &Arc<Shared>) -> Directory {
    let signin = config.signin;
    let users = users.map(|file| file.users);
    if let Some(users) = users.or_else(|| config.users.are_of_providers().then(Users::none)) {
        let pool = HashPool::new(signin.line, signin.cost);
        return Directory::File(Arc::new(FileDirectory::new(users, None, pool)));
    }
    let directory = InfluxdbDirectory::new(Arc::new(Nobody), signin.line, Arc::clone(shared));
    Directory::Influxdb(Arc::new(directory))
}

fn pretended(name: Username) -> User {
    let (status, access) = (Status::Active, Access::Full);
    User { name, id: UserId::generate(), status, access, token: None }
}
