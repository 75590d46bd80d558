use super::stage::*;
use crate::own_sessions::{end, fingerprint, listed, lives};
use crate::support::*;

/// Users see their sessions of all gateways, at any of them, and end them there.
#[test]
fn a_user_ends_a_session_at_another_gateway() {
    let Stage { gateways: [here, there], .. } = &Stage::start();
    let (this, other, bob) = (here.sign_in("ada"), there.sign_in("ada"), there.sign_in("bob"));
    assert!(lives(there, &other), "it is at hand there");
    let own = listed(here, &this);
    assert_eq!(
        (own.len(), &own[0]["current"], &own[1]["current"]),
        (2, &true.into(), &false.into())
    );
    let which = |gateway: &Gateway, session: &str| format!("/{}", fingerprint(gateway, session));
    assert_eq!(end(here, &this, &which(there, &bob)).status, 404);
    assert_eq!(end(here, &this, &which(there, &other)).status, 204);
    wait_until("the other gateway has heard of it", || !lives(there, &other));
    let third = there.sign_in("ada");
    assert_eq!(end(here, &this, "").text(), "{\"revoked\":1}");
    wait_until("of that one too", || !lives(there, &third));
    assert!(lives(here, &this) && lives(there, &bob));
}
