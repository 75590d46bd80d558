//! Sessions that this gateway has looked up lately. Redis tells when one of them has changed.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use moka::sync::Cache;

use crate::clock::Moment;
use crate::session::token::{DigestHasher, SessionId};
use crate::session::{Session, lock};
use crate::user::UserId;

/// The cache.
///
/// The client library hands on replies and changes by different ways, so a reply may be looked at after
/// a change that came later. That is why whoever asks leaves a mark first: a change of the session, or
/// the loss of the connection, makes the reply one that is used once and not kept.
pub(super) struct NearCache {
    entries: Cache<SessionId, Arc<Entry>, BuildHasherDefault<DigestHasher>>,
    asked: Mutex<Asked>,
    /// Counts connections to Redis that were lost.
    epoch: AtomicU64,
}

/// How many ask for a session, and whether it has changed since.
type Asked = HashMap<SessionId, (usize, bool), BuildHasherDefault<DigestHasher>>;

/// A session that was looked up.
pub(super) struct Entry {
    /// The session.
    pub(super) session: Arc<Session>,
    /// For which of the connections it is true.
    epoch: u64,
    /// Before this moment uses are covered: Redis keeps the session for them without being told.
    covered: AtomicU64,
    ends: AtomicU64,
    held: AtomicU64,
    /// The last use, and how many there were, that Redis was not told of.
    used: AtomicU64,
    uses: AtomicU32,
}

/// What Redis has answered about a session, as moments of this gateway.
#[derive(Clone, Copy)]
pub(super) struct Cover {
    /// Until when uses are covered.
    pub(super) until: Moment,
    /// Until when the session lives, if it is not used any more.
    pub(super) ends: Moment,
    /// What Redis has written down for that, by its own clock.
    pub(super) held: u64,
}

/// Uses that Redis was not told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Uses {
    /// How many.
    pub(super) count: u32,
    /// The last one.
    pub(super) last: Moment,
}

/// The mark of one who asks for a session.
pub(super) struct Asking<'n> {
    near: &'n NearCache,
    id: SessionId,
    epoch: u64,
}

impl NearCache {
    /// An empty cache.
    pub(super) fn new() -> Self {
        let entries = Cache::builder().build_with_hasher(BuildHasherDefault::default());
        Self { entries, asked: Mutex::default(), epoch: AtomicU64::new(0) }
    }

    /// The session `id`, used at `now`, if that needs no question.
    pub(super) fn hit(&self, id: &SessionId, now: Moment) -> Option<Arc<Session>> {
        let entry = self.covered(id, now)?;
        entry.used.fetch_max(now.millis(), Ordering::AcqRel);
        entry.uses.fetch_add(1, Ordering::AcqRel);
        Some(Arc::clone(&entry.session))
    }

    /// The same, which is no use.
    pub(super) fn look(&self, id: &SessionId, now: Moment) -> Option<Arc<Session>> {
        self.covered(id, now).map(|entry| Arc::clone(&entry.session))
    }

    fn covered(&self, id: &SessionId, now: Moment) -> Option<Arc<Entry>> {
        let entry = self.entries.get(id)?;
        let is_true = entry.epoch == self.epoch.load(Ordering::Acquire);
        let is_covered = now.millis() < entry.covered.load(Ordering::Acquire);
        (is_true && is_covered).then_some(entry)
    }

    /// Until when the session `id` lives, if it is in here.
    pub(super) fn ends(&self, id: &SessionId) -> Option<Moment> {
        let entry = self.entries.get(id)?;
        (entry.epoch == self.epoch.load(Ordering::Acquire)).then(|| entry.cover().ends)
    }

    /// Leaves a mark, before Redis is asked for the session `id`.
    pub(super) fn ask(&self, id: SessionId) -> Asking<'_> {
        let mut asked = lock(&self.asked);
        asked.entry(id).or_default().0 += 1;
        Asking { near: self, id, epoch: self.epoch.load(Ordering::Acquire) }
    }

    /// Redis says that the session `id` has changed or is gone. Returns it as it was.
    pub(super) fn changed(&self, id: &SessionId) -> Option<Arc<Entry>> {
        let mut asked = lock(&self.asked);
        if let Some((_, is_dirty)) = asked.get_mut(id) {
            *is_dirty = true;
        }
        // Under the lock, or a reply could be kept in between.
        self.entries.remove(id)
    }

    /// Redis does not say any more what changes.
    pub(super) fn forget_all(&self) {
        let mut asked = lock(&self.asked);
        asked.values_mut().for_each(|(_, is_dirty)| *is_dirty = true);
        self.epoch.fetch_add(1, Ordering::AcqRel);
        self.entries.invalidate_all();
    }

    /// Takes `entry` out if it is the one in here, and says whether another is.
    pub(super) fn let_go(&self, entry: &Arc<Entry>) -> bool {
        let _asked = lock(&self.asked);
        let id = entry.session.id();
        match self.entries.get(id) {
            Some(other) if !Arc::ptr_eq(&other, entry) => true,
            _ => {
                self.entries.invalidate(id);
                false
            }
        }
    }

    /// Whether `entry` is the one in here, and still true.
    pub(super) fn has(&self, entry: &Arc<Entry>) -> bool {
        entry.epoch == self.epoch.load(Ordering::Acquire)
            && self.entries.get(entry.session.id()).is_some_and(|other| Arc::ptr_eq(&other, entry))
    }

    /// The sessions of `user` in here.
    pub(super) fn of(&self, user: UserId) -> Vec<Arc<Session>> {
        let entries = self.entries.iter().map(|(_, entry)| Arc::clone(&entry.session));
        entries.filter(|session| session.user_id() == user).collect()
    }
}

