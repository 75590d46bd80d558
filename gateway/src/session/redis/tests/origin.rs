//! Sessions of users whom a sign-in provider has signed in, and the indexes of them.

use super::*;
use crate::session::origin::{Named, Origin};

fn origin() -> Origin {
    Origin::new("corp", "7", Some("s1"))
}

impl Stage {
    /// The user is ada.
    pub(super) async fn create_from(
        &self,
        gateway: usize,
        origin: Origin,
        now: Moment,
    ) -> SessionToken {
        let token = SessionToken::generate();
        let session = Session::start(token.id(), Arc::new(user("ada")), None, now);
        let session = session.with_origin(origin);
        self.stores[gateway].create(&token, session, None, now).await.unwrap();
        token
    }

    /// The keys of both indexes that have a session of that [`origin`].
    fn indexes(&self) -> [String; 2] {
        [Named::subject("corp", "7"), Named::session("corp", "s1")]
            .map(|named| self.stores[0].shared.keys.named(&named))
    }
}

#[test]
fn a_session_that_its_provider_ends_at_one_gateway_ends_at_all() {
    stage(10, async |stage| {
        let token = stage.create_from(0, origin(), at(0)).await;
        for gateway in [0, 1, 0] {
            assert!(stage.find(gateway, &token, at(1)).await.is_some());
        }
        let named = Named::session("corp", "s1");
        assert_eq!(stage.stores[1].revoke_named(&named, true).await, Ok(1));
        stage.forgotten(0, &token, at(2)).await;
        assert!(stage.find(0, &token, at(2)).await.is_none());
        assert_eq!((stage.told(0), stage.told(1)), (vec![], vec![EndReason::Revoked]));
    });
}

#[test]
fn an_index_by_provider_lives_as_long_as_its_sessions() {
    stage(10, async |stage| {
        let mut connection = stage.server.connection();
        let mut ends = |key: &String| -> u64 {
            redis::cmd("PEXPIRETIME").arg(key).query(&mut connection).unwrap()
        };
        let token = stage.create_from(0, origin(), at(0)).await;
        assert!(stage.find(0, &token, at(300)).await.is_some());
        let record = stage.stores[0].shared.keys.record(&token.id().hex());
        for index in stage.indexes() {
            assert_eq!(ends(&index), ends(&record));
        }
        assert!(
            stage.stores[1]
                .end(&token.id(), EndReason::SignedOut, at(301))
                .await
                .unwrap()
                .is_some()
        );
        let left: usize =
            redis::cmd("EXISTS").arg(&stage.indexes()).query(&mut connection).unwrap();
        assert_eq!(left, 0);
    });
}

/// When Redis itself lets a record expire, nobody knows any more where the session came from.
#[test]
fn what_has_idled_out_leaves_the_indexes_with_the_next_session() {
    stage(10, async |stage| {
        let mut connection = stage.server.connection();
        let idle = stage.create_from(0, origin(), at(0)).await;
        let record = stage.stores[0].shared.keys.record(&idle.id().hex());
        redis::cmd("DEL").arg(record).exec(&mut connection).unwrap();
        assert_eq!(upkeep::sweep(&stage.stores[0], at(601)).await, Ok(false));
        let token = stage.create_from(1, origin(), at(601)).await;
        for index in stage.indexes() {
            let ids: Vec<String> =
                redis::cmd("ZRANGE").arg(index).arg(0).arg(-1).query(&mut connection).unwrap();
            assert_eq!(ids, [token.id().hex()]);
        }
    });
}
