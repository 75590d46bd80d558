//! What becomes of requests, without a socket: whoever asks for what, and a store that fails.

mod cases;

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{RETRY_AFTER, SET_COOKIE};
use http::{HeaderName, StatusCode};

use cases::{CASES, IN_TROUBLE, UNKNOWN};

use super::client_info::TrustedProxies;
use super::*;
use crate::api::cookie;
use crate::api::csrf::AllowedOrigins;
use crate::api::hosts::AnsweredHosts;
use crate::api::identity::IdentityHeaders;
use crate::api::route::{Forwarding, Ui, Unversioned};
use crate::audit::Audit;
use crate::auth::credential::{Shared, UpstreamCredential};
use crate::auth::throttle::tests::RULES;
use crate::auth::tokens::Tokens;
use crate::clock::Moment;
use crate::directory::Directory;
use crate::directory::file::FileDirectory;
use crate::directory::hash_pool::tests::{CHEAP, room};
use crate::directory::influxdb::{Unreachable, UpstreamClient};
use crate::directory::users::{Account, Users};
use crate::limits::tests::LIMITS;
use crate::session::Lifetime;
use crate::session::memory::{Capacity, MemoryStore};
use crate::session::store::SessionStore;
use crate::session::store::faulty::{FaultyStore, Trouble};
use crate::user::access::Access;
use crate::user::password::{Memory, Password, PasswordHash};
use crate::user::secret::{ApiToken, Scheme};
use crate::user::{Status, User};

const PASSWORD: &str = "correct horse";

/// A gateway with a users file and a store that can be made to fail.
struct Stage {
    gateway: Gateway,
    store: Arc<SessionStore>,
}

/// An upstream that is not there.
struct NoUpstream;

#[async_trait::async_trait]
impl UpstreamClient for NoUpstream {
    async fn ask(&self, _: http::Request<()>) -> Result<http::Response<Bytes>, Unreachable> {
        Err(Unreachable)
    }
}

/// Active, inactive, allowed to read, and with a token of their own.
const NAMES: [&str; 4] = ["ada", "gone", "rita", "olga"];

fn users() -> Users {
    let password = Password::new(PASSWORD.as_bytes().to_vec());
    let hash = PasswordHash::create(&password, CHEAP, &mut Memory::new(CHEAP));
    let text = hash.text().to_string();
    let account = |name: &str| {
        let user = User {
            status: if name == "gone" { Status::Inactive } else { Status::Active },
            access: if name == "rita" { Access::Read } else { Access::Full },
            token: (name == "olga").then(|| ApiToken::parse("own").unwrap()),
            ..crate::user::tests::user(name)
        };
        Account::new(user, PasswordHash::parse(&text).unwrap())
    };
    Users::new(NAMES.into_iter().map(account).collect())
}

impl Stage {
    fn new() -> Self {
        let lifetime = Lifetime { idle: Duration::from_secs(600), absolute: None };
        let capacity = Capacity { total: 100, per_user: 10 };
        let memory = MemoryStore::new(lifetime, capacity, []);
        let store = Arc::new(SessionStore::Faulty(FaultyStore::new(memory, SHORT)));
        let directory = Directory::File(Arc::new(FileDirectory::new(users(), None, room())));
        let audit = Audit::to_log();
        let auth = Auth::new(directory, Arc::clone(&store), Tokens::Pass, None, RULES, audit);
        let public = vec!["/health".to_owned()];
        let name = HeaderName::from_static("x-forwarded-user");
        let shared = Arc::new(Shared::new(ApiToken::parse("shared").ok(), Scheme::Token));
        let policy = Policy {
            cookie: cookie::tests::rules(),
            forwarding: Forwarding {
                public,
                setup: false,
                credentials: false,
                ui: Ui::Closed,
                page: None,
                unversioned: Unversioned::OnTheirOwn,
                grpc: false,
            },
            identity: IdentityHeaders::new(name, None, &[]),
            shared: Arc::clone(&shared),
            limits: LIMITS,
            head: (&LIMITS).into(),
            trusted: TrustedProxies::default(),
            hosts: AnsweredHosts::new(Vec::new()),
            origins: AllowedOrigins::new(Vec::new()),
            counts_users: false,
            password_by_session: true,
            page: None,
            h2c: false,
            hsts: None,
        };
        let version = Version::new(Arc::new(NoUpstream), shared);
        let gateway = {
            let readiness = Readiness::new(Arc::clone(&store), None);
            Gateway::new(Arc::new(auth), policy, Arc::new(version), Arc::new(readiness))
        };
        Self { gateway, store }
    }

    fn suffer(&self, trouble: Trouble) {
        let SessionStore::Faulty(store) = &*self.store else { unreachable!("it is faulty") };
        store.suffer(trouble);
    }

    async fn ask(&self, request: &Sent) -> Outcome {
        let (head, ()) = request.head.clone().into_parts();
        let peer = "192.0.2.7".parse().ok();
        let client = TrustedProxies::default().client_info(peer, false, &head.headers);
        let policy = self.gateway.policy();
        let route = Route::of(&head.method, head.uri.path(), &policy.forwarding);
        let (body, now) = (request.body.as_bytes(), Moment::now());
        let request = Request { route, head: &head, body, client: &client, now };
        self.gateway.handle(&policy, request).await
    }