impl Asking<'_> {
    /// Keeps `session` as it was answered, unless it has changed since: then the error is what would have
    /// been kept.
    pub(super) fn keep(
        &self,
        session: &Arc<Session>,
        cover: Cover,
        unsaid: Uses,
    ) -> Result<Arc<Entry>, Arc<Entry>> {
        let entry = Arc::new(Entry {
            session: Arc::clone(session),
            epoch: self.epoch,
            covered: AtomicU64::new(cover.until.millis()),
            ends: AtomicU64::new(cover.ends.millis()),
            held: AtomicU64::new(cover.held),
            used: AtomicU64::new(unsaid.last.millis()),
            uses: AtomicU32::new(unsaid.count),
        });
        let asked = lock(&self.near.asked);
        let is_clean = asked.get(&self.id).is_some_and(|(_, is_dirty)| !is_dirty)
            && self.epoch == self.near.epoch.load(Ordering::Acquire);
        if !is_clean {
            return Err(entry);
        }
        self.near.entries.insert(self.id, Arc::clone(&entry));
        Ok(entry)
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        let mut asked = lock(&self.near.asked);
        if let Some((count, _)) = asked.get_mut(&self.id) {
            *count -= 1;
            if *count == 0 {
                asked.remove(&self.id);
            }
        }
    }
}

impl Entry {
    /// Until when uses are covered, and what Redis has of it.
    pub(super) fn cover(&self) -> Cover {
        let until = Moment::from_millis(self.covered.load(Ordering::Acquire));
        let ends = Moment::from_millis(self.ends.load(Ordering::Acquire));
        Cover { until, ends, held: self.held.load(Ordering::Acquire) }
    }

    /// Uses are covered for longer.
    pub(super) fn extend(&self, cover: Cover) {
        self.held.store(cover.held, Ordering::Release);
        self.ends.store(cover.ends.millis(), Ordering::Release);
        self.covered.fetch_max(cover.until.millis(), Ordering::AcqRel);
    }

    /// What Redis was not told of yet.
    pub(super) fn unsaid(&self) -> Uses {
        let count = self.uses.load(Ordering::Acquire);
        Uses { count, last: Moment::from_millis(self.used.load(Ordering::Acquire)) }
    }

    /// Redis was told of so many uses.
    pub(super) fn said(&self, uses: Uses) {
        self.uses.fetch_sub(uses.count, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::token::SessionToken;
    use crate::user::tests::user;

    fn at(millis: u64) -> Moment {
        Moment::from_millis(millis)
    }

    fn session() -> Arc<Session> {
        let id = SessionToken::generate().id();
        Arc::new(Session::start(id, Arc::new(user("ada")), None, at(0)))
    }

    const COVER: Cover = Cover { until: Moment::START, ends: Moment::START, held: 7 };
    const NONE: Uses = Uses { count: 0, last: Moment::START };

    fn keep(near: &NearCache, session: &Arc<Session>) -> Option<Arc<Entry>> {
        near.ask(*session.id()).keep(session, Cover { until: at(100), ..COVER }, NONE).ok()
    }

    #[test]
    fn a_session_is_found_while_uses_are_covered_and_they_are_counted() {
        let (near, session) = (NearCache::new(), session());
        let entry = keep(&near, &session).unwrap();
        assert!(
            near.hit(session.id(), at(99)).is_some() && near.hit(session.id(), at(50)).is_some()
        );
        assert!(near.hit(session.id(), at(100)).is_none());
        assert!(near.look(session.id(), at(99)).is_some());
        assert_eq!(entry.unsaid(), Uses { count: 2, last: at(99) });
        entry.said(Uses { count: 1, last: at(50) });
        entry.extend(Cover { until: at(200), ends: at(300), held: 8 });
        assert_eq!(near.ends(session.id()), Some(at(300)));
        assert_eq!((entry.unsaid().count, entry.cover().held), (1, 8));
        assert!(near.hit(session.id(), at(199)).is_some());
    }

    #[test]
    fn a_reply_from_before_a_change_is_not_kept() {
        let (near, session) = (NearCache::new(), session());
        let cover = Cover { until: at(100), ..COVER };
        let changes: [fn(&NearCache, &SessionId); 2] =
            [|near, id| drop(near.changed(id)), |near, _| near.forget_all()];
        for change in changes {
            let asking = near.ask(*session.id());
            change(&near, session.id());
            assert!(asking.keep(&session, cover, NONE).is_err());
            // Whoever asks at the same time may have asked before, too.
            assert!(near.ask(*session.id()).keep(&session, cover, NONE).is_err());
            drop(asking);
            assert!(near.ask(*session.id()).keep(&session, cover, NONE).is_ok());
            assert!(near.hit(session.id(), at(1)).is_some());
            change(&near, session.id());
            assert!(near.hit(session.id(), at(1)).is_none());
            assert!(lock(&near.asked).is_empty());
        }
    }

    #[test]
    fn an_entry_that_another_has_replaced_lets_go_of_nothing() {
        let (near, session) = (NearCache::new(), session());
        let first = keep(&near, &session).unwrap();
        let second = keep(&near, &session).unwrap();
        assert!(!near.has(&first) && near.has(&second));
        assert!(near.let_go(&first) && near.has(&second));
        assert!(!near.let_go(&second) && !near.has(&second));
    }
}
