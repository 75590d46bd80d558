//! What would become of a request, in words.

use std::net::IpAddr;

use http::header::{AUTHORIZATION, COOKIE};
use http::request::Parts;
use http::{HeaderMap, HeaderName};
use serde::Serialize;

use super::words;
use crate::api::rejection::Rejection;
use crate::auth::credential::UpstreamCredential;
use crate::auth::jwt::Supposed;
use crate::gateway::authenticator::jwt_rejected;
use crate::user::User;

/// What would become of it.
#[derive(Serialize)]
pub struct Explanation {
    /// Method and path.
    pub request: String,
    /// Where it comes from, as limits and logs have it.
    pub client: String,
    /// Where its path leads.
    pub route: &'static str,
    /// On whose behalf it is.
    pub caller: String,
    /// What is done with it.
    pub decision: String,
    /// By which rule.
    pub why: String,
    /// Which credential goes upstream, by name; none if it is not forwarded.
    pub credential: Option<&'static str>,
    /// Headers that the gateway sets, without the value of a secret.
    pub headers_set: Vec<String>,
    /// Headers of the client that do not go upstream, or go with another value.
    pub headers_removed: Vec<String>,
}

impl Explanation {
    /// Of `request`, about which nothing is known yet.
    pub(super) fn of(request: String, from: IpAddr) -> Self {
        Self {
            request,
            client: from.to_string(),
            route: "-",
            caller: "nobody who is known".to_owned(),
            decision: String::new(),
            why: String::new(),
            credential: None,
            headers_set: Vec::new(),
            headers_removed: Vec::new(),
        }
    }

    /// Is refused, and whose it was if that is known.
    pub(super) fn reject(&mut self, rejection: Rejection, of: Option<(&User, &Parts)>) {
        let (status, code, message) = rejection.table();
        self.decision = format!("rejected: {status}, {code}: {}", message.trim_end());
        self.why = words::why_rejected(rejection, of);
    }

    /// Is refused, with a JWT that is worth so much.
    pub(super) fn reject_jwt(
        &mut self,
        rejection: Rejection,
        supposed: Option<&Supposed>,
        head: &Parts,
    ) {
        match supposed.map(|supposed| &supposed.caller) {
            Some(Err(error)) => {
                // Keys are not asked for here.
                let is_unknown = rejection == Rejection::DirectoryUnavailable;
                let rejected = if is_unknown { jwt_rejected(error) } else { rejection };
                self.reject(rejected, None);
                if rejected == jwt_rejected(error) {
                    self.why = words::why_jwt(error);
                }
            }
            Some(Ok(caller)) if rejection == Rejection::AccessDenied => {
                self.reject(rejection, None);
                self.why = words::why_not_granted(caller, head);
            }
            _ => self.reject(rejection, None),
        }
    }

    /// Says which headers differ between what came and what goes upstream.
    pub(super) fn compare(
        &mut self,
        came: &HeaderMap,
        sent: &HeaderMap,
        credential: &UpstreamCredential,
    ) {
        let values = |headers: &HeaderMap, name: &HeaderName| {
            headers.get_all(name).iter().cloned().collect::<Vec<_>>()
        };
        for name in sent.keys().filter(|name| values(came, name) != values(sent, name)) {
            let is_secret = [AUTHORIZATION, COOKIE].contains(name);
            let shown = sent.get(name).and_then(|value| value.to_str().ok()).unwrap_or("-");
            self.headers_set.push(match (is_secret, credential) {
                (true, UpstreamCredential::AsItCame) => continue,
                (true, _) => format!("{name}: <redacted>"),
                (false, _) => format!("{name}: {shown}"),
            });
        }
        let is_gone = |name: &&HeaderName| values(came, name) != values(sent, name);
        self.headers_removed.extend(came.keys().filter(is_gone).map(ToString::to_string));
    }
}
