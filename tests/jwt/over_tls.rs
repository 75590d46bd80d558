//! Providers whose keys are asked for over TLS.

use super::*;
use crate::secure::{Authority, Pair};
use crate::tls::{SecureUpstream, header};

/// A provider with this certificate, whose only key is that of `signer`: the server, and the issuer.
fn provider(pair: &Pair, signer: &Signer) -> (SecureUpstream, String) {
    let keys = json!({ "keys": [signer.jwk()] }).to_string();
    let server = SecureUpstream::answering(pair, None, move |head| {
        if head.starts_with("GET /keys ") {
            return keys.clone();
        }
        let place = format!("https://{}", header(head, "host").unwrap());
        json!({ "issuer": format!("{place}/realm"), "jwks_uri": format!("{place}/keys") })
            .to_string()
    });
    let issuer = format!("https://{}/realm", server.address);
    (server, issuer)
}

#[test]
fn a_provider_has_the_right_certificate_or_is_off_and_others_work() {
    let (upstream, signer) = (Upstream::start(), Signer::new("P-256"));
    let (authority, other) = (Authority::new(), Authority::new());
    let good = provider(&authority.pair("127.0.0.1"), &signer);
    let given = provider(&authority.pair("127.0.0.1"), &signer);
    let wrong = [
        (authority.pair("idp.test"), "ca_file = \"ca.crt\""),
        (other.pair("127.0.0.1"), "ca_file = \"ca.crt\""),
        (authority.expired("127.0.0.1"), "ca_file = \"ca.crt\""),
        // The system's authorities have not signed it.
        (authority.pair("127.0.0.1"), ""),
    ]
    .map(|(pair, keys)| (provider(&pair, &signer), keys));
    let down = format!("https://{}/realm", closed_port());

    let at = format!("ca_file = \"ca.crt\"\nkeys = \"https://{}/keys\"", given.0.address);
    let mut tables = jwt(&good.1, "ca_file = \"ca.crt\"") + &jwt(&given.1, &at);
    for ((_, issuer), keys) in &wrong {
        tables += &jwt(issuer, keys);
    }
    tables += &(jwt(&down, "ca_file = \"ca.crt\"") + GROUP);
    let config = format!("token_file = \"shared.token\"\n{tables}");
    let folder =
        Gateway::prepare(&format!("http://{}", upstream.address), &config, &users(&["ada"]));
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("ca.crt", &authority.certificate());
    write("writers.token", "granted");
    write("shared.token", "shared");
    let (code, told) = say(&folder, "check", &["--online"]);
    assert_eq!(code, Some(69), "{told}");
    for issuer in [&good.1, &given.1] {
        assert!(told.contains(&format!("{issuer}: good; keys: 1")), "{told}");
    }
    assert!(told.contains("the keys of 5 identity providers cannot be read"), "{told}");

    let gateway = Gateway::start_in(folder);
    let token = |issuer: &str| {
        let mut claims = Idp::start().claims();
        (claims["iss"], claims["preferred_username"]) =
            (json!(issuer), json!(issuer.replace(['/', ':'], "-")));
        signer.sign(&json!({ "alg": "ES256", "kid": signer.id }), &claims)
    };
    for issuer in [&good.1, &given.1] {
        wait_for_keys(&gateway, issuer);
        assert_eq!(ask(&gateway, &token(issuer)).status, 200, "{issuer}");
        assert_eq!(upstream.next().header("authorization"), Some("Token granted"));
    }
    for issuer in wrong.iter().map(|((_, issuer), _)| issuer).chain([&down]) {
        let line = format!("jwt: the keys of {issuer} cannot be read");
        wait_until("it is off", || gateway.has_logged(&line));
        assert_eq!(ask(&gateway, &token(issuer)).status, 503, "{issuer}");
    }
    assert!(upstream.saw_nothing());
    for ((server, issuer), _) in &wrong {
        assert!(server.seen().is_empty(), "{issuer} was asked something");
    }
}
