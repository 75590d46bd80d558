//! An index of sessions by user: how many each has, and which one ends for another; and by what a sign-in provider
//! calls them.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use super::Session;
use super::origin::Named;
use crate::clock::Moment;
use crate::metrics::METRICS;
use crate::user::UserId;

/// Who has which sessions. Every session is entered once and struck at most once.
#[derive(Default)]
pub(super) struct SessionIndex {
    by_user: HashMap<UserId, Vec<Arc<Session>>>,
    by_name: HashMap<Named, Vec<Arc<Session>>>,
    pub(super) count: usize,
}

impl SessionIndex {
    pub(super) fn of(&self, user: UserId) -> &[Arc<Session>] {
        self.by_user.get(&user).map_or(&[], Vec::as_slice)
    }

    /// Those that a sign-in provider calls so: `all`, or those without a session there.
    pub(super) fn named(&self, named: &Named, all: bool) -> Vec<Arc<Session>> {
        let found = self.by_name.get(named).into_iter().flatten();
        found.filter(|session| all || session.named().count() == 1).cloned().collect()
    }

    pub(super) fn insert(&mut self, session: Arc<Session>) {
        for named in session.named() {
            self.by_name.entry(named).or_default().push(Arc::clone(&session));
        }
        self.by_user.entry(session.user_id()).or_default().push(session);
        self.count += 1;
        METRICS.sessions.set(self.count);
    }

    /// A session that was struck stays so.
    pub(super) fn assign(&mut self, session: &Arc<Session>, user: UserId) {
        let count = self.count;
        self.remove(session);
        if self.count < count {
            session.set_user_id(user);
            self.insert(Arc::clone(session));
        }
    }

    pub(super) fn remove(&mut self, session: &Session) {
        self.count -= strike(&mut self.by_user, &session.user_id(), session);
        METRICS.sessions.set(self.count);
        for named in session.named() {
            strike(&mut self.by_name, &named, session);
        }
    }
}

/// Strikes `session` where it is entered under `key`; returns how often that was.
fn strike<K: Eq + Hash>(
    index: &mut HashMap<K, Vec<Arc<Session>>>,
    key: &K,
    session: &Session,
) -> usize {
    let Some(sessions) = index.get_mut(key) else { return 0 };
    let before = sessions.len();
    sessions.retain(|other| other.id() != session.id());
    let struck = before - sessions.len();
    if sessions.is_empty() {
        index.remove(key);
    }
    struck
}

/// A session that was not used for so long, has been left.
const LEFT: Duration = Duration::from_secs(60);

