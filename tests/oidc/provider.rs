//! A provider that signs users in, and does as it is told.

use std::collections::HashMap;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::jwt::signing::Signer;
use crate::support::*;

pub(super) const CLIENT: &str = "influx-gateway";
pub(super) const SECRET: &str = "a-secret+of:more%than-thirty-two-characters";

/// What it gives for a code or a refresh token, before it is signed.
pub(super) struct Minted {
    pub(super) header: Value,
    pub(super) claims: Value,
    pub(super) response: Value,
}

type Tamper = dyn Fn(&mut Minted) + Send + Sync;

/// What its token endpoint does.
#[derive(Clone)]
pub(super) enum Says {
    /// As it should.
    Tokens,
    /// This status and body.
    Status(&'static str, String),
    /// As it should, when this lock can be had.
    Behind(Arc<Mutex<()>>),
    /// A byte now and then, without end.
    Drip,
    /// Nothing: it hangs up.
    Nothing,
}

struct Code {
    claims: Value,
    challenge: String,
    redirect: String,
    is_used: bool,
}

struct Inside {
    issuer: String,
    signer: Mutex<(Signer, &'static str)>,
    keys: Mutex<Vec<Value>>,
    document: Mutex<Value>,
    says: Mutex<Says>,
    tamper: Mutex<Box<Tamper>>,
    codes: Mutex<HashMap<String, Code>>,
    /// The claims that go with a refresh token that is good.
    refreshable: Mutex<HashMap<String, Value>>,
    count: Mutex<usize>,
    /// What the gateway has to know.
    secret: Mutex<String>,
    /// Whether nobody gets the keys.
    hides_keys: AtomicBool,
    /// From which ports tokens were asked for.
    ports: Mutex<Vec<u16>>,
    /// Who wants the keys gets them when this lock can be had.
    keys_behind: Mutex<Option<Arc<Mutex<()>>>>,
}

pub(super) struct Provider {
    pub(super) server: Upstream,
    pub(super) issuer: String,
    inside: Arc<Inside>,
}

impl Provider {
    pub(super) fn start() -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").unwrap())
    }

    pub(super) fn on(listener: TcpListener) -> Self {
        let at = format!("http://{}", listener.local_addr().unwrap());
        Self::known_at(listener, &at)
    }

    /// One that listens there and is known at another address, where somebody passes its requests on.
    pub(super) fn known_at(listener: TcpListener, at: &str) -> Self {
        let issuer = format!("{at}/realm");
        let signer = Signer::new("P-256");
        let document = json!({
            "issuer": issuer, "jwks_uri": format!("{at}/keys"),
            "authorization_endpoint": format!("{at}/authorize"), "token_endpoint": format!("{at}/token"),
            "end_session_endpoint": format!("{at}/logout"), "revocation_endpoint": format!("{at}/revoke"),
            "authorization_response_iss_parameter_supported": true,
        });
        let inside = Arc::new(Inside {
            issuer: issuer.clone(),
            keys: Mutex::new(vec![jwk(&signer, "first")]),
            signer: Mutex::new((signer, "first")),
            document: Mutex::new(document),
            says: Mutex::new(Says::Tokens),
            tamper: Mutex::new(Box::new(|_| {})),
            codes: Mutex::default(),
            refreshable: Mutex::default(),
            count: Mutex::new(0),
            secret: Mutex::new(SECRET.to_owned()),
            hides_keys: AtomicBool::new(false),
            ports: Mutex::default(),
            keys_behind: Mutex::default(),
        });
        let answering = Arc::clone(&inside);
        let behaviour = move |seen: &Seen, stream: &mut TcpStream| answering.answer(seen, stream);
        let server = Upstream::on(listener, Arc::new(behaviour));
        Self { server, issuer, inside }
    }

    pub(super) fn say(&self, says: Says) {
        *self.inside.says.lock().unwrap() = says;
    }

    /// Gives nobody its keys from now on.
    pub(super) fn hide_keys(&self) {
        self.inside.hides_keys.store(true, Ordering::Relaxed);
    }

    /// Its keys, as a file has them.
    pub(super) fn keys(&self) -> String {
        json!({ "keys": *self.inside.keys.lock().unwrap() }).to_string()
    }

    /// From which ports of the gateway's tokens were asked for.
    pub(super) fn ports(&self) -> Vec<u16> {
        self.inside.ports.lock().unwrap().clone()
    }

    /// Gives its keys when this lock can be had.
    pub(super) fn hold_keys_back(&self, gate: &Arc<Mutex<()>>) {
        *self.inside.keys_behind.lock().unwrap() = Some(Arc::clone(gate));
    }

    /// How many refresh tokens are good.
    pub(super) fn refreshable(&self) -> usize {
        self.inside.refreshable.lock().unwrap().len()
    }

    /// Knows the gateway by another secret from now on.
    pub(super) fn change_secret(&self, secret: &str) {
        secret.clone_into(&mut self.inside.secret.lock().unwrap());
    }

