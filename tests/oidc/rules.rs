//! What an `[[oidc]]` says in the words of `[[jwt]]`: its keys, and which ID tokens are good.

use std::fs;

use super::*;

/// With one provider and these keys of its table; without waiting for anything.
fn prepare_for(provider: &Provider, upstream: &Upstream, keys: &str) -> tempfile::TempDir {
    let folder = prepare(upstream, &(table("keycloak", provider, keys) + GRANTS));
    fs::write(folder.path().join("keys.json"), provider.keys()).unwrap();
    folder
}

/// Status of a sign-in's last answer, and what else it says.
fn sign_in(gateway: &Gateway, provider: &Provider) -> (u16, String) {
    let answer = Browser::new(gateway).try_sign_in(provider, LOGIN);
    (answer.status, answer.text())
}

#[test]
fn keys_may_be_in_a_file_and_then_nobody_is_asked_for_them() {
    let (provider, upstream) = (Provider::start(), Upstream::start());
    let folder = prepare_for(&provider, &upstream, "keys = \"keys.json\"");
    provider.hide_keys();
    let config = folder.path().join("gateway.toml");
    let check = output_of(program().args(["check", "--online", "--config"]).arg(&config), "");
    let said = String::from_utf8([check.stdout, check.stderr].concat()).unwrap();
    assert!(said.contains(&format!("{}: good; keys: 1", provider.issuer)), "{said}");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text + "[admin]\nlisten = \"127.0.0.1:0\"\n").unwrap();
    let gateway = Gateway::start_in(folder);
    let admin = gateway.next_admin().parse().unwrap();
    let told = || {
        let request = get("/status", &[]).replace("gateway.test", "127.0.0.1");
        Client::connect(admin).send(&request).json()["providers"][0].clone()
    };
    wait_for(&gateway, &provider);
    assert_eq!((&told()["keys"], &told()["discovered"]), (&json!(1), &json!(true)));
    assert_eq!(sign_in(&gateway, &provider).0, 303);
    // A key that is not in the file is nobody's, and there is nobody to ask for it.
    provider.rotate(true);
    let (status, text) = sign_in(&gateway, &provider);
    assert!(status == 401 && text.contains("<code>oidc_token</code>"), "{status} {text}");
    let mut keys: Value = serde_json::from_str(&provider.keys()).unwrap();
    keys["keys"].as_array_mut().unwrap().push(Signer::new("P-384").jwk());
    fs::write(gateway.folder().join("keys.json"), keys.to_string()).unwrap();
    wait_until("the new file counts", || told()["keys"] == 2);
    assert_eq!(sign_in(&gateway, &provider).0, 303);
    assert_eq!(provider.asked("GET /keys").len(), 0);
}

#[test]
fn an_id_token_has_one_of_the_types() {
    for (keys, typ, expected) in [
        ("", json!("JWT"), 303),
        ("", Value::Null, 303),
        ("", json!("id+jwt"), 401),
        ("types = [\"ID+JWT\"]", json!("id+jwt"), 303),
        ("types = [\"ID+JWT\"]", json!("JWT"), 401),
        ("types = [\"ID+JWT\"]", Value::Null, 401),
    ] {
        let (provider, upstream) = (Provider::start(), Upstream::start());
        let gateway = start_for(&provider, &upstream, keys);
        let of_this = typ.clone();
        provider.tamper(move |minted| {
            minted.header["typ"] = of_this.clone();
            minted.header.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        });
        let (status, text) = sign_in(&gateway, &provider);
        assert_eq!(status, expected, "{keys} {typ} {text}");
    }
}

#[test]
fn an_id_token_is_not_older_than_it_may_be() {
    for (keys, age, expected) in [
        ("", 3_600, 303),
        ("", 86_500, 401),
        ("max_age = \"1h\"", 3_500, 303),
        ("max_age = \"1h\"", 3_700, 401),
        ("max_age = \"48h\"", 86_500, 303),
    ] {
        let (provider, upstream) = (Provider::start(), Upstream::start());
        let gateway = start_for(&provider, &upstream, keys);
        provider.tamper(move |minted| minted.claims["iat"] = json!(now() - age));
        let (status, text) = sign_in(&gateway, &provider);
        assert_eq!(status, expected, "{keys} {age} {text}");
    }
}

#[test]
fn faults_of_these_keys_are_told_all_at_once() {
    let (provider, upstream) = (Provider::start(), Upstream::start());
    let keys =
        "keys = \"keys.json\"\ntypes = [\"JWT\", \"application/AT+jwt\"]\nmax_age = \"long\"";
    let folder = prepare_for(&provider, &upstream, keys);
    fs::write(folder.path().join("keys.json"), "{}").unwrap();
    let config = folder.path().join("gateway.toml");
    let check = output_of(program().args(["check", "--config"]).arg(&config), "");
    assert_eq!(check.status.code(), Some(78));
    let said = String::from_utf8(check.stderr).unwrap();
    for fault in [
        "oidc.keys: not a set of keys (RFC 7517)",
        "oidc.types: \"application/AT+jwt\" is that of other tokens than ID tokens",
        "oidc.max_age: \"long\" is not a duration",
    ] {
        assert!(said.contains(fault), "{fault}: {said}");
    }
}