    /// The header line of a new session of `name`.
    async fn sign_in(&self, name: &str) -> String {
        let outcome = self.ask(&request("POST /api/v2/signin", &[&basic(name, PASSWORD)])).await;
        let Ok(Decision::Respond(response)) = outcome.decision else { panic!("no session") };
        let set = response.headers()[SET_COOKIE].to_str().unwrap();
        format!("cookie: {}", set.split(';').next().unwrap())
    }
}

struct Sent {
    head: http::Request<()>,
    body: &'static str,
}

fn request(line: &str, headers: &[&str]) -> Sent {
    let (method, target) = line.split_once(' ').unwrap();
    let mut head = http::Request::builder().method(method).uri(target);
    for header in headers.iter().filter(|header| !header.is_empty()) {
        let (name, value) = header.split_once(": ").unwrap();
        head = head.header(name, value);
    }
    Sent { head: head.header("host", "gateway.test").body(()).unwrap(), body: "" }
}

fn basic(name: &str, password: &str) -> String {
    format!("authorization: Basic {}", STANDARD.encode(format!("{name}:{password}")))
}

/// What has come of it in a line: where it goes and by which credential, or what is answered; and whose
/// session the log will name.
fn said(outcome: &Outcome) -> String {
    let by = outcome
        .session
        .as_ref()
        .map_or_else(String::new, |session| format!(", by {}", session.user().name.as_str()));
    let shared = Shared::new(ApiToken::parse("shared").ok(), Scheme::Token);
    let what = match &outcome.decision {
        Ok(Decision::Forward(forward)) => match forward.upstream_credential(&shared) {
            UpstreamCredential::Token(token) => format!("forward: {}", token.to_str().unwrap()),
            UpstreamCredential::AsItCame if forward.caller().is_none() => "public".to_owned(),
            UpstreamCredential::AsItCame => "forward: as it came".to_owned(),
            other => format!("forward: {other:?}"),
        },
        Ok(Decision::Respond(response)) => response.status().as_u16().to_string(),
        Err(rejection) => {
            let (status, code, _) = rejection.table();
            format!("{} {code}", status.as_u16())
        }
    };
    what + &by
}

/// No answer takes the store longer.
const SHORT: Duration = Duration::from_millis(20);

/// The header line that a word of a case stands for.
async fn header(stage: &Stage, word: &str) -> String {
    match word.split_once(' ') {
        None => stage.sign_in(word).await,
        Some(("basic", name)) => basic(name, PASSWORD),
        Some(("wrong", name)) => basic(name, "wrong horse"),
        Some(_) => word.to_owned(),
    }
}

async fn asked(stage: &Stage, line: &str, words: &[&str], body: &'static str) -> Outcome {
    let mut headers = Vec::new();
    for word in words {
        headers.push(header(stage, word).await);
    }
    let headers: Vec<_> = headers.iter().map(String::as_str).collect();
    stage.ask(&Sent { body, ..request(line, &headers) }).await
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
}

#[test]
fn each_request_is_answered_or_forwarded_as_it_should_be() {
    runtime().block_on(async {
        let mut failures = Vec::new();
        for (line, words, body, expected) in CASES {
            let outcome = asked(&Stage::new(), line, words, body).await;
            if said(&outcome) != expected {
                failures.push(format!("{line} {words:?}: {}, not {expected}", said(&outcome)));
            }
        }
        assert!(failures.is_empty(), "{}", failures.join("\n"));
    });
}

#[test]
fn a_store_that_cannot_be_asked_signs_nobody_out() {
    runtime().block_on(async {
        for trouble in [Trouble::Fails, Trouble::Hangs, Trouble::Late(SHORT * 50)] {
            let stage = Stage::new();
            let session = stage.sign_in("ada").await;
            stage.suffer(trouble);
            for (line, words, body, expected) in IN_TROUBLE {
                let words: Vec<_> = words
                    .iter()
                    .map(|word| if *word == "session" { &*session } else { word })
                    .collect();
                let outcome = asked(&stage, line, &words, body).await;
                assert_eq!(said(&outcome), expected, "{trouble:?}: {line} {words:?}");
                if let (UNKNOWN, Err(rejection)) = (expected, outcome.decision) {
                    let response = Response::from(rejection);
                    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
                    assert!(response.headers().contains_key(RETRY_AFTER), "{trouble:?}: {line}");
                    assert!(!response.headers().contains_key(SET_COOKIE), "{trouble:?}: {line}");
                }
            }
            // Nothing has become of the session meanwhile, the sign-out that was refused included.
            stage.suffer(Trouble::None);
            let me = stage.ask(&request("GET /api/v2/me", &[&session])).await;
            assert_eq!(said(&me), "200, by ada", "{trouble:?}");
            let out = stage.ask(&request("POST /api/v2/signout", &[&session])).await;
            assert_eq!(said(&out), "204, by ada", "{trouble:?}");
        }
    });
}

#[test]
fn a_store_that_is_a_little_late_is_waited_for() {
    runtime().block_on(async {
        let stage = Stage::new();
        let session = stage.sign_in("ada").await;
        stage.suffer(Trouble::Late(Duration::from_micros(10)));
        let me = stage.ask(&request("GET /api/v2/me", &[&session])).await;
        assert_eq!(said(&me), "200, by ada");
    });
}
