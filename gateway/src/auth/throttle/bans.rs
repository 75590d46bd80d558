//! Who has to wait, by what was typed and where it came from, for people to read and to lift.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;

use super::{Ban, Guess, Scope, ThrottleRules};
use crate::clock::Moment;
use crate::request_meta::ClientKey;
use crate::session::redis::throttle::Digest;
use crate::user::login_name::LoginName;

/// The bans that have begun at this gateway. What counts are the throttle's own tables, which do not know names.
pub struct Bans {
    rules: ArcSwap<ThrottleRules>,
    entries: Mutex<Vec<Banned>>,
}

/// So many are remembered; of more, those that end first are forgotten here, and wait nevertheless.
const MOST: usize = 4096;

/// A ban, as people see it.
#[derive(Clone)]
pub struct Banned {
    /// What it is called: 16 hex digits that say nothing.
    pub id: String,
    /// Who has to wait.
    pub scope: Scope,
    /// With which name; `None`: with any.
    pub user: Option<LoginName>,
    /// The client; `None`: every one that has not signed in with the name before.
    pub client: Option<ClientKey>,
    /// Until when.
    pub until: Moment,
    /// How many failures there were, as far as this gateway has seen.
    pub failures: usize,
    /// What the throttle counts it by.
    pub guess: Guess,
}

impl Banned {
    fn digest(&self) -> &Digest {
        self.guess.counted(self.scope)
    }
}

impl Bans {
    /// None yet.
    pub fn new(rules: ThrottleRules) -> Self {
        Self { rules: ArcSwap::from_pointee(rules), entries: Mutex::default() }
    }

    /// Counts by these `rules` from now on.
    pub fn set_rules(&self, rules: ThrottleRules) {
        self.rules.store(Arc::new(rules));
    }

    /// Notes that `client` has failed with `user`, and that `ban` begins with it.
    pub fn note(&self, ban: &Ban, user: &LoginName, client: ClientKey, now: Moment) {
        self.insert(ban, user, (client, Guess::new(client, &user.into())), now);
    }

    /// The same with a gateway token.
    pub fn note_token(&self, ban: &Ban, client: ClientKey, now: Moment) {
        let user = LoginName::of(b"a gateway token");
        self.insert(ban, &user, (client, Guess::with_token(client)), now);
    }

    fn insert(&self, ban: &Ban, user: &LoginName, of: (ClientKey, Guess), now: Moment) {
        let (rules, (client, guess)) = (self.rules.load(), of);
        let allowed = match ban.scope {
            Scope::Pair => rules.pair,
            Scope::Client => rules.client,
            Scope::User => rules.user,
        };
        let random = getrandom::u64().unwrap_or_default();
        let mut fresh = Banned {
            id: format!("{random:016x}"),
            scope: ban.scope,
            user: (ban.scope != Scope::Client).then(|| user.clone()),
            client: (ban.scope != Scope::User).then_some(client),
            until: now.after(ban.time),
            failures: allowed,
            guess,
        };
        let mut entries = self.lock();
        // As long as the throttle counts them.
        entries.retain(|entry| entry.until.after(rules.window) > now);
        let is_same =
            |entry: &Banned| entry.scope == fresh.scope && entry.digest() == fresh.digest();
        if let Some(place) = entries.iter().position(is_same) {
            let before = entries.swap_remove(place);
            fresh.failures = before.failures.saturating_add(1);
            fresh.id = before.id;
        } else if entries.len() >= MOST
            && let Some((place, _)) =
                entries.iter().enumerate().min_by_key(|(_, entry)| entry.until)
        {
            entries.swap_remove(place);
        }
        entries.push(fresh);
    }

    /// Those who have to wait at `now`, the longest wait first.
    pub fn list(&self, now: Moment) -> Vec<Banned> {
        let waiting = |entry: &&Banned| entry.until > now;
        let mut found: Vec<_> = self.lock().iter().filter(waiting).cloned().collect();
        found.sort_by_key(|entry| std::cmp::Reverse(entry.until));
        found
    }

    /// Forgets the ban that is called so.
    pub fn forget(&self, id: &str) {
        self.lock().retain(|entry| entry.id != id);
    }

    /// What is done under the lock does not panic.
    fn lock(&self) -> MutexGuard<'_, Vec<Banned>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::auth::throttle::tests::{RULES, at};

    #[test]
    fn a_ban_has_one_id_and_counts_while_it_is_prolonged() {
        let bans = Bans::new(RULES);
        let client = ClientKey::of("192.0.2.1".parse().ok());
        let ban = |scope, seconds| Ban { scope, time: Duration::from_secs(seconds) };
        let ada = LoginName::of(b"ada");
        bans.note(&ban(Scope::Pair, 60), &ada, client, at(0));
        let first = bans.list(at(1));
        bans.note(&ban(Scope::Pair, 120), &ada, client, at(61));
        bans.note(&ban(Scope::Client, 30), &LoginName::of(b"bob"), client, at(61));
        let [pair, of_client] = &bans.list(at(62))[..] else { panic!() };
        assert_eq!((&pair.id, pair.failures), (&first[0].id, RULES.pair + 1));
        assert!(of_client.user.is_none() && of_client.client == Some(client));
        assert_eq!(bans.list(at(91)).len(), 1);
        bans.forget(&pair.id);
        assert!(bans.list(at(62)).iter().all(|entry| entry.scope == Scope::Client));
        for number in 0..MOST + 10 {
            let name = LoginName::of(number.to_string().as_bytes());
            bans.note(&ban(Scope::User, 30), &name, client, at(100));
        }
        assert_eq!(bans.list(at(101)).len(), MOST);
    }
}
