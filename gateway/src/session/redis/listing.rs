//! The list of sessions in Redis, for people to read.

use super::fields::{Fields, Flat};
use super::{RedisStore, millis, scripts};
use crate::clock::Moment;
use crate::session::error::StoreError;
use crate::session::record::UnixMillis;
use crate::session::token::SessionId;
use crate::session::{Page, Place, Record, Wanted};
use crate::user::UserId;

/// How many are asked for at once, so that Redis answers others in between.
const AT_ONCE: usize = 250;

/// Up to `most` of all live sessions from the place `from` on.
pub async fn page(
    store: &RedisStore,
    from: Place,
    most: usize,
    now: Moment,
) -> Result<Page, StoreError> {
    let mut page = Page { records: Vec::new(), next: Some(from) };
    let mut left = most;
    while let Some(from) = page.next.filter(|_| left > 0) {
        let count = left.min(AT_ONCE);
        let mut run = store.script(&scripts::LIST, store.shared.keys.key("all"), Some(now));
        run.arg(from.time).arg(from.which).arg(count);
        let (looked_at, time, which, found): (usize, u64, usize, Vec<(Vec<u8>, Flat)>) =
            store.link.ask(&run).await?;
        page.records.extend(found.iter().filter_map(|(id, flat)| record(store, id, flat)));
        page.next = (looked_at == count).then_some(Place { time, which });
        left -= looked_at;
    }
    Ok(page)
}

/// The live sessions that are `wanted`. Looks at all of them.
pub async fn find(
    store: &RedisStore,
    wanted: &Wanted,
    now: Moment,
) -> Result<Vec<Record>, StoreError> {
    let (mut found, mut from) = (Vec::new(), Some(Place::default()));
    while let Some(place) = from {
        let page = page(store, place, AT_ONCE, now).await?;
        let wanted = page.records.into_iter().filter(|it| wanted.is(&it.id, &it.user_name));
        found.extend(wanted);
        from = page.next;
    }
    // What was put off meanwhile has come twice.
    found.sort_by_key(|record| record.id.bytes());
    found.dedup_by_key(|record| record.id.bytes());
    Ok(found)
}

/// The live sessions of `user`, and no look at those of others.
pub async fn of_user(
    store: &RedisStore,
    user: UserId,
    now: Moment,
) -> Result<Vec<Record>, StoreError> {
    let index = store.shared.keys.user(&user.to_string());
    let run = store.script(&scripts::OF_USER, index, Some(now));
    let found: Vec<(Vec<u8>, Flat)> = store.link.ask(&run).await?;
    Ok(found.iter().filter_map(|(id, flat)| record(store, id, flat)).collect())
}

/// How many sessions live.
pub async fn count(store: &RedisStore, now: Moment) -> Result<usize, StoreError> {
    let run = store.script(&scripts::COUNT, store.shared.keys.key("all"), Some(now));
    store.link.ask(&run).await
}

fn record(store: &RedisStore, id: &[u8], flat: &Flat) -> Option<Record> {
    let fields = Fields::read(flat).ok()?;
    let idle = fields.used.0.saturating_add(millis(store.lifetime.idle));
    let absolute = store.lifetime.absolute;
    let absolute = absolute.map(|time| fields.started.0.saturating_add(millis(time)));
    Some(Record {
        id: SessionId::of_hex(id)?,
        user_name: fields.name.as_str().to_owned(),
        started: fields.started,
        last_used: fields.used,
        expires: UnixMillis(absolute.map_or(idle, |absolute| absolute.min(idle))),
        client: fields.client,
    })
}
