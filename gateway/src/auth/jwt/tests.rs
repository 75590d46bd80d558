//! How many tokens are remembered, and for how long.

use super::*;
use crate::jwt::grants::{Grant, Who};
use crate::user::access::Access;

/// A token that is good until that second, verified at that moment.
fn known(until: u64, verified: Moment) -> Known {
    let user = Arc::new(crate::user::tests::user("ada"));
    let grant = Arc::new(Grant {
        issuer: None,
        who: Who::Everybody,
        access: Access::Read,
        token: None,
        line: 1,
    });
    Known { caller: Arc::new(JwtCaller { user, grant, jti: None, until }), verified }
}

#[test]
fn a_verified_token_is_remembered_for_a_minute_or_until_it_ends() {
    let at = |millis: u64| Moment::START.after(Duration::from_millis(millis));
    let token = known(1_000, at(500));
    for (now, moment, expected) in [
        (0, at(500), true),
        (0, at(60_499), true),
        (0, at(60_500), false),
        (0, at(3_600_000), false),
        // By the wall clock, however short a while ago it was verified.
        (999, at(501), true),
        (1_000, at(501), false),
    ] {
        assert_eq!(token.is_still(now, moment), expected, "{now} {moment:?}");
    }
}

#[test]
fn ten_thousand_tokens_are_remembered_and_those_that_were_used_last_stay() {
    let remembered = cache::<u64>(GOOD_FOR);
    let key = |number: u64| -> Key { Sha256::digest(number.to_be_bytes()).into() };
    for number in 0..10_000 {
        remembered.insert(key(number), number);
    }
    remembered.run_pending_tasks();
    assert_eq!(remembered.entry_count(), 10_000);
    assert_eq!(remembered.get(&key(0)), Some(0));
    for number in 10_000..10_010 {
        remembered.insert(key(number), number);
    }
    remembered.run_pending_tasks();
    assert_eq!(remembered.entry_count(), 10_000);
    // The first was used again, and those behind it were not.
    assert_eq!(remembered.get(&key(0)), Some(0));
    for number in 1..=10 {
        assert_eq!(remembered.get(&key(number)), None, "{number}");
    }
    assert_eq!(remembered.get(&key(11)), Some(11));
    assert_eq!(remembered.get(&key(10_009)), Some(10_009));
}