    /// Changes what is in its document; null takes it away.
    pub(super) fn document(&self, name: &str, value: Value) {
        let mut document = self.inside.document.lock().unwrap();
        document[name] = value;
        document.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    }

    /// Changes whatever it gives from now on.
    pub(super) fn tamper(&self, tamper: impl Fn(&mut Minted) + Send + Sync + 'static) {
        *self.inside.tamper.lock().unwrap() = Box::new(tamper);
    }

    /// Signs with another key from now on, which is published or not.
    pub(super) fn rotate(&self, is_published: bool) {
        let signer = Signer::new("P-256");
        if is_published {
            *self.inside.keys.lock().unwrap() = vec![jwk(&signer, "second")];
        }
        *self.inside.signer.lock().unwrap() = (signer, "second");
    }

    /// Its user signs in there, who was sent to `location`; returns the code.
    pub(super) fn authorize(&self, location: &str) -> String {
        self.authorize_as(location, "0815", &["writers"])
    }

    /// The same as this one, in these groups.
    pub(super) fn authorize_as(&self, location: &str, subject: &str, groups: &[&str]) -> String {
        self.inside.authorize_as(location, subject, groups)
    }

    /// Gives its user, who can be refreshed, these groups from now on.
    pub(super) fn regroup(&self, groups: &[&str]) {
        for claims in self.inside.refreshable.lock().unwrap().values_mut() {
            claims["groups"] = json!(groups);
        }
    }

    /// Takes no refresh token any more.
    pub(super) fn forget(&self) {
        self.inside.refreshable.lock().unwrap().clear();
    }

    /// A log-out token with these claims, besides what each has.
    pub(super) fn logout_token(&self, more: Value) -> String {
        let now = now();
        let events = json!({ "http://schemas.openid.net/event/backchannel-logout": {} });
        let mut claims = json!({
            "iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 120,
            "jti": self.inside.fresh("jti"), "events": events,
        });
        claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        self.sign(json!({ "typ": "logout+jwt" }), &claims)
    }

    /// A token of its own with this header, besides what each has, and these claims.
    pub(super) fn sign(&self, header: Value, claims: &Value) -> String {
        let (signer, kid) = &*self.inside.signer.lock().unwrap();
        let mut all = json!({ "alg": "ES256", "kid": kid, "typ": "JWT" });
        all.as_object_mut().unwrap().extend(header.as_object().unwrap().clone());
        signer.sign(&all, claims)
    }

    /// The requests of this kind that came since this was last asked.
    pub(super) fn asked(&self, line: &str) -> Vec<Seen> {
        let seen = self.server.seen_by_clients();
        seen.into_iter().filter(|seen| seen.line().starts_with(line)).collect()
    }
}

impl Inside {
    fn authorize_as(&self, location: &str, subject: &str, groups: &[&str]) -> String {
        let now = now();
        let claims = json!({
            "iss": self.issuer, "sub": subject, "aud": CLIENT, "exp": now + 300, "iat": now,
            "nonce": parameter(location, "nonce"), "sid": format!("s-{subject}"),
            "preferred_username": format!("eva-{subject}"), "groups": groups,
        });
        assert_eq!(parameter(location, "code_challenge_method"), "S256");
        let code = Code {
            claims,
            challenge: parameter(location, "code_challenge"),
            redirect: parameter(location, "redirect_uri"),
            is_used: false,
        };
        let name = self.fresh("code");
        self.codes.lock().unwrap().insert(name.clone(), code);
        name
    }

    /// What a browser that was sent to `target` gets: its user signs in, or out, without being asked.
    fn browse(&self, target: &str, stream: &mut TcpStream) -> bool {
        let to = if target.starts_with("/logout?") {
            parameter(target, "post_logout_redirect_uri")
        } else {
            let code = self.authorize_as(target, "0815", &["writers"]);
            let (redirect, state) = (parameter(target, "redirect_uri"), parameter(target, "state"));
            format!("{redirect}?code={code}&state={state}&iss={}", self.issuer)
        };
        let head = format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n");
        stream.write_all(head.as_bytes()).is_ok()
    }

    fn fresh(&self, kind: &str) -> String {
        let mut count = self.count.lock().unwrap();
        *count += 1;
        format!("{kind}-secret-{count}")
    }

