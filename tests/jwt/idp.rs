//! An identity provider that does as it is told.

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::signing::Signer;
use crate::support::*;

/// What it answers with where its keys are.
#[derive(Clone)]
pub(crate) enum Says {
    /// These keys.
    Keys(Vec<Value>),
    /// These bytes, and status.
    Bytes(&'static str, String),
    /// A redirection to the keys.
    Redirect,
    /// A byte now and then, without end.
    Drip,
}

pub(crate) struct Idp {
    pub(crate) server: Upstream,
    pub(crate) issuer: String,
    pub(crate) signer: Signer,
    says: Arc<Mutex<Says>>,
}

impl Idp {
    pub(crate) fn start() -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").unwrap())
    }

    pub(crate) fn on(listener: TcpListener) -> Self {
        let address = listener.local_addr().unwrap();
        let signer = Signer::new("P-256");
        let says = Arc::new(Mutex::new(Says::Keys(vec![signer.jwk()])));
        let issuer = issuer_at(address);
        let (told, name) = (Arc::clone(&says), issuer.clone());
        let behaviour = move |seen: &Seen, stream: &mut TcpStream| match seen.line() {
            "GET /realm/.well-known/openid-configuration HTTP/1.1" => {
                let keys = format!("http://{address}/keys");
                let document = json!({ "issuer": name, "jwks_uri": keys });
                answer(stream, "200 OK", &document.to_string())
            }
            "GET /moved HTTP/1.1" | "GET /keys HTTP/1.1" => {
                let says = told.lock().unwrap().clone();
                say(&says, stream)
            }
            _ => answer(stream, "404 Not Found", "{}"),
        };
        let server = Upstream::on(listener, Arc::new(behaviour));
        Self { server, issuer, signer, says }
    }

    pub(crate) fn say(&self, says: Says) {
        *self.says.lock().unwrap() = says;
    }

    /// Has it answer when it is let go of, with what is there then.
    pub(crate) fn hold(&self) -> MutexGuard<'_, Says> {
        self.says.lock().unwrap()
    }

    /// How often it was asked for its keys since this was last asked.
    pub(crate) fn times_asked(&self) -> usize {
        let seen = self.server.seen_by_clients();
        seen.iter().filter(|seen| seen.line().starts_with("GET /keys ")).count()
    }

    /// Claims that are good now.
    pub(crate) fn claims(&self) -> Value {
        let now = now();
        json!({
            "iss": self.issuer, "sub": "0815", "aud": ["influx-api"], "azp": "telegraf",
            "preferred_username": "eva", "groups": ["writers"], "jti": "j1", "exp": now + 300, "iat": now,
        })
    }

    /// The same with one changed; null takes it away.
    pub(crate) fn with(&self, name: &str, value: Value) -> Value {
        let mut claims = self.claims();
        claims[name] = value;
        claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        claims
    }

    pub(crate) fn header(&self) -> Value {
        json!({ "alg": "ES256", "kid": self.signer.id, "typ": "JWT" })
    }

    /// A token with these claims.
    pub(crate) fn token(&self, claims: &Value) -> String {
        self.signer.sign(&self.header(), claims)
    }
}

pub(crate) fn issuer_at(address: SocketAddr) -> String {
    format!("http://{address}/realm")
}

/// Seconds since 1970.
#[expect(clippy::disallowed_methods, reason = "tokens are of now")]
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

fn say(says: &Says, stream: &mut TcpStream) -> bool {
    match says {
        Says::Keys(keys) => answer(stream, "200 OK", &json!({ "keys": keys }).to_string()),
        Says::Bytes(status, body) => answer(stream, status, body),
        Says::Redirect => {
            let head = "HTTP/1.1 302 Found\r\nLocation: /moved\r\nContent-Length: 0\r\n\r\n";
            stream.write_all(head.as_bytes()).is_ok()
        }
        Says::Drip => {
            let head = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n";
            let mut goes_on = stream.write_all(head.as_bytes()).is_ok();
            while goes_on {
                thread::park_timeout(Duration::from_millis(100));
                goes_on = stream.write_all(b" ").is_ok();
            }
            false
        }
    }
}
