//! What a provider says of itself at `/.well-known/openid-configuration`: where its keys are.

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
}

/// The address of the keys of `issuer` by its `document`.
pub fn keys_of(issuer: &str, document: &[u8]) -> Result<Uri, String> {
    let document: Document = serde_json::from_slice(document).map_err(|error| {
        format!("no answer of a provider, which has issuer and jwks_uri: {error}")
    })?;
    if document.issuer != issuer {
        return Err(format!(
            "it says that its issuer is {:?}, and not {issuer:?}; write the first into the configuration if it is right",
            document.issuer
        ));
    }
    let keys = address::of_provider(&document.jwks_uri).ok();
    let is_over_tls = |uri: &str| uri.starts_with("https://");
    let keys = keys.filter(|keys| address::is_over_tls(keys) || !is_over_tls(issuer));
    keys.ok_or_else(|| {
        format!("its jwks_uri {:?} is not one of https://, where keys are safe", document.jwks_uri)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_where_the_right_issuer_says_over_tls() {
        let of = |issuer: &str, document: &str| keys_of(issuer, document.as_bytes());
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
}
