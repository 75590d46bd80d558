//! The list of sessions in Redis, for people to read.

use super::fields::{Fields, Flat};
use super::{RedisStore, millis, scripts};
use crate::clock::Moment;
use crate::session::Record;
use crate::session::error::StoreError;
use crate::session::record::{Filter, UnixMillis};
use crate::session::token::SessionId;

/// How many are asked for at once.
const PAGE: usize = 250;

/// The live sessions that `filter` lets through.
pub async fn list(
    store: &RedisStore,
    filter: Filter,
    now: Moment,
) -> Result<Vec<Record>, StoreError> {
    let index = match filter {
        Filter::All => store.shared.keys.key("all"),
        Filter::User(user) => store.shared.keys.user(&user.to_string()),
    };
    let (mut records, mut from) = (Vec::new(), 0);
    loop {
        let mut run = store.script(&scripts::LIST, index.clone(), Some(now));
        run.arg(from).arg(PAGE);
        let (looked_at, found): (usize, Vec<(Vec<u8>, Flat)>) = store.link.ask(&run).await?;
        records.extend(found.iter().filter_map(|(id, flat)| record(store, id, flat)));
        from += looked_at;
        if looked_at < PAGE {
            return Ok(records);
        }
    }
}

fn record(store: &RedisStore, id: &[u8], flat: &Flat) -> Option<Record> {
    let fields = Fields::read(flat).ok()?;
    let idle = fields.used.0.saturating_add(millis(store.lifetime.idle));
    let absolute = store.lifetime.absolute;
    let absolute = absolute.map(|time| fields.started.0.saturating_add(millis(time)));
    Some(Record {
        id: SessionId::of_hex(id)?,
        user_id: fields.user,
        user_name: fields.name.as_str().to_owned(),
        started: fields.started,
        last_used: fields.used,
        expires: UnixMillis(absolute.map_or(idle, |absolute| absolute.min(idle))),
    })
}
