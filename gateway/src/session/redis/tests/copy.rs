//! What somebody learns who gets a copy of Redis.

use super::*;
use crate::session::origin::Origin;

impl Stage {
    /// All keys.
    fn keys(&self) -> Vec<String> {
        redis::cmd("KEYS").arg("*").query(&mut self.server.connection()).unwrap()
    }

    /// All keys and what is in them.
    fn copy(&self) -> Vec<Vec<u8>> {
        let mut connection = self.server.connection();
        let mut copy = Vec::new();
        for key in self.keys() {
            let values: Vec<Vec<u8>> = if key.contains(":s:") {
                redis::cmd("HGETALL").arg(&key).query(&mut connection).unwrap()
            } else {
                redis::cmd("ZRANGE").arg(&key).arg(0).arg(-1).query(&mut connection).unwrap()
            };
            copy.extend(values);
            copy.push(key.into_bytes());
        }
        copy
    }
}

fn is_in(copy: &[Vec<u8>], secret: &[u8]) -> bool {
    copy.iter().any(|value| value.windows(secret.len()).any(|part| part == secret))
}

#[test]
fn a_copy_of_redis_opens_nothing() {
    stage(10, async |stage| {
        let cookie = UpstreamSession::parse(b"influxdb-oss-session=top-secret").unwrap();
        let token = stage.create_with(0, "ada", Some(cookie), at(0)).await.unwrap();
        let mut connection = stage.server.connection();
        let (keys, copy) = (stage.keys(), stage.copy());
        assert_eq!(keys.len(), 3, "{keys:?}");
        let text = token.text();
        for secret in [b"top-secret".as_slice(), text.as_bytes(), token.bytes()] {
            assert!(!is_in(&copy, secret));
        }
        // With the token, another gateway has it.
        let session = stage.find(1, &token, at(1)).await.unwrap();
        let cookie = session.upstream().unwrap().session().cookie();
        assert_eq!(cookie, "influxdb-oss-session=top-secret");
        // Sealed for another session, it is worth nothing.
        let other = stage.create(0, "ada", at(1)).await.unwrap();
        let key = |token: &SessionToken| stage.stores[0].shared.keys.record(&token.id().hex());
        let sealed: Vec<u8> =
            redis::cmd("HGET").arg(key(&token)).arg("sealed").query(&mut connection).unwrap();
        redis::cmd("HSET")
            .arg(key(&other))
            .arg("sealed")
            .arg(sealed)
            .exec(&mut connection)
            .unwrap();
        assert!(stage.find(1, &other, at(1)).await.unwrap().upstream().is_none());
    });
}

#[test]
fn what_a_provider_calls_somebody_is_not_in_redis() {
    stage(10, async |stage| {
        let origin = Origin::new("provider", "ada@example.com", Some("their-session"));
        stage.create_from(0, origin, at(0)).await;
        let (keys, copy) = (stage.keys(), stage.copy());
        assert_eq!(keys.len(), 5, "{keys:?}");
        for name in ["provider", "ada@example.com", "their-session"] {
            assert!(!is_in(&copy, name.as_bytes()), "{name}");
        }
        let mut connection = stage.server.connection();
        for key in keys.iter().filter(|key| **key != "igw:all") {
            let life: i64 = redis::cmd("PTTL").arg(key).query(&mut connection).unwrap();
            assert!(life > 0, "{key} does not expire");
        }
    });
}
