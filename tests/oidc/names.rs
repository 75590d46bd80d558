//! Whose a name is: that of a user of the users file, or of a provider that has let somebody in by it.

use serde_json::json;

use super::browser::Browser;
use super::provider::Provider;
use super::{GROUP, LOGIN, last_audited, prepare, start, table, wait_for_the_end};
use crate::support::*;

const OTHER: &str = "/gateway/oidc/other/login";

/// Two providers, each with a user of the same name, who sign in for as long as that.
fn two(lifetime: &str) -> ([Provider; 2], Upstream, Gateway) {
    let [first, second] = [Provider::start(), Provider::start()];
    let (upstream, keys) = (Upstream::start(), format!("lifetime = \"{lifetime}\""));
    let tables = table("keycloak", &first, &keys) + &table("other", &second, &keys) + GROUP;
    let gateway = start(&upstream, &tables, &[&first, &second]);
    ([first, second], upstream, gateway)
}

fn assert_taken(answer: &Answer) {
    let text = answer.text();
    assert!(answer.status == 403 && text.contains("<code>name_taken</code>"), "{answer:?}");
}

#[test]
fn whoever_is_granted_nothing_takes_no_name() {
    let ([first, second], _upstream, gateway) = two("12h");
    second.tamper(|minted| minted.claims["groups"] = json!([]));
    let answer = Browser::new(&gateway).try_sign_in(&second, OTHER);
    assert!(answer.text().contains("<code>no_grant</code>"), "{answer:?}");
    Browser::new(&gateway).sign_in(&first, LOGIN);
    // It is the first one's now.
    second.tamper(|_| {});
    assert_taken(&Browser::new(&gateway).try_sign_in(&second, OTHER));
    assert_eq!(last_audited(&gateway, 3)["reason"], "name_taken");
    Browser::new(&gateway).sign_in(&first, LOGIN);
}

#[test]
fn a_name_is_free_again_when_no_session_can_have_it_any_more() {
    let ([first, second], _upstream, gateway) = two("3s");
    let mut browser = Browser::new(&gateway);
    browser.sign_in(&first, LOGIN);
    assert_taken(&Browser::new(&gateway).try_sign_in(&second, OTHER));
    wait_for_the_end(&gateway, &browser);
    Browser::new(&gateway).sign_in(&second, OTHER);
    assert_taken(&Browser::new(&gateway).try_sign_in(&first, LOGIN));
}

#[test]
fn a_name_in_another_letter_case_is_the_same_name() {
    let ([first, second], _upstream, gateway) = two("12h");
    // Of the users file, where it is in small letters.
    first.tamper(|minted| minted.claims["preferred_username"] = json!("aDa"));
    assert_taken(&Browser::new(&gateway).try_sign_in(&first, LOGIN));
    assert_eq!(last_audited(&gateway, 1)["user"], "aDa");
    first.tamper(|minted| minted.claims["preferred_username"] = json!("Eva"));
    Browser::new(&gateway).sign_in(&first, LOGIN);
    second.tamper(|minted| minted.claims["preferred_username"] = json!("eVA"));
    assert_taken(&Browser::new(&gateway).try_sign_in(&second, OTHER));
}

#[test]
fn a_grant_for_a_user_says_of_which_of_several_issuers() {
    let tables = |issuers: [&str; 2], grant: &str| {
        let jwt = |issuer| format!("[[jwt]]\nissuer = \"https://{issuer}\"\naudience = [\"a\"]\n");
        let oidc = format!(
            "[[oidc]]\nid = \"one\"\nissuer = \"https://{}\"\nclient_id = \"c\"\n\
             redirect = \"https://h/gateway/oidc/one/callback\"\n",
            issuers[0]
        );
        oidc + &jwt(issuers[1]) + GROUP + "[[grant]]\nuser = \"ada\"\n" + grant
    };
    let upstream = Upstream::start();
    let check = |command: &str, tables: &str| {
        let folder = prepare(&upstream, tables);
        let file = folder.path().join("gateway.toml");
        let output = output_of(program().arg(command).arg("--config").arg(&file), "");
        let text = std::fs::read_to_string(&file).unwrap();
        let line = text.lines().position(|line| line == "user = \"ada\"").unwrap() + 1;
        (output.status.code(), String::from_utf8(output.stderr).unwrap(), line)
    };
    for command in ["check", "run"] {
        let (code, said, line) = check(command, &tables(["a.test", "b.test"], ""));
        let told = format!("gateway.toml:{line}: grant.user: expected an issuer beside it");
        assert!(code == Some(78) && said.contains(&told), "{said}");
    }
    for (issuers, grant) in
        [(["a.test", "b.test"], "issuer = \"https://b.test\"\n"), (["a.test", "a.test"], "")]
    {
        let (code, said, _) = check("check", &tables(issuers, grant));
        assert_eq!(code, Some(0), "{said}");
    }
}
