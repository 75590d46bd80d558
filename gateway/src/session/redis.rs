//! Sessions in Redis, for several gateways. Redis is the truth; what was looked up lately is at hand.

mod address;
mod agreement;
mod changes;
pub(super) mod come;
mod complaints;
mod counted;
mod fields;
mod halves;
mod halves_at_hand;
mod link;
pub mod listing;
mod near_cache;
mod of_provider;
mod owner;
pub(super) mod provider_asked;
mod roster;
mod scripts;
mod seal;
mod sentinels;
#[cfg(test)]
pub(crate) mod server;
mod settings;
mod shared;
mod store_key;
pub mod throttle;
pub mod upkeep;
mod whose;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use redis::ScriptInvocation;
use tokio::sync::{Mutex as AsyncMutex, mpsc};

use super::ended::{EndListener, Listeners};
use super::error::StoreError;
use super::memory::Capacity;
use super::provider::Granting;
use super::token::{SessionId, SessionToken};
use super::{Lifetime, Session, UpstreamSessionState, Watch};
use crate::clock::Moment;
use crate::metrics::METRICS;
use crate::metrics::label::LookUp;
use crate::user::UserId;
use crate::user::secret::UpstreamSession;
pub use address::Address;
use agreement::Agreed;
use complaints::Complaints;
use fields::{Fields, Flat};
pub use halves::{Done, Due, Halves, SharedHalves};
use halves_at_hand::HalvesAtHand;
use link::{Changes, Link};
use near_cache::{Cover, NearCache, Uses};
use roster::Roster;
use scripts::Keys;
use seal::Seal;
pub use settings::Settings;
use shared::{Doubt, Shared};
pub use store_key::StoreKey;
use upkeep::Upkeep;
pub use whose::{Users, Whose};

/// All sessions, as Redis has them.
pub struct RedisStore {
    shared: Arc<Shared>,
    link: Link,
    /// Sessions of such requests of which something has to be found out.
    doubted: AsyncMutex<mpsc::UnboundedReceiver<Doubt>>,
    upkeep: Upkeep,
    roster: Roster,
    /// What Redis knows this gateway by.
    gateway: String,
    lifetime: Lifetime,
    capacity: ArcSwap<Capacity>,
    interval: Duration,
    near_cache: bool,
    whose: Whose,
    /// What users of sign-in providers may do, where there are any.
    granting: OnceLock<Arc<dyn Granting>>,
    halves: HalvesAtHand,
    listeners: Listeners,
    complaints: Complaints,
    /// By what the scripts count, in tests: an offset to moments, in milliseconds.
    simulated: Option<u64>,
}

/// What is asked of Redis about a session.
#[derive(Clone, Copy)]
enum How {
    /// It is used.
    Use,
    /// It is looked at.
    Peek,
    /// It was used, and this gateway goes on holding it.
    Hold(Uses),
    /// The same, and the gateway gives back what it held.
    Settle(Uses, u64),
}

/// How long it lives and uses are covered, whether something was written, how long ago it began (ms), the record.
type Found = (u64, i64, bool, u64, Flat);

impl RedisStore {
    /// The store of these `settings`, which connects to nothing before [`upkeep::run`]. The ends that come about by this
    /// gateway, `listeners` are told of.
    pub fn new(
        settings: Settings,
        lifetime: Lifetime,
        capacity: Capacity,
        whose: Whose,
        listeners: impl IntoIterator<Item = Arc<dyn EndListener>>,
    ) -> Self {
        let Settings { address, prefix, timeout, touch_interval, near_cache } = settings;
        let (doubt, doubted) = mpsc::unbounded_channel();
        let (keys, near, underway) = (Keys::new(prefix), NearCache::new(), Arc::default());
        let agreed = Agreed::new(whose.halves().and_then(|halves| halves.key.clone()));
        let shared = Arc::new(Shared { keys, near, underway, doubt, agreed });
        let changes = Arc::clone(&shared) as Arc<dyn Changes>;
        let link = Link::new(address, timeout, shared.keys.key("probe"), changes);
        let gateway = getrandom::u64().expect("the operating system provides randomness");
        Self {
            link,
            shared,
            doubted: AsyncMutex::new(doubted),
            upkeep: Upkeep::default(),
            roster: Roster::default(),
            gateway: format!("{gateway:016x}"),
            lifetime,
            capacity: ArcSwap::from_pointee(capacity),
            interval: touch_interval,
            near_cache,
            whose,
            granting: OnceLock::new(),
            halves: HalvesAtHand::new(),
            listeners: listeners.into_iter().collect(),
            complaints: Complaints::default(),
            simulated: None,
        }
    }

    /// Asks `granting` what users of sign-in providers may do.
    pub fn grant_by(&self, granting: Arc<dyn Granting>) {
        let _ = self.granting.set(granting);
    }

    /// The live session `id`, renewed, if it is at hand.
    pub fn at_hand(&self, id: &SessionId, now: Moment) -> Option<Arc<Session>> {
        self.shared.near.hit(id, now)
    }

    /// The live session of `token`, renewed, which is not at hand.
    pub async fn touch(
        &self,
        token: &SessionToken,
        now: Moment,
    ) -> Result<Option<Arc<Session>>, StoreError> {
        METRICS.store_lookups.count(LookUp::Store);
        self.look_up(token.id(), Some(token), How::Use, now).await
    }

