//! A client for the listener: one request, one answer, one connection.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde_json::Value;
use zeroize::Zeroizing;

use super::table::plain;
use crate::cli::Failure;
use crate::config::{Admin, AdminAddress};
use crate::user::secret::Scheme;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);

/// How long the next bytes of an answer may take: the gateway may have to look at every session.
const ANSWER: Duration = Duration::from_secs(120);

/// The longest answer that is read.
const MOST_BYTES: u64 = 64 * 1024 * 1024;

/// A gateway that can be asked.
pub(in crate::cli) struct Client(Admin);

impl Client {
    /// The one that listens where `admin` says.
    pub(in crate::cli) fn new(admin: Admin) -> Self {
        Self(admin)
    }

    /// Asks, and returns the answer if it is one that says yes.
    pub(super) fn ask(&self, method: &str, target: &str) -> Result<Value, Failure> {
        match self.exchange(method, target)? {
            (200, body) => Ok(body),
            (status, body) => Err(refusal(status, &body)),
        }
    }

    /// Asks, and returns status and body, whatever they are.
    pub(in crate::cli) fn exchange(
        &self,
        method: &str,
        target: &str,
    ) -> Result<(u16, Value), Failure> {
        let answer = self.send(method, target).map_err(|error| {
            Failure::Unavailable(format!(
                "no answer from the gateway at {} (admin.listen): {error}; is it running?",
                self.0.listen
            ))
        })?;
        parse(&answer).ok_or_else(|| {
            let what = format!("what answers at {} (admin.listen) is no gateway", self.0.listen);
            Failure::Unavailable(what)
        })
    }

    fn send(&self, method: &str, target: &str) -> std::io::Result<Vec<u8>> {
        let mut request = Zeroizing::new(Vec::with_capacity(1024));
        write!(request, "{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n")?;
        if let Some((token, _)) = &self.0.token {
            request.extend_from_slice(b"Authorization: ");
            request.extend_from_slice(token.authorization(Scheme::Bearer).as_bytes());
            request.extend_from_slice(b"\r\n");
        }
        request.extend_from_slice(b"\r\n");
        match &self.0.listen {
            AdminAddress::Tcp(address) => {
                let stream = TcpStream::connect_timeout(&reachable(*address), CONNECT)?;
                stream.set_read_timeout(Some(ANSWER))?;
                stream.set_write_timeout(Some(CONNECT))?;
                read_answer(stream, &request)
            }
            AdminAddress::Unix(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_read_timeout(Some(ANSWER))?;
                stream.set_write_timeout(Some(CONNECT))?;
                read_answer(stream, &request)
            }
        }
    }
}

/// What an answer with this status and body means, which does not say yes.
pub(in crate::cli) fn refusal(status: u16, body: &Value) -> Failure {
    let message = plain(body["message"].as_str().unwrap_or("it says nothing more"));
    let candidates = body["candidates"].as_array().into_iter().flatten();
    let names = |it: &Value| {
        let word = |key: &str| plain(it[key].as_str().unwrap_or("-"));
        format!("\n  {}  {}  {}", word("fingerprint"), word("created"), word("user"))
    };
    let message = format!("{message}{}", candidates.map(names).collect::<String>());
    match status {
        401 | 403 => Failure::Refused(format!("refused: {message}")),
        404 | 409 => Failure::NotThere(message),
        400 | 405 => Failure::usage(message),
        _ => Failure::Unavailable(format!("the gateway answers {status}: {message}")),
    }
}

/// Where `address` can be reached from here: that of all interfaces is none by itself.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

fn read_answer(mut stream: impl Read + Write, request: &[u8]) -> std::io::Result<Vec<u8>> {
    stream.write_all(request)?;
    let mut answer = Vec::new();
    stream.take(MOST_BYTES).read_to_end(&mut answer)?;
    Ok(answer)
}

/// Status and body, which is whole.
fn parse(answer: &[u8]) -> Option<(u16, Value)> {
    let end = answer.windows(4).position(|part| part == b"\r\n\r\n")?;
    let (head, body) = (std::str::from_utf8(&answer[..end]).ok()?, &answer[end + 4..]);
    let status = head.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    Some((status, serde_json::from_slice(body).ok()?))
}
