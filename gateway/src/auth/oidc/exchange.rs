//! What the gateway asks of a provider's token endpoint: to exchange a code, and a refresh token.

use std::sync::atomic::Ordering;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use serde::Deserialize;
use zeroize::{Zeroize, Zeroizing};

use super::provider::Provider;
use crate::clock::Moment;
use crate::jwt::discovery::Endpoints;
use crate::jwt::parameters::{Parameters, encoded};

/// What a provider gives. Wiped when dropped.
#[derive(Deserialize)]
#[expect(clippy::struct_field_names, reason = "so are they called in the answer")]
pub(super) struct Tokens {
    pub(super) id_token: Option<Zeroizing<String>>,
    pub(super) access_token: Option<Zeroizing<String>>,
    pub(super) refresh_token: Option<Zeroizing<String>>,
}

/// Why it gives nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoTokens {
    /// What it was shown is worth nothing: `invalid_grant`.
    Refused,
    /// It cannot be asked, or will not answer this gateway.
    Unavailable,
}

impl Provider {
    /// Exchanges `code`, of a sign-in that was begun with `verifier`.
    pub(super) async fn exchange(&self, code: &str, verifier: &str) -> Result<Tokens, NoTokens> {
        let form = Parameters::default()
            .with("grant_type", "authorization_code")
            .with("code", code)
            .with("redirect_uri", &self.redirect.to_string())
            .with("code_verifier", verifier);
        self.ask_for_tokens(form).await
    }

    /// Exchanges a refresh token.
    pub(super) async fn refresh(&self, token: &str) -> Result<Tokens, NoTokens> {
        let form =
            Parameters::default().with("grant_type", "refresh_token").with("refresh_token", token);
        self.ask_for_tokens(form).await
    }

    /// Gives a refresh token back (RFC 7009). The error is for people to read.
    pub(super) async fn revoke(&self, token: &str) -> Result<(), String> {
        let endpoints = self.keys.endpoints().ok_or("it is not known where")?;
        let Some(place) = &endpoints.revocation else { return Ok(()) };
        let form =
            Parameters::default().with("token", token).with("token_type_hint", "refresh_token");
        let (form, authorization) = self.prove(form, &endpoints);
        let (status, _) = self.client.post(place, authorization, form.form()).await?;
        if status.is_success() { Ok(()) } else { Err(format!("it answers {status}")) }
    }

    async fn ask_for_tokens(&self, form: Parameters) -> Result<Tokens, NoTokens> {
        let endpoints = self.keys.endpoints().ok_or(NoTokens::Unavailable)?;
        let (form, authorization) = self.prove(form, &endpoints);
        let answer = self.client.post(&endpoints.token, authorization, form.form()).await;
        let judged = answer.and_then(|(status, body)| read(status, body));
        match judged {
            Ok(tokens) => {
                self.go_on();
                if self.has_failed.swap(false, Ordering::Relaxed) {
                    log::info!("oidc: {} answers again", self.id);
                }
                tokens.ok_or(NoTokens::Refused)
            }
            Err(what) => {
                self.rest(Moment::now());
                // Said once, not with every attempt.
                if !self.has_failed.swap(true, Ordering::Relaxed) {
                    log::warn!(
                        "oidc: {} gives no tokens: {}: {what}; nobody can sign in by it until it does, and its \
                         sessions live on for oidc.grace",
                        self.id,
                        endpoints.token
                    );
                }
                Err(NoTokens::Unavailable)
            }
        }
    }

    /// Adds what proves that the gateway asks: in the form, or in `Authorization` (RFC 6749, section 2.3.1).
    fn prove(&self, form: Parameters, endpoints: &Endpoints) -> (Parameters, Option<HeaderValue>) {
        match &self.secrets.client() {
            None => (form.with("client_id", &self.client_id), None),
            Some(secret) if endpoints.secret_in_form => {
                let form = form.with("client_id", &self.client_id);
                (form.with("client_secret", secret.secret()), None)
            }
            Some(secret) => {
                let (id, secret) = (encoded(&self.client_id), encoded(secret.secret()));
                let pair = Zeroizing::new(format!("{}:{}", *id, *secret));
                let text = format!("Basic {}", STANDARD.encode(&*pair));
                let mut value = HeaderValue::try_from(text).ok();
                if let Some(value) = &mut value {
                    value.set_sensitive(true);
                }
                (form, value)
            }
        }
    }
}

/// An answer of the token endpoint; `None` if what it was shown is worth nothing. The error is for people to read.
fn read(status: StatusCode, body: Bytes) -> Result<Option<Tokens>, String> {
    #[derive(Deserialize)]
    struct Refused {
        error: String,
    }
    if status == StatusCode::OK {
        let tokens =
            serde_json::from_slice(&body).map_err(|_| "no tokens in its answer".to_owned());
        // Nobody else has it, so it can be wiped.
        if let Ok(mut bytes) = body.try_into_mut() {
            bytes.zeroize();
        }
        return tokens.map(Some);
    }
    match serde_json::from_slice::<Refused>(&body) {
        Ok(Refused { error }) if error == "invalid_grant" => Ok(None),
        Ok(Refused { error }) => {
            let error: String = error.chars().take(64).collect();
            Err(format!(
                "it answers {status} and {error:?}; see oidc.client_id and oidc.client_secret_file"
            ))
        }
        Err(_) => Err(format!("it answers {status}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invalid_grant_is_a_refusal_and_all_else_is_the_providers_fault() {
        let of = |status: u16, body: &'static str| {
            let status = StatusCode::from_u16(status).unwrap();
            read(status, Bytes::from_static(body.as_bytes())).map(|tokens| tokens.is_some())
        };
        assert_eq!(of(200, r#"{"id_token":"a.b.c","token_type":"Bearer"}"#), Ok(true));
        assert_eq!(of(400, r#"{"error":"invalid_grant","error_description":"x"}"#), Ok(false));
        for (status, body) in [
            (200, ""),
            (200, "[]"),
            (302, ""),
            (400, r#"{"error":"invalid_request"}"#),
            (401, r#"{"error":"invalid_client"}"#),
            (500, "<html>"),
            (204, ""),
        ] {
            assert!(of(status, body).is_err(), "{status} {body}");
        }
    }
}
