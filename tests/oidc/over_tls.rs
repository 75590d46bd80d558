//! A provider that is asked over TLS, whose certificate is signed by another authority one day.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::json;

use super::browser::Browser;
use super::provider::Provider;
use super::reload::write;
use super::{GRANTS, LOGIN, prepare, table, wait_for};
use crate::secure::{Authority, Pair};
use crate::support::*;

/// What speaks TLS in front of a provider: a connection for each request.
pub(super) struct Front {
    pub(super) address: SocketAddr,
    config: Arc<Mutex<Arc<ServerConfig>>>,
}

impl Front {
    pub(super) fn start(provider: SocketAddr, pair: &Pair) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let config = Arc::new(Mutex::new(config(pair)));
        let used = Arc::clone(&config);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let connection = ServerConnection::new(Arc::clone(&used.lock().unwrap())).unwrap();
                // Whoever does not trust it leaves.
                thread::spawn(move || pass(StreamOwned::new(connection, stream), provider).ok());
            }
        });
        Self { address, config }
    }

    /// Has this certificate from now on.
    fn show(&self, pair: &Pair) {
        *self.config.lock().unwrap() = config(pair);
    }
}

fn config(pair: &Pair) -> Arc<ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider);
    let builder = builder.with_protocol_versions(rustls::ALL_VERSIONS).unwrap();
    let config = builder.with_no_client_auth();
    Arc::new(config.with_single_cert(pair.chain(), pair.private_key()).unwrap())
}

/// Passes on one request, and its answer.
fn pass(
    tls: StreamOwned<ServerConnection, TcpStream>,
    provider: SocketAddr,
) -> std::io::Result<()> {
    let mut client = BufReader::new(tls);
    let mut provider = BufReader::new(TcpStream::connect(provider)?);
    let request = message(&mut client)?;
    provider.get_mut().write_all(request.as_bytes())?;
    let answer = message(&mut provider)?;
    let answer = answer.replacen("\r\n", "\r\nConnection: close\r\n", 1);
    client.get_mut().write_all(answer.as_bytes())?;
    client.get_mut().conn.send_close_notify();
    client.get_mut().flush()
}

/// A head, and a body if it says how long that is.
fn message(stream: &mut impl BufRead) -> std::io::Result<String> {
    let mut text = String::new();
    while !text.ends_with("\r\n\r\n") {
        if stream.read_line(&mut text)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    let lower = text.to_ascii_lowercase();
    let length = lower.split("content-length: ").nth(1).and_then(|rest| rest.split('\r').next());
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body)?;
    Ok(text + &String::from_utf8(body).unwrap())
}

#[test]
fn another_ca_file_counts_without_a_restart() {
    let (mut provider, upstream) = (Provider::start(), Upstream::start());
    let [first, second] = [Authority::new(), Authority::new()];
    let front = Front::start(provider.server.address, &first.pair("127.0.0.1"));
    let at = format!("https://{}", front.address);
    provider.issuer = format!("{at}/realm");
    for (name, path) in [
        ("issuer", "/realm"),
        ("jwks_uri", "/keys"),
        ("authorization_endpoint", "/authorize"),
        ("token_endpoint", "/token"),
    ] {
        provider.document(name, json!(format!("{at}{path}")));
    }
    let issuer = provider.issuer.clone();
    provider.tamper(move |minted| minted.claims["iss"] = json!(issuer));
    let folder =
        prepare(&upstream, &(table("keycloak", &provider, "ca_file = \"ca.crt\"") + GRANTS));
    fs::write(folder.path().join("ca.crt"), first.certificate()).unwrap();
    let gateway = Gateway::start_in(folder);
    wait_for(&gateway, &provider);
    let status = || Browser::new(&gateway).try_sign_in(&provider, LOGIN).status;
    assert_eq!(status(), 303);
    // What is no certificate is not taken.
    write(&gateway, "ca.crt", "nothing of the kind");
    wait_until("it is refused", || gateway.has_logged("what was there before stays in use"));
    assert_eq!(status(), 303);
    // Nobody else than who is in the file may have signed it.
    front.show(&second.pair("127.0.0.1"));
    assert_eq!(status(), 503);
    write(&gateway, "ca.crt", &second.certificate());
    wait_until("the other authority counts", || status() == 303);
    // So it does where keys are asked for.
    provider.asked("");
    provider.rotate(true);
    assert_eq!(status(), 303);
    assert_eq!(provider.asked("GET /keys").len(), 1);
    // And the one from before does not any more.
    front.show(&first.pair("127.0.0.1"));
    assert_eq!(status(), 503);
}
