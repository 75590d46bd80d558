//! Who may ask: whoever has the token, or whoever is on the machine; never a page of another site.

use arc_swap::ArcSwapOption;
use http::header::{AUTHORIZATION, HOST, ORIGIN};
use http::{HeaderMap, HeaderValue};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::response::Refusal;
use crate::api::hosts::HostName;
use crate::user::secret::ApiToken;

/// The token that has to be shown, if there is one.
pub struct Guard {
    /// The SHA-256 of the token: all of the same length, and all that is kept of it here.
    token: ArcSwapOption<[u8; 32]>,
}

impl Guard {
    /// Lets those in who show `token`; without one, everybody who can connect.
    pub fn new(token: Option<&ApiToken>) -> Self {
        Self { token: ArcSwapOption::from_pointee(token.map(ApiToken::digest)) }
    }

    /// Asks for `token` from the next request on; false if that is so already.
    pub fn replace(&self, token: &ApiToken) -> bool {
        let digest = token.digest();
        let is_new = self.token.load().as_deref() != Some(&digest);
        if is_new {
            self.token.store(Some(digest.into()));
        }
        is_new
    }

    /// Refuses what a page of another site has a browser send. Where no token is asked for, also what comes by another
    /// name than the machine's own: a page may have its name point here (DNS rebinding).
    pub(super) fn check_site(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let host = headers.get(HOST);
        let is_own = |origin: &HeaderValue| {
            let authority = origin.as_bytes().strip_prefix(b"http://");
            authority.is_some() && authority == host.map(HeaderValue::as_bytes)
        };
        if !headers.get_all(ORIGIN).iter().all(is_own) {
            return Err(Refusal::forbidden("requests of pages of other origins are refused"));
        }
        let is_here = |site: &HeaderValue| site == "same-origin" || site == "none";
        if !headers.get_all("sec-fetch-site").iter().all(is_here) {
            return Err(Refusal::forbidden("requests of pages of other sites are refused"));
        }
        if self.token.load().is_none() && !host.is_some_and(is_of_this_machine) {
            return Err(Refusal::forbidden(
                "without a token (admin.token_file), Host must be an address or localhost",
            ));
        }
        Ok(())
    }

    /// Refuses who does not show the token.
    pub(super) fn check_token(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let shown: Vec<_> = headers.get_all(AUTHORIZATION).iter().collect();
        match (self.token.load().as_deref(), &shown[..]) {
            (None, []) => Ok(()),
            (None, _) => Err(Refusal::unauthorized(
                "no token is known here; set admin.token_file, or send no Authorization",
            )),
            (Some(token), [shown]) if is_token(token, shown) => Ok(()),
            (Some(_), []) => Err(Refusal::unauthorized(
                "Authorization: Bearer with the token of admin.token_file is required",
            )),
            (Some(_), _) => Err(Refusal::unauthorized("that is not the token of admin.token_file")),
        }
    }
}

fn is_of_this_machine(host: &HeaderValue) -> bool {
    match HostName::read(host.as_bytes()) {
        Some(HostName::Address(_)) => true,
        Some(HostName::Name(name)) => name == "localhost",
        None => false,
    }
}

/// In the same time, whatever is shown.
fn is_token(token: &[u8; 32], shown: &HeaderValue) -> bool {
    let shown = shown.as_bytes().split_at_checked("Bearer ".len());
    let Some((scheme, shown)) = shown else { return false };
    let digest: [u8; 32] = Sha256::digest(shown).into();
    scheme.eq_ignore_ascii_case(b"Bearer ") && bool::from(digest.ct_eq(token))
}
