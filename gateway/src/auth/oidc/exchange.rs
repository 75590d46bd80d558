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
    /// What it was shown is worth nothing: `invalid_grant`, or the user has to do something there first.
    Refused,
    /// It does not like something else about this question. That says nothing of others.
    Unfit,
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

    /// Exchanges a refresh token. If it cannot, the provider rests: of a code that is no reason, for anybody may bring one.
    pub(super) async fn refresh(&self, token: &str) -> Result<Tokens, NoTokens> {
        let form =
            Parameters::default().with("grant_type", "refresh_token").with("refresh_token", token);
        let given = self.ask_for_tokens(form).await;
        match given {
            Ok(_) | Err(NoTokens::Refused) => self.end_silence(),
            Err(NoTokens::Unfit) => {}
            Err(NoTokens::Unavailable) => self.rest(Moment::now()),
        }
        given
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
        let judged = answer.map_err(Failed::Silent).and_then(|(status, body)| read(status, body));
        let place = &endpoints.token;
        match judged {
            Ok(tokens) => {
                self.note_answer();
                Ok(tokens)
            }
            Err(Failed::Refused) => {
                self.note_answer();
                Err(NoTokens::Refused)
            }
            Err(Failed::Unfit(what)) => {
                log::info!("oidc: {} gives no tokens: {place}: {what}", self.id);
                Err(NoTokens::Unfit)
            }
            Err(Failed::Silent(what)) => {
                // Said once, not with every attempt.
                if !self.has_failed.swap(true, Ordering::Relaxed) {
                    log::warn!(
                        "oidc: {} gives no tokens: {place}: {what}; nobody can sign in by it until it does, and its \
                         sessions live on for oidc.grace",
                        self.id
                    );
                }
                Err(NoTokens::Unavailable)
            }
        }
    }

    fn note_answer(&self) {
        self.go_on();
        if self.has_failed.swap(false, Ordering::Relaxed) {
            log::info!("oidc: {} answers again", self.id);
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

/// Why there are no tokens in an answer, or there is none; for people to read, where that helps.
#[derive(Debug, PartialEq, Eq)]
enum Failed {
    Refused,
    Unfit(String),
    Silent(String),
}

/// What is wrong with the user or the grant (RFC 6749, section 5.2; OpenID Connect Core 1.0, section 3.1.2.6; RFC 6750).
const OF_USERS: [&str; 6] = [
    "invalid_grant",
    "access_denied",
    "account_selection_required",
    "consent_required",
    "interaction_required",
    "login_required",
];

/// What is wrong with the gateway's own account there, whoever the user is.
const OF_US: [&str; 2] = ["invalid_client", "unauthorized_client"];

/// What is wrong with the provider, whoever the user is.
const OF_IT: [&str; 2] = ["server_error", "temporarily_unavailable"];

/// An answer of the token endpoint.
fn read(status: StatusCode, body: Bytes) -> Result<Tokens, Failed> {
    #[derive(Deserialize)]
    struct Refused {
        error: String,
    }
    if status == StatusCode::OK {
        let tokens = serde_json::from_slice(&body);
        // Nobody else has it, so it can be wiped.
        if let Ok(mut bytes) = body.try_into_mut() {
            bytes.zeroize();
        }
        return tokens.map_err(|_| Failed::Silent("no tokens in its answer".to_owned()));
    }
    let refused = serde_json::from_slice::<Refused>(&body);
    let Ok(Refused { error }) = refused else {
        return Err(Failed::Silent(format!("it answers {status}")));
    };
    if OF_USERS.contains(&&*error) {
        return Err(Failed::Refused);
    }
    let (is_of_us, is_of_it) = (OF_US.contains(&&*error), OF_IT.contains(&&*error));
    let error: String = error.chars().take(64).collect();
    let what = format!("it answers {status} and {error:?}");
    if is_of_us {
        let advice = "see oidc.client_id and oidc.client_secret_file";
        return Err(Failed::Silent(format!("{what}; {advice}")));
    }
    if is_of_it || !status.is_client_error() || status == StatusCode::TOO_MANY_REQUESTS {
        return Err(Failed::Silent(what));
    }
    Err(Failed::Unfit(what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_one_user_is_told_from_what_is_wrong_with_the_provider() {
        let of = |status: u16, body: &'static str| {
            let status = StatusCode::from_u16(status).unwrap();
            match read(status, Bytes::from_static(body.as_bytes())) {
                Ok(_) => "tokens",
                Err(Failed::Refused) => "refused",
                Err(Failed::Unfit(_)) => "unfit",
                Err(Failed::Silent(_)) => "silent",
            }
        };
        for (status, body, expected) in [
            (200, r#"{"id_token":"a.b.c","token_type":"Bearer"}"#, "tokens"),
            (400, r#"{"error":"invalid_grant","error_description":"x"}"#, "refused"),
            (400, r#"{"error":"interaction_required"}"#, "refused"),
            (403, r#"{"error":"access_denied"}"#, "refused"),
            (400, r#"{"error":"invalid_request"}"#, "unfit"),
            (400, r#"{"error":"invalid_scope"}"#, "unfit"),
            (401, r#"{"error":"invalid_token"}"#, "unfit"),
            (200, "", "silent"),
            (200, "[]", "silent"),
            (302, "", "silent"),
            (400, r#"{"error":"invalid_client"}"#, "silent"),
            (401, r#"{"error":"invalid_client"}"#, "silent"),
            (429, r#"{"error":"slow_down"}"#, "silent"),
            (429, "", "silent"),
            (500, "<html>", "silent"),
            (503, r#"{"error":"temporarily_unavailable"}"#, "silent"),
            (204, "", "silent"),
        ] {
            assert_eq!(of(status, body), expected, "{status} {body}");
        }
    }
}