/// Which of the user's `live` sessions goes for `newcomer`: the least recently used
///
/// 1. of the newcomer's kind of client, used once or twice at most: commands and scripts that sign in
///    each time and never out push out each other;
/// 2. of another kind, used once or twice and left for a minute: so do those that ran before;
/// 3. of the newcomer's kind, in steady use;
/// 4. of all.
pub(super) fn to_go<'a>(
    live: impl Iterator<Item = &'a Arc<Session>>,
    newcomer: &Session,
    now: Moment,
) -> Option<&'a Arc<Session>> {
    let rank = |session: &Session| {
        let is_same = session.kind() == newcomer.kind();
        let is_left = now.since(session.last_used()) >= LEFT;
        match (is_same, session.is_in_steady_use()) {
            (true, false) => 1,
            (false, false) if is_left => 2,
            (true, true) => 3,
            (false, _) => 4,
        }
    };
    live.min_by_key(|session| (rank(session), session.last_used()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request_meta::{Client, ClientKind};
    use crate::session::Lifetime;
    use crate::session::memory::{Capacity, MemoryStore};
    use crate::session::token::{SessionId, SessionToken};
    use crate::user::User;
    use crate::user::tests::user;

    const BROWSER: &[u8] =
        b"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
    const COMMAND: &[u8] = b"influx/2.7.5 (linux) Sha/a79a2a1b Date/2024-04-16";
    const SCRIPT: &[u8] = b"influxdb-client-python/1.50.0";

    /// One user's sessions, on a simulated clock.
    struct Stage {
        store: MemoryStore,
        ada: Arc<User>,
    }

    fn at(seconds: u64) -> Moment {
        Moment::START.after(Duration::from_secs(seconds))
    }

    impl Stage {
        fn new(per_user: usize) -> Self {
            let lifetime = Lifetime { idle: Duration::from_secs(600), absolute: None };
            let capacity = Capacity { total: 1_000_000, per_user };
            let store = MemoryStore::new(lifetime, capacity, []);
            Self { store, ada: Arc::new(user("ada")) }
        }

        /// A client of this kind signs in and uses the session so often at once.
        fn sign_in(&self, agent: &[u8], now: Moment, uses: usize) -> SessionId {
            let id = SessionToken::generate().id();
            let session = Session::start(id, Arc::clone(&self.ada), None, now);
            let client = Client { kind: ClientKind::of(agent), address: None };
            self.store.create(session.of_client(client), now).unwrap();
            assert!((0..uses).all(|_| self.is_live(&id, now)));
            id
        }

        /// Whether the session lives; that is a use of it.
        fn is_live(&self, id: &SessionId, now: Moment) -> bool {
            self.store.touch(id, now).is_some()
        }
    }

    /// Ten minutes: a browser that asks every minute, a service that writes every ten seconds, and
    /// commands of which each signs in, asks once or twice and leaves without signing out.
    #[test]
    fn f_46_commands_push_out_each_other_and_neither_browser_nor_service() {
        for (per_user, a_second, agents) in [
            (256, 1, [BROWSER, SCRIPT, COMMAND]),
            (256, 5, [BROWSER, SCRIPT, COMMAND]),
            (64, 5, [BROWSER, SCRIPT, COMMAND]),
            (4, 1, [BROWSER, SCRIPT, COMMAND]),
            // Nobody says what they are.
            (64, 5, [&b""[..]; 3]),
        ] {
            let stage = Stage::new(per_user);
            let [browser, service, command] = agents;
            let tab = stage.sign_in(browser, at(0), 10);
            let writer = stage.sign_in(service, at(0), 3);
            for second in 0..600 {
                if second % 60 == 0 {
                    assert!(stage.is_live(&tab, at(second)), "the browser at {second} s");
                }
                if second % 10 == 0 {
                    assert!(stage.is_live(&writer, at(second)), "the service at {second} s");
                }
                for number in 0..a_second {
                    stage.sign_in(command, at(second), 1 + number % 2);
                }
                assert!(stage.store.of(stage.ada.id()).len() <= per_user);
            }
        }
    }

    /// So do those that ask oftener before they leave, if they say what they are.
    #[test]
    fn f_46_a_kind_of_client_pushes_out_its_own_kind_first() {
        let stage = Stage::new(64);
        let tab = stage.sign_in(BROWSER, at(0), 10);
        for second in 1..=599 {
            stage.sign_in(SCRIPT, at(second), 20);
        }
        assert!(stage.is_live(&tab, at(599)), "the browser that was left for ten minutes");
        // A new browser takes the place of what commands have left, not of the other.
        for second in 600..650 {
            stage.sign_in(COMMAND, at(second), 1);
        }
        let other = stage.sign_in(BROWSER, at(720), 10);
        assert!(stage.is_live(&tab, at(720)) && stage.is_live(&other, at(720)));
    }

    /// A browser that has signed in just now has asked once or twice only, too.
    #[test]
    fn f_46_a_fresh_session_is_not_pushed_out_by_another_kind() {
        let stage = Stage::new(8);
        for _ in 0..8 {
            stage.sign_in(COMMAND, at(0), 1);
        }
        let tab = stage.sign_in(BROWSER, at(1), 1);
        for second in 1..50 {
            stage.sign_in(COMMAND, at(second), 2);
        }
        assert!(stage.is_live(&tab, at(50)));
    }

    #[test]
    fn f_46_among_those_in_steady_use_the_least_recently_used_goes() {
        let stage = Stage::new(3);
        let all: Vec<_> = (0..3).map(|n| stage.sign_in(BROWSER, at(n), 5)).collect();
        assert!(stage.is_live(&all[0], at(10)));
        stage.sign_in(BROWSER, at(11), 0);
        let live: Vec<_> = all.iter().map(|id| stage.is_live(id, at(12))).collect();
        assert_eq!(live, [true, false, true]);
    }
}
