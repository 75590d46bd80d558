//! What the benches measure: a request of a signed-in browser, and the rules that it meets.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use influx_gateway::internals::{
    Access, ApiToken, Caller, Capacity, ClientInfo, CookieRules, Forward, Forwarding,
    IdentityHeaders, Lifetime, MemoryStore, Moment, SameSite, Scheme, Secure, Session, SessionId,
    SessionToken, Shared, Status, TrustedProxies, Ui, Unversioned, UpstreamRewrite, User, UserId,
    head,
};
use pingora::http::{RequestHeader, ResponseHeader};

/// The path of the request, without its query.
pub(crate) const PATH: &str = "/api/v2/buckets";

/// Everything that meets one request.
pub(crate) struct Setup {
    pub(crate) cookie: CookieRules,
    pub(crate) forwarding: Forwarding,
    identity: IdentityHeaders,
    shared: Shared,
    authority: HeaderValue,
    pub(crate) client: ClientInfo,
    pub(crate) forward: Forward,
    pub(crate) request: RequestHeader,
    pub(crate) response: ResponseHeader,
}

impl Setup {
    pub(crate) fn new() -> Self {
        let cookie = CookieRules {
            name: "influxdb-oss-session".to_owned(),
            path: "/api/".to_owned(),
            secure: Secure::Auto,
            same_site: SameSite::Strict,
            hints: false,
        };
        let token = SessionToken::generate();
        let session = Session::start(token.id(), user("ada"), None, Moment::START);
        let line = format!("theme=dark; {}={}; lang=en", cookie.name, *token.text());
        let request = request(&line);
        let public = ["/health", "/ping", "/ready"].map(str::to_owned).to_vec();
        let client = "192.0.2.7".parse().ok();
        Self {
            forwarding: Forwarding {
                public,
                setup: false,
                credentials: false,
                ui: Ui::Closed,
                page: None,
                unversioned: Unversioned::Closed,
                grpc: false,
            },
            identity: IdentityHeaders::new(HeaderName::from_static("x-forwarded-user"), None, &[]),
            shared: Shared::new(ApiToken::parse(&"s".repeat(88)).ok(), Scheme::Token),
            authority: HeaderValue::from_static("127.0.0.1:8087"),
            cookie,
            client: TrustedProxies::default().client_info(client, false, &request.headers),
            forward: Forward::on_behalf_of(Caller::Session(Arc::new(session))),
            request,
            response: response(),
        }
    }

    /// How requests and responses are rewritten.
    pub(crate) fn rules(&self) -> UpstreamRewrite<'_> {
        UpstreamRewrite {
            headers: &self.identity,
            cookie: &self.cookie,
            shared: &self.shared,
            authority: &self.authority,
        }
    }

    /// Rewrites `request` for the upstream.
    pub(crate) fn rewrite(&self, request: &mut RequestHeader) {
        head::rewrite(request, |request| {
            self.rules().apply(request, &self.forward, &self.client);
        });
    }
}

fn user(name: &str) -> Arc<User> {
    let name = name.parse().expect("a name");
    let id = UserId::provisional(&name);
    Arc::new(User { name, id, status: Status::Active, access: Access::Full, token: None })
}

fn request(cookies: &str) -> RequestHeader {
    let target = format!("{PATH}?org=demo&limit=20");
    let mut request =
        RequestHeader::build("GET", target.as_bytes(), None).expect("a valid request");
    for (name, value) in [
        ("Host", "gateway.test"),
        ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
        ("Accept", "application/json"),
        ("Accept-Language", "en-US,en;q=0.5"),
        ("Accept-Encoding", "gzip, deflate"),
        ("Referer", "http://gateway.test/orgs/1/data-explorer"),
        ("Cookie", cookies),
    ] {
        request.append_header(name, value).expect("a valid header");
    }
    head::simplify(&mut request);
    request
}

fn response() -> ResponseHeader {
    let mut response = ResponseHeader::build(200, None).expect("a valid status");
    for (name, value) in [
        ("Content-Type", "application/json; charset=utf-8"),
        ("X-Influxdb-Build", "OSS"),
        ("X-Influxdb-Version", "v2.7.12"),
        ("Date", "Sun, 22 Nov 2026 12:00:00 GMT"),
        ("Content-Length", "1187"),
    ] {
        response.append_header(name, value).expect("a valid header");
    }
    response
}

/// A store with so many live sessions, ten of each user, and their ids.
pub(crate) fn store(sessions: usize) -> (MemoryStore, Vec<SessionId>) {
    let lifetime = Lifetime { idle: Duration::from_secs(24 * 3600), absolute: None };
    let capacity = Capacity { total: sessions, per_user: 10 };
    let store = MemoryStore::new(lifetime, capacity, []);
    let mut ids = Vec::with_capacity(sessions);
    while ids.len() < sessions {
        let user = user(&format!("user{}", ids.len()));
        for _ in 0..10 {
            let id = SessionToken::generate().id();
            let session = Session::start(id, Arc::clone(&user), None, Moment::START);
            store.create(session, Moment::START).expect("there is room");
            ids.push(id);
        }
    }
    store.sweep(Moment::START);
    (store, ids)
}
