//! What a provider says of itself at `/.well-known/openid-configuration`: where its keys are, and how it signs users in.

use http::Uri;
use serde::Deserialize;

use super::address;

/// The address of what `issuer` says of itself.
pub fn place(issuer: &str) -> String {
    format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'))
}

#[derive(Deserialize)]
struct Document {
    issuer: String,
    jwks_uri: String,
    authorization_endpoint: Option<String>,
    token_endpoint: Option<String>,
    end_session_endpoint: Option<String>,
    revocation_endpoint: Option<String>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
}

/// How a provider signs users in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoints {
    /// Where browsers are sent.
    pub authorization: Uri,
    /// Where a code is exchanged.
    pub token: Uri,
    /// Where browsers sign out, if they can.
    pub end_session: Option<Uri>,
    /// Where a refresh token is given back, if it can be.
    pub revocation: Option<Uri>,
    /// Whether it says with each code who it is (RFC 9207).
    pub says_issuer: bool,
    /// Whether the secret is to be in the form, and not in `Authorization`.
    pub secret_in_form: bool,
}

/// What a provider's document says.
pub struct Found {
    /// Where its keys are.
    pub keys: Uri,
    /// How it signs users in, if it does.
    pub endpoints: Result<Endpoints, String>,
}

/// What the `document` of `issuer` says.
pub fn read(issuer: &str, document: &[u8]) -> Result<Found, String> {
    let document: Document = serde_json::from_slice(document).map_err(|error| {
        format!("no answer of a provider, which has issuer and jwks_uri: {error}")
    })?;
    if document.issuer != issuer {
        return Err(format!(
            "it says that its issuer is {:?}, and not {issuer:?}; write the first into the configuration if it is right",
            document.issuer
        ));
    }
    let is_over_tls = issuer.starts_with("https://");
    let keys = place_of("jwks_uri", Some(&document.jwks_uri), address::of_provider, is_over_tls)?;
    Ok(Found { endpoints: endpoints(&document, is_over_tls), keys })
}

fn endpoints(document: &Document, is_over_tls: bool) -> Result<Endpoints, String> {
    let asked = |name, url: &Option<String>| {
        place_of(name, url.as_deref(), address::of_provider, is_over_tls)
    };
    let shown = |name, url: &Option<String>| {
        place_of(name, url.as_deref(), address::for_browsers, is_over_tls)
    };
    let methods = document.token_endpoint_auth_methods_supported.as_deref();
    let has = |methods: &[String], method| methods.iter().any(|it| it == method);
    let in_form =
        |methods| has(methods, "client_secret_post") && !has(methods, "client_secret_basic");
    Ok(Endpoints {
        authorization: shown("authorization_endpoint", &document.authorization_endpoint)?,
        token: asked("token_endpoint", &document.token_endpoint)?,
        end_session: shown("end_session_endpoint", &document.end_session_endpoint).ok(),
        revocation: asked("revocation_endpoint", &document.revocation_endpoint).ok(),
        says_issuer: document.authorization_response_iss_parameter_supported,
        secret_in_form: methods.is_some_and(in_form),
    })
}

/// The URL of this `name`, which is as safe as that of the issuer.
fn place_of(
    name: &str,
    url: Option<&str>,
    parse: fn(&str) -> Result<Uri, String>,
    is_over_tls: bool,
) -> Result<Uri, String> {
    let url = url.ok_or_else(|| format!("it has no {name}"))?;
    let uri = parse(url).ok().filter(|uri| address::is_over_tls(uri) || !is_over_tls);
    uri.ok_or_else(|| format!("its {name} {url:?} is not one of https://, where it would be safe"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_where_the_right_issuer_says_over_tls() {
        let of = |issuer: &str, document: &str| {
            read(issuer, document.as_bytes()).map(|found| found.keys)
        };
        let document = |issuer: &str, keys: &str| {
            format!(r#"{{"issuer":"{issuer}","jwks_uri":"{keys}","more":[1]}}"#)
        };
        let idp = "https://idp.test/x";
        assert_eq!(of(idp, &document(idp, "https://keys.test/k")).unwrap(), "https://keys.test/k");
        let local = "http://127.0.0.1:80/x";
        assert!(of(local, &document(local, "http://127.0.0.1:81/k")).is_ok());
        for wrong in [
            document("https://idp.test/y", "https://keys.test/k"),
            document("https://idp.test/x/", "https://keys.test/k"),
            document(idp, "http://keys.test/k"),
            document(idp, "http://127.0.0.1/k"),
            document(idp, "file:///etc/passwd"),
            r#"{"issuer":"https://idp.test/x"}"#.to_owned(),
            "[]".to_owned(),
            "<html>".to_owned(),
            String::new(),
        ] {
            assert!(of(idp, &wrong).is_err(), "{wrong}");
        }
        assert_eq!(place("https://i.test/x/"), "https://i.test/x/.well-known/openid-configuration");
    }

    #[test]
    fn endpoints_are_as_safe_as_the_issuer() {
        let of = |issuer: &str, more: &str| {
            let document =
                format!(r#"{{"issuer":"{issuer}","jwks_uri":"https://k.test/",{more}}}"#);
            read(issuer, document.as_bytes()).ok().unwrap().endpoints
        };
        let good = r#""authorization_endpoint":"https://i.test/a?x=1","token_endpoint":"https://i.test/t""#;
        let found = of("https://i.test", good).unwrap();
        assert_eq!(found.authorization, "https://i.test/a?x=1");
        assert!(!found.says_issuer && !found.secret_in_form && found.end_session.is_none());
        let more = r#","authorization_response_iss_parameter_supported":true,"end_session_endpoint":"http://i.test/o",
            "token_endpoint_auth_methods_supported":["client_secret_post"]"#;
        let found = of("https://i.test", &format!("{good}{more}")).unwrap();
        assert!(found.says_issuer && found.secret_in_form && found.end_session.is_none());
        for wrong in [
            r#""authorization_endpoint":"https://i.test/a""#,
            r#""token_endpoint":"https://i.test/t""#,
            r#""authorization_endpoint":"https://i.test/a","token_endpoint":"http://i.test/t""#,
            r#""authorization_endpoint":"https://i.test/a","token_endpoint":"http://127.0.0.1/t""#,
            r#""authorization_endpoint":"http://i.test/a","token_endpoint":"https://i.test/t""#,
            r#""authorization_endpoint":"https://u:p@i.test/a","token_endpoint":"https://i.test/t""#,
            r#""authorization_endpoint":"javascript:x","token_endpoint":"https://i.test/t""#,
            r#""authorization_endpoint":"https://i.test/a#x","token_endpoint":"https://i.test/t""#,
        ] {
            assert!(of("https://i.test", wrong).is_err(), "{wrong}");
        }
    }
}