    /// The live session of `token`, not renewed.
    pub async fn peek(
        &self,
        token: &SessionToken,
        now: Moment,
    ) -> Result<Option<Arc<Session>>, StoreError> {
        let id = token.id();
        if let Some(session) = self.shared.near.look(&id, now) {
            return Ok(Some(session));
        }
        self.look_up(id, Some(token), How::Peek, now).await
    }

    async fn look_up(
        &self,
        id: SessionId,
        token: Option<&SessionToken>,
        how: How,
        now: Moment,
    ) -> Result<Option<Arc<Session>>, StoreError> {
        let asking = self.shared.near.ask(id);
        let Some((lives, covered, is_written, age, flat)) = self.ask_for(&id, how, now).await?
        else {
            self.shared.near.changed(&id);
            return Ok(None);
        };
        let ends = now.after(Duration::from_millis(lives));
        self.shared.underway.lives(&id, ends);
        let fields = match Fields::read(&flat) {
            Ok(fields) => fields,
            Err(error) => {
                self.complaints.complain(|| {
                    format!("the session {} counts as none: {error}", id.fingerprint())
                });
                return Ok(None);
            }
        };
        let began = Moment::from_millis(now.millis().saturating_sub(age));
        let Some((whose, provider)) = owner::owner(self, &fields, began) else {
            return Ok(None);
        };
        let half = token.and_then(|token| {
            let sealed = fields.sealed.as_ref()?;
            self.halves.get(id, || unseal(token, sealed, began))
        });
        // A use is what its deadline here counts from.
        let used = if let How::Use = how { now } else { began };
        let session = Session::start(id, whose, None, used).of_client(fields.client);
        let provider = provider.map(Box::new);
        let session = Arc::new(Session { started: began, upstream: half, provider, ..session });
        if let (true, How::Use, Ok(covered @ 1..)) = (self.near_cache, how, u64::try_from(covered))
        {
            let until = now.after(Duration::from_millis(covered)).min(ends);
            let cover = Cover { until, ends, held: held(&flat, &self.gateway) };
            let unsaid = Uses { count: u32::from(!is_written), last: now };
            match asking.keep(&session, cover, unsaid) {
                Ok(entry) => self.upkeep.attend(entry, self.interval, now),
                // It is held, though nobody has it at hand.
                Err(entry) if is_written => self.upkeep.let_go(entry, self.interval),
                Err(_) => {}
            }
        }
        Ok(Some(session))
    }

    async fn ask_for(
        &self,
        id: &SessionId,
        how: How,
        now: Moment,
    ) -> Result<Option<Found>, StoreError> {
        let (word, uses, held) = match how {
            How::Use if !self.near_cache => ("pass", Uses { count: 1, last: now }, 0),
            How::Use => ("use", Uses { count: 1, last: now }, 0),
            How::Peek => ("peek", Uses { count: 0, last: now }, 0),
            How::Hold(uses) => ("hold", uses, 0),
            How::Settle(uses, held) => ("settle", uses, held),
        };
        let hex = id.hex();
        let mut run = self.script(&scripts::LOOK_UP, self.shared.keys.record(&hex), Some(now));
        self.live_for(run.arg(hex)).arg(word).arg(&self.gateway).arg(millis(self.interval));
        run.arg(millis(now.since(uses.last))).arg(uses.count).arg(held);
        self.link.ask(&run).await
    }

    /// The sessions of `user` that are at hand.
    pub fn of(&self, user: UserId) -> Vec<Arc<Session>> {
        self.shared.near.of(user)
    }

    /// Watches over `session` for a request that has not come in whole.
    pub fn watch(&self, session: &Arc<Session>) -> Watch {
        let watch = Watch::over(session, &self.shared.underway).within(self.lifetime.absolute);
        let at_hand = self.shared.near.ends(session.id());
        // Not before its use is forgotten, whatever has happened since: said before anybody looks whether it has idled out.
        if let Some(ends) = at_hand.or_else(|| session.deadline(&self.lifetime)) {
            self.shared.underway.lives(session.id(), ends);
        }
        if at_hand.is_none() {
            let _ = self.shared.doubt.send((*session.id(), None));
        }
        watch
    }

    /// A run of `script` on `key` at `now`: by Redis' clock, but in tests.
    fn script<'s>(
        &self,
        script: &'s redis::Script,
        key: String,
        now: Option<Moment>,
    ) -> ScriptInvocation<'s> {
        let clock = self.simulated.zip(now).map(|(offset, now)| offset + now.millis());
        let clock = clock.map(|clock| clock.to_string()).unwrap_or_default();
        self.shared.keys.run(script, key, &clock)
    }

    /// Adds how long sessions live.
    fn live_for<'r, 's>(&self, run: &'r mut ScriptInvocation<'s>) -> &'r mut ScriptInvocation<'s> {
        run.arg(millis(self.lifetime.idle)).arg(self.lifetime.absolute.map_or(0, millis))
    }
}

/// Until when the gateway holds the session, as Redis has it.
fn held(flat: &Flat, gateway: &str) -> u64 {
    let held = flat.get(&format!("hold:{gateway}"));
    held.and_then(|held| std::str::from_utf8(held).ok()?.parse().ok()).unwrap_or_default()
}

fn unseal(token: &SessionToken, sealed: &[u8], began: Moment) -> Option<UpstreamSessionState> {
    let cookie = Seal::of_token(token).open(sealed)?;
    Some(UpstreamSessionState::new(UpstreamSession::parse(&cookie)?, began))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
pub(crate) mod tests;