    fn answer(&self, seen: &Seen, stream: &mut TcpStream) -> bool {
        let path = seen.line().split(' ').nth(1).unwrap();
        match path {
            "/realm/.well-known/openid-configuration" => {
                let document = self.document.lock().unwrap().to_string();
                answer(stream, "200 OK", &document)
            }
            "/keys" if self.hides_keys.load(Ordering::Relaxed) => {
                answer(stream, "503 Service Unavailable", "")
            }
            "/keys" => {
                let gate = self.keys_behind.lock().unwrap().clone();
                drop(gate.as_ref().map(|gate| gate.lock()));
                let keys = json!({ "keys": *self.keys.lock().unwrap() });
                answer(stream, "200 OK", &keys.to_string())
            }
            "/token" => {
                self.ports.lock().unwrap().push(stream.peer_addr().unwrap().port());
                let says = self.says.lock().unwrap().clone();
                match says {
                    Says::Tokens => self.give(seen, stream),
                    Says::Behind(gate) => {
                        drop(gate.lock());
                        self.give(seen, stream)
                    }
                    Says::Status(status, body) => answer(stream, status, &body),
                    Says::Drip => drip(stream),
                    Says::Nothing => false,
                }
            }
            "/revoke" => {
                let form = String::from_utf8(seen.body.clone()).unwrap();
                self.refreshable
                    .lock()
                    .unwrap()
                    .retain(|token, _| !form.contains(&format!("token={token}&")));
                answer(stream, "200 OK", "")
            }
            _ if path.starts_with("/authorize?") || path.starts_with("/logout?") => {
                self.browse(path, stream)
            }
            _ => answer(stream, "404 Not Found", "{}"),
        }
    }

    fn give(&self, seen: &Seen, stream: &mut TcpStream) -> bool {
        let (status, body) = match self.tokens(seen) {
            Ok(tokens) => ("200 OK", tokens),
            Err(error) => ("400 Bad Request", json!({ "error": error })),
        };
        answer(stream, status, &body.to_string())
    }

    fn tokens(&self, seen: &Seen) -> Result<Value, &'static str> {
        let form = String::from_utf8(seen.body.clone()).unwrap();
        let field = |name: &str| {
            let pair = form.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}=")));
            pair.map(decoded)
        };
        let secret = self.secret.lock().unwrap().clone();
        let expected = format!(
            "Basic {}",
            STANDARD.encode(format!(
                "{CLIENT}:{}",
                secret.replace('%', "%25").replace('+', "%2B").replace(':', "%3A")
            ))
        );
        if seen.header("authorization") != Some(&expected) {
            return Err("invalid_client");
        }
        let claims = match field("grant_type").as_deref() {
            Some("authorization_code") => {
                let mut codes = self.codes.lock().unwrap();
                let code =
                    codes.get_mut(&field("code").unwrap_or_default()).ok_or("invalid_grant")?;
                let verifier = field("code_verifier").ok_or("invalid_grant")?;
                let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier));
                let is_right = challenge == code.challenge
                    && field("redirect_uri").as_ref() == Some(&code.redirect);
                if code.is_used || !is_right {
                    return Err("invalid_grant");
                }
                code.is_used = true;
                code.claims.clone()
            }
            Some("refresh_token") => {
                let token = field("refresh_token").unwrap_or_default();
                let mut claims =
                    self.refreshable.lock().unwrap().remove(&token).ok_or("invalid_grant")?;
                claims.as_object_mut().unwrap().remove("nonce");
                claims["iat"] = json!(now());
                claims["exp"] = json!(now() + 300);
                claims
            }
            _ => return Err("unsupported_grant_type"),
        };
        let refresh = self.fresh("refresh");
        self.refreshable.lock().unwrap().insert(refresh.clone(), claims.clone());
        let access = self.fresh("access");
        let (signer, kid) = &*self.signer.lock().unwrap();
        let mut minted = Minted {
            header: json!({ "alg": "ES256", "kid": kid, "typ": "JWT" }),
            claims,
            response: json!({ "access_token": access, "refresh_token": refresh, "token_type": "Bearer" }),
        };
        (self.tamper.lock().unwrap())(&mut minted);
        minted.claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        if minted.response.get("id_token").is_none() {
            minted.response["id_token"] = json!(signer.sign(&minted.header, &minted.claims));
        }
        minted.response.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        Ok(minted.response)
    }
}

fn jwk(signer: &Signer, kid: &str) -> Value {
    let mut key = signer.jwk();
    key["kid"] = json!(kid);
    key
}

fn drip(stream: &mut TcpStream) -> bool {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n";
    let mut goes_on = stream.write_all(head.as_bytes()).is_ok();
    while goes_on {
        thread::park_timeout(Duration::from_millis(100));
        goes_on = stream.write_all(b" ").is_ok();
    }
    false
}

/// The value of a parameter in the query of a URL.
pub(super) fn parameter(url: &str, name: &str) -> String {
    let query = url.split_once('?').unwrap_or_else(|| panic!("no query: {url}")).1;
    let value = query.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}=")));
    decoded(value.unwrap_or_else(|| panic!("no {name}: {url}")))
}

fn decoded(text: &str) -> String {
    let mut bytes = text.bytes();
    let mut out = Vec::new();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'%' => {
                let digits = [bytes.next().unwrap(), bytes.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            b'+' => b' ',
            other => other,
        });
    }
    String::from_utf8(out).unwrap()
}

/// Seconds since 1970.
#[expect(clippy::disallowed_methods, reason = "tokens are of now")]
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}
