//! InfluxDB's halves of sessions in Redis: when each has to be looked after, and by which gateway.
//!
//! A half is in Redis by itself, sealed for the gateways, and outlives the record. What is due is taken by one
//! of them: no other gets it until that one is done, or may be dead.

use std::sync::Arc;
use std::time::Duration;

use super::fields::{Fields, Flat};
use super::seal::Seal;
use super::store_key::StoreKey;
use super::{RedisStore, millis, scripts};
use crate::clock::Moment;
use crate::session::Session;
use crate::session::error::StoreError;
use crate::session::token::SessionId;
use crate::user::secret::UpstreamSession;

/// For how long at most a gateway has what it has taken. If it dies, another takes it after that.
const LEASE: Duration = Duration::from_secs(8);

/// How long a half outlives its session if it cannot be signed out of. InfluxDB ends it before.
const AFTER: Duration = Duration::from_secs(600);

/// How halves are kept.
#[derive(Clone, Debug)]
pub struct Halves {
    /// By which they are sealed, if that is configured; otherwise the gateways agree on a key.
    pub key: Option<StoreKey>,
    /// How often each is renewed.
    pub renew: Duration,
}

/// What there is to do for a session.
pub enum Due {
    /// It lives: its half is to be renewed.
    Renew(Arc<Session>),
    /// It has ended: its half is to be signed out of.
    SignOut(UpstreamSession),
}

/// What has become of a half that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// InfluxDB was asked about it.
    Renewed,
    /// InfluxDB has nothing left of it.
    SignedOut,
    /// Nothing: another gateway is to take it.
    Returned,
}

/// What the script that creates `session` needs for its half: the name of the key, the half, when it is due, and
/// how long it lives.
pub(super) async fn of_new(
    store: &RedisStore,
    session: &Session,
) -> Result<(String, Vec<u8>, u64, u64), StoreError> {
    let Some((halves, half)) = store.whose.halves().zip(session.upstream()) else {
        return Ok(Default::default());
    };
    let key = store.shared.agreed.within(store.link.timeout()).await?;
    let sealed = Seal::of_gateways(&key, *session.id());
    let sealed = sealed.seal(half.session().cookie().as_bytes());
    Ok((key.name().to_owned(), sealed, millis(halves.renew), life(store, halves)))
}

/// InfluxDB's halves of all sessions, of which the gateways take those that are due.
#[derive(Clone)]
pub struct SharedHalves {
    store: Arc<RedisStore>,
    halves: Halves,
}

impl SharedHalves {
    /// Those in `store`; `None` if InfluxDB has no part in its sessions.
    pub fn of(store: &Arc<RedisStore>) -> Option<Self> {
        let halves = store.whose.halves()?.clone();
        Some(Self { store: Arc::clone(store), halves })
    }

    /// For how long at most a gateway has what it has taken.
    pub fn lease(&self) -> Duration {
        LEASE.min(self.halves.renew)
    }

    /// Takes what is due at `now`, at most so much at once.
    pub async fn take(
        &self,
        most: usize,
        now: Moment,
    ) -> Result<Vec<(SessionId, Due)>, StoreError> {
        // Before there is a key, there is nothing that it has sealed.
        let Some(key) = self.store.shared.agreed.now() else { return Ok(Vec::new()) };
        let mut run = self.store.script(&scripts::TAKE, self.dues(&key), Some(now));
        run.arg(millis(self.lease())).arg(life(&self.store, &self.halves)).arg(most);
        let taken: Vec<(String, Vec<u8>, Flat)> = self.store.link.ask(&run).await?;
        let due = |(id, sealed, flat): &(String, Vec<u8>, Flat)| {
            let id = SessionId::of_hex(id.as_bytes())?;
            let due = due_of(&key, id, sealed, flat, now);
            if due.is_none() {
                // It may be another version's, which takes it after the lease.
                self.store.complaints.complain(|| {
                    format!("InfluxDB's half of the session {} is unreadable", id.fingerprint())
                });
            }
            Some((id, due?))
        };
        Ok(taken.iter().filter_map(due).collect())
    }

    /// Says what has become of the half of the session `id`, which was taken.
    pub async fn settle(&self, id: &SessionId, done: Done, now: Moment) -> Result<(), StoreError> {
        let (how, after) = match done {
            Done::Renewed => ("renewed", self.halves.renew),
            Done::SignedOut => ("forget", Duration::ZERO),
            Done::Returned => ("return", Duration::ZERO),
        };
        let Some(key) = self.store.shared.agreed.now() else { return Ok(()) };
        let mut run = self.store.script(&scripts::SETTLE, self.dues(&key), Some(now));
        run.arg(id.hex()).arg(how).arg(millis(after));
        self.store.link.ask(&run).await
    }

    /// Where is written when each half is due that was sealed by `key`.
    fn dues(&self, key: &StoreKey) -> String {
        self.store.shared.keys.key(&format!("due:{}", key.name()))
    }
}

/// What there is to do for the session `id`, whose record is `flat`.
fn due_of(key: &StoreKey, id: SessionId, sealed: &[u8], flat: &Flat, now: Moment) -> Option<Due> {
    let cookie = Seal::of_gateways(key, id).open(sealed)?;
    let cookie = UpstreamSession::parse(&cookie)?;
    if flat.is_empty() {
        return Some(Due::SignOut(cookie));
    }
    let fields = Fields::read(flat).ok()?;
    let session = Session::start(id, fields.as_recorded(), Some(cookie), now);
    Some(Due::Renew(Arc::new(session.of_client(fields.client))))
}

/// For how long a half lives after it was last taken: its session may be used until it is due again.
fn life(store: &RedisStore, halves: &Halves) -> u64 {
    millis(store.lifetime.idle + store.interval + halves.renew + AFTER)
}
