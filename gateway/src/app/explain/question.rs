//! A request to think through, and its head.

use std::net::IpAddr;

use http::header::{CONTENT_TYPE, HOST};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Request, Uri};

use crate::api::rejection::Rejection;
use crate::api::route::FLIGHT;
use crate::config::Config;
use crate::user::name::Username;
use crate::user::secret::ApiToken;

/// A request to think through.
pub struct Question {
    /// Its method, as in the request line.
    pub method: String,
    /// Its path, with the query if there is one.
    pub path: String,
    /// More header lines, `Name: value`.
    pub headers: Vec<String>,
    /// Who sends it.
    pub by: By,
    /// Where the connection comes from.
    pub from: IpAddr,
    /// Whether it is one over TLS.
    pub over_tls: bool,
}

/// Who sends a request.
pub enum By {
    /// Whoever its headers say.
    Headers,
    /// Somebody of this name, who has signed in.
    User(Username),
    /// A client with this API token.
    Token(ApiToken),
}

/// Why there is no explanation.
#[derive(Debug, thiserror::Error)]
pub enum Unexplained {
    /// It is no request.
    #[error("{0}")]
    NoRequest(String),
    /// There is no such user.
    #[error("there is no user {0}; `influx-gateway user list` shows who there is")]
    NoUser(Username),
}

/// The head of a request, as lines.
pub(super) struct Head {
    method: String,
    path: String,
    fields: Vec<(String, String)>,
}

impl Question {
    /// Its head, for the host of the first listener if it names none.
    pub(super) fn head(&self, config: &Config) -> Result<Head, Unexplained> {
        let mut fields = Vec::new();
        for line in &self.headers {
            let (name, value) = line.split_once(':').ok_or_else(|| {
                Unexplained::NoRequest(format!("{line:?}: expected a header, \"Name: value\""))
            })?;
            fields.push((name.to_owned(), value.trim().to_owned()));
        }
        if !fields.iter().any(|(name, _)| name.eq_ignore_ascii_case(HOST.as_str())) {
            let listen = config.listen.http.first().map(ToString::to_string);
            fields.insert(0, ("host".to_owned(), listen.unwrap_or_else(|| "localhost".to_owned())));
        }
        let says_what =
            |(name, _): &(String, String)| name.eq_ignore_ascii_case(CONTENT_TYPE.as_str());
        let is_of_flight = self.method == "POST" && self.path.starts_with(FLIGHT);
        if config.upstream.grpc && is_of_flight && !fields.iter().any(says_what) {
            // Whoever asks for that means a call.
            fields.push(("content-type".to_owned(), "application/grpc".to_owned()));
        }
        let head = Head { method: self.method.clone(), path: self.path.clone(), fields };
        let is_broken = |text: &str| text.contains(['\r', '\n', '\0']);
        if is_broken(&head.method)
            || is_broken(&head.path)
            || self.headers.iter().any(|h| is_broken(h))
        {
            let what = "a line break in method, path or header: one request has one line for each";
            return Err(Unexplained::NoRequest(what.to_owned()));
        }
        Ok(head)
    }
}

impl Head {
    /// Adds a field.
    pub(super) fn add(&mut self, name: &str, value: &str) {
        self.fields.push((name.to_owned(), value.to_owned()));
    }

    /// As it would come over a connection.
    pub(super) fn raw(&self) -> String {
        let fields = self.fields.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
        format!("{} {} HTTP/1.1\r\n{}\r\n", self.method, self.path, fields.collect::<String>())
    }

    /// The same, read; what cannot be has been rejected before.
    pub(super) fn parts(&self, target: &Result<Vec<u8>, Rejection>) -> Result<Parts, Rejection> {
        let target = target.as_ref().map_err(|rejection| *rejection)?;
        let unreadable = |()| Rejection::Unreadable;
        let (mut head, ()) = Request::new(()).into_parts();
        head.method =
            Method::from_bytes(self.method.as_bytes()).map_err(|_| ()).map_err(unreadable)?;
        let uri: Uri = target.as_slice().try_into().map_err(|_| Rejection::BadTarget)?;
        head.uri = uri.path_and_query().cloned().map_or(uri, Uri::from);
        for (name, value) in &self.fields {
            let name =
                HeaderName::from_bytes(name.as_bytes()).map_err(|_| Rejection::Unreadable)?;
            let value = HeaderValue::from_str(value).map_err(|_| Rejection::Unreadable)?;
            head.headers.append(name, value);
        }
        Ok(head)
    }
}
