//! A browser, as far as it matters: it keeps cookies, and brings them along.

use super::provider::{Provider, parameter};
use crate::support::*;

pub(super) struct Browser<'g> {
    gateway: &'g Gateway,
    /// Names and values.
    pub(super) jar: Vec<(String, String)>,
}

impl<'g> Browser<'g> {
    pub(super) fn new(gateway: &'g Gateway) -> Self {
        Self { gateway, jar: Vec::new() }
    }

    pub(super) fn get(&mut self, target: &str) -> Answer {
        self.send(&get(target, &["Accept: text/html"]))
    }

    /// Sends a request with the cookies, and keeps what is set.
    pub(super) fn send(&mut self, request: &str) -> Answer {
        let pairs = self.jar.iter().map(|(name, value)| format!("{name}={value}"));
        let line = pairs.collect::<Vec<_>>().join("; ");
        let request = if line.is_empty() {
            request.to_owned()
        } else {
            request.replacen("\r\n", &format!("\r\n{}\r\n", cookie(&line)), 1)
        };
        let answer = self.gateway.connect().send(&request);
        for set in answer.all("set-cookie") {
            let (name, rest) = set.split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            self.jar.retain(|(other, _)| other != name);
            if !rest.contains("Max-Age=0") {
                self.jar.push((name.to_owned(), value.to_owned()));
            }
        }
        answer
    }

    /// The provider sends the browser back, which was sent to `location`.
    pub(super) fn come_back(&mut self, location: &str, code: &str, issuer: &str) -> Answer {
        let redirect = parameter(location, "redirect_uri");
        let path = redirect.split_once("://").unwrap().1.split_once('/').unwrap().1.to_owned();
        let state = parameter(location, "state");
        self.get(&format!("/{path}?code={code}&state={state}&iss={issuer}"))
    }

    /// All of it, up to the answer of the gateway.
    pub(super) fn try_sign_in(&mut self, provider: &Provider, login: &str) -> Answer {
        let location = self.get(login).header("location").unwrap().to_owned();
        let code = provider.authorize(&location);
        self.come_back(&location, &code, &provider.issuer)
    }

    pub(super) fn sign_in(&mut self, provider: &Provider, login: &str) -> Answer {
        let answer = self.try_sign_in(provider, login);
        assert_eq!(answer.status, 303, "{answer:?}");
        answer
    }

    /// The secret of the session.
    pub(super) fn session(&self) -> String {
        let session = self.jar.iter().find(|(name, _)| name == "influxdb-oss-session");
        session.expect("a session").1.clone()
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.jar.iter().map(|(name, _)| name.clone()).collect()
    }
}
