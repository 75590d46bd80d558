//! The key that gateways seal by, when none is configured.

use super::*;
use crate::hex;
use crate::session::redis::agreement::{self, Agreed};

fn unconfigured() -> Whose {
    Whose::Influxdb(Halves { key: None, renew: Duration::from_secs(240) })
}

/// Lets a gateway take part.
fn take_part(store: &Arc<RedisStore>) -> tokio::task::JoinHandle<()> {
    let store = Arc::clone(store);
    tokio::spawn(async move { agreement::agree(&store).await })
}

async fn name(agreed: &Agreed) -> String {
    agreed.within(Duration::from_secs(20)).await.unwrap().name().to_owned()
}

#[test]
fn gateways_agree_on_a_key_that_redis_never_has() {
    stage_of(10, [unconfigured(), unconfigured()], true, async |stage| {
        let [one, two] = [0, 1].map(|gateway| &stage.stores[gateway].shared.agreed);
        // In the same moment.
        let taking_part = stage.stores.each_ref().map(take_part);
        let agreed = name(one).await;
        assert_eq!(name(two).await, agreed);
        // Neither key nor anything that opens a box, however it is written.
        let mut connection = stage.server.connection();
        let said: std::collections::HashMap<String, Vec<u8>> =
            redis::cmd("HGETALL").arg("igw:key").query(&mut connection).unwrap();
        let secret = one.now().unwrap();
        let hex = hex::encode(secret.secret());
        for value in said.values() {
            let has = |part: &[u8]| value.windows(part.len()).any(|window| window == part);
            assert!(!has(secret.secret()) && !has(hex.as_bytes()));
        }
        // When all are gone, so is the key.
        taking_part.iter().for_each(tokio::task::JoinHandle::abort);
        redis::cmd("DEL").arg("igw:key").exec(&mut connection).unwrap();
        let other = StoreKey::generate();
        let again = agreement::step(&stage.stores[0], &other, &mut None).await;
        assert_eq!(again, Ok(false), "who has a key keeps it");
        assert_eq!(name(one).await, agreed);
    });
}

#[test]
fn a_box_that_somebody_else_has_put_there_opens_nothing() {
    stage_of(10, [unconfigured(), unconfigured()], true, async |stage| {
        let [here, there] = &stage.stores;
        let own = StoreKey::generate();
        assert_eq!(agreement::step(here, &own, &mut None).await, Ok(true));
        let (other, mut request) = (StoreKey::generate(), None);
        assert_eq!(agreement::step(there, &other, &mut request).await, Ok(false));
        let mut connection = stage.server.connection();
        let wants = format!("wants:{}", there.gateway);
        let wanted: String =
            redis::cmd("HGET").arg("igw:key").arg(&wants).query(&mut connection).unwrap();
        let put = |text: &str| {
            let field = format!("box:{}", there.gateway);
            let value = format!("9999999999999 {text}");
            let mut connection = stage.server.connection();
            redis::cmd("HSET").arg("igw:key").arg(field).arg(value).exec(&mut connection).unwrap();
        };
        for text in ["", "0", "not even hex", &wanted, &"00".repeat(92), &"ab".repeat(92)] {
            put(text);
            let _ = agreement::step(there, &other, &mut request).await;
            assert!(there.shared.agreed.now().is_none(), "{text}");
        }
        for _ in 0..3 {
            let _ = agreement::step(there, &other, &mut request).await;
            let _ = agreement::step(here, &own, &mut None).await;
        }
        assert_eq!(name(&there.shared.agreed).await, own.name());
    });
}
