//! Redis stops watching a key on behalf of whoever writes it. Whatever a gateway writes into a record, it hears of what
//! others do to the session.

use super::*;
use crate::session::origin::Origin;
use crate::session::provider::{Confirmed, Kept, Lease, ProviderHalf, Right};
use crate::session::redis::provider_asked;
use crate::user::password::{Cost, Memory, Password, PasswordHash, PasswordMark};

/// What the first gateway does to the session of ada.
const WRITES: [&str; 7] = [
    "a new password",
    "the same password",
    "another user",
    "what has become of the user",
    "begin",
    "confirm",
    "silent",
];

fn mark(number: u8) -> PasswordMark {
    let cost = Cost { memory_kib: 8, passes: 1, lanes: 1 };
    PasswordHash::create(&Password::new(vec![number]), cost, &mut Memory::new(cost)).mark()
}

/// `marks` are those of the password that the session was opened with, and of another.
async fn write(
    store: &RedisStore,
    what: &str,
    marks: (PasswordMark, PasswordMark),
    token: &SessionToken,
    session: &Arc<Session>,
) {
    let (now, second) = (at(2), Duration::from_secs(1));
    let ada = user("ada");
    let lease = Lease::fresh();
    match what {
        "a new password" => store.carry_over(ada.id, marks, None).await.unwrap(),
        "the same password" => {
            store.note_same(marks).await.unwrap();
            assert_eq!(store.revoke_older(ada.id, marks.1).await, Ok(0));
        }
        "another user" => {
            let inactive = ada.with_status(Status::Inactive);
            store.assign(session, &Arc::new(inactive)).await.unwrap();
        }
        "what has become of the user" => {
            let inactive = Arc::new(ada.with_status(Status::Inactive));
            assert_eq!(store.replace_user(&inactive).await, Ok(1));
        }
        "silent" => {
            let silent = provider_asked::fall_silent(store, session, None, now).await.unwrap();
            assert_eq!(silent, Some(now));
        }
        _ => {
            let right = provider_asked::begin(store, token, (second, lease), now).await.unwrap();
            assert!(matches!(right, Right::Mine(_)));
        }
    }
    if what == "confirm" {
        let confirmed =
            Confirmed { user: Arc::new(ada), token: None, kept: Kept::default(), lease };
        assert_eq!(provider_asked::confirm(store, token, &confirmed, now).await, Ok(true));
    }
}

#[test]
fn a_gateway_hears_what_others_do_to_a_session_that_it_has_written_itself() {
    let mut unheard = Vec::new();
    for what in WRITES {
        stage(10, async |stage| {
            let marks = (mark(1), mark(2));
            let (here, token) = (&stage.stores[0], SessionToken::generate());
            let half = ProviderHalf::new("corp".into(), None, Kept::default(), at(0));
            let session = Session::start(token.id(), Arc::new(user("ada")), None, at(0));
            let from = Origin::new("https://idp.test", "0815", None);
            let session = session.with_origin(from).with_provider(half);
            here.create(&token, session, Some(marks.0), at(0)).await.unwrap();
            let session = stage.find(0, &token, at(1)).await.unwrap();
            let watch = here.watch(&session);
            write(here, what, marks, &token, &session).await;
            let ended = stage.stores[1].end(&token.id(), EndReason::SignedOut, at(3)).await;
            assert!(ended.unwrap().is_some(), "{what}");
            let told = async { here.doubted.lock().await.recv().await.unwrap().0 };
            let told = tokio::time::timeout(Duration::from_secs(20), told).await;
            if told.is_err() {
                unheard.push(what);
                return;
            }
            upkeep::find_out(here, token.id(), at(3)).await;
            assert_eq!(watch.notice(), Notice::Revoked, "{what}");
            stage.forgotten(0, &token, at(3)).await;
        });
    }
    assert_eq!(unheard, [""; 0]);
}
