//! One history: what happens, in which order, and what a model says has to come of it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::{CAPACITY, LIFETIME, NAMES, Stage, id_of, name_of};
use crate::audit::Audit;
use crate::auth::SignInError;
use crate::auth::signin::{confirm, open};
use crate::clock::Moment;
use crate::directory::file::Verified;
use crate::directory::users::UserChange;
use crate::file_identity::Files;
use crate::request_meta::Client;
use crate::seeds::Random;
use crate::session::store::wait;
use crate::session::token::{SessionId, SessionToken};
use crate::session::{EndReason, Session};
use crate::user::{Status, UserId};

/// How much happens in one.
const STEPS: usize = 150;

/// What the model knows of a session.
struct Known {
    token: SessionToken,
    id: SessionId,
    name: usize,
    /// Which of the user's passwords it was opened with.
    password: usize,
    started: Moment,
    used: Moment,
    uses: usize,
    ended: Option<EndReason>,
}

impl Known {
    fn is_live(&self, now: Moment) -> bool {
        self.ended.is_none()
            && now.since(self.used) < LIFETIME.idle
            && LIFETIME.absolute.is_none_or(|absolute| now.since(self.started) < absolute)
    }
}

/// Something that takes several steps, between which anything else may happen.
enum Work {
    /// The password has been looked at: of whom, which one.
    SignIn(usize, usize, Verified),
    /// The session is open, and not confirmed yet.
    Confirm(usize, Verified, Arc<Session>),
    /// The new users are in, and not all their changes carried out yet.
    Reload(Vec<UserChange>),
}

/// A history: the real thing and the model beside it.
pub(super) struct History {
    seed: u64,
    random: Random,
    stage: Stage,
    now: Moment,
    known: Vec<Known>,
    works: Vec<Work>,
    /// How often each user has had another password, or has come or gone.
    passwords: [usize; 3],
    told: HashMap<SessionId, EndReason>,
}

impl History {
    pub(super) fn new(seed: u64, audit: &Audit) -> Self {
        let stage = Stage::new(audit);
        let (now, known, works) = (Moment::START, Vec::new(), Vec::new());
        let (passwords, told) = ([0; 3], HashMap::new());
        let random = Random::of(seed);
        Self { seed, random, stage, now, known, works, passwords, told }
    }

    pub(super) fn run(mut self) {
        for _ in 0..STEPS {
            match self.random.index(12) {
                0..3 => self.begin_sign_in(),
                3..7 => self.request(),
                7 => self.sign_out(),
                8 => self.begin_reload(),
                9 => self.pass_time(),
                _ => self.go_on(),
            }
            self.check_ends();
        }
        while !self.works.is_empty() {
            self.go_on();
            self.check_ends();
        }
        self.check_users();
    }

    fn pass_time(&mut self) {
        let seconds = [1, 59, 299, 599, 601, 3600][self.random.index(6)];
        self.now = self.now.after(Duration::from_secs(seconds));
        if self.random.index(2) == 0 {
            self.stage.auth.sessions.sweep(self.now);
            self.forget_expired();
        }
    }

    fn begin_sign_in(&mut self) {
        let name = self.random.index(NAMES.len());
        if let Some(verified) = self.stage.file.verified(&name_of(name)) {
            self.works.push(Work::SignIn(name, self.passwords[name], verified));
        }
    }

    fn request(&mut self) {
        if self.known.is_empty() {
            return;
        }
        let (index, now) = (self.random.index(self.known.len()), self.now);
        let session = wait(self.stage.auth.authenticate(&self.known[index].token, now)).unwrap();
        let known = &mut self.known[index];
        assert_eq!(session.is_some(), known.is_live(now), "seed {}", self.seed);
        match session {
            Some(session) => {
                assert_eq!(session.user_id(), id_of(known.name), "seed {}", self.seed);
                known.used = now;
                known.uses += 1;
            }
            None if known.ended.is_none() => known.ended = Some(EndReason::Expired),
            None => {}
        }
    }

    fn sign_out(&mut self) {
        if self.known.is_empty() {
            return;
        }
        let (index, now) = (self.random.index(self.known.len()), self.now);
        let known = &mut self.known[index];
        let end = self.stage.auth.sessions.end(&known.id, EndReason::SignedOut, now);
        let closed = wait(end).unwrap();
        assert_eq!(closed.is_some(), known.is_live(now), "seed {}", self.seed);
        let why = if known.is_live(now) { EndReason::SignedOut } else { EndReason::Expired };
        known.ended.get_or_insert(why);
    }

    fn begin_reload(&mut self) {
        if self.works.iter().any(|work| matches!(work, Work::Reload(_))) {
            return;
        }
        let mut text = *self.stage.text.lock().unwrap();
        let before = text;
        let name = self.random.index(NAMES.len());
        text[name] = match self.random.index(4) {
            0 => None,
            1 => Some((0, Status::Inactive)),
            other => Some((other - 2, Status::Active)),
        };
        *self.stage.text.lock().unwrap() = text;
        let reloaded = self.stage.file.reload(&Files::default()).unwrap().ok().unwrap();
        self.works.push(Work::Reload(reloaded.fates));
        for (name, (before, after)) in before.iter().zip(&text).enumerate() {
            let password = |entry: &Option<(usize, Status)>| entry.map(|(password, _)| password);
            self.passwords[name] += usize::from(password(before) != password(after));
        }
    }

    /// One more step of something that is under way.
    fn go_on(&mut self) {
        if self.works.is_empty() {
            return;
        }
        let index = self.random.index(self.works.len());
        match self.works.swap_remove(index) {
            Work::SignIn(name, password, verified) => self.open(name, password, verified),
            Work::Confirm(known, verified, session) => {
                let was_live = self.known[known].ended.is_none();
                let confirm =
                    confirm(&self.stage.auth, &self.stage.file, &verified.account, &session);
                let stands = wait(confirm).unwrap();
                if !stands && was_live {
                    self.known[known].ended = Some(EndReason::Revoked);
                }
            }
            Work::Reload(mut fates) => {
                match fates.pop() {
                    Some(UserChange::Gone(user)) => self.revoke(user),
                    Some(UserChange::Password(account, _)) => self.revoke(account.user.id()),
                    Some(UserChange::Changed(user)) => {
                        wait(self.stage.auth.sessions.replace_user(&user)).unwrap();
                    }
                    None => {}
                }
                if !fates.is_empty() {
                    self.works.push(Work::Reload(fates));
                }
            }
        }
    }

    fn revoke(&mut self, user: UserId) {
        wait(self.stage.auth.sessions.revoke_user(user, None)).unwrap();
        for known in self.known.iter_mut().filter(|known| id_of(known.name) == user) {
            known.ended.get_or_insert(EndReason::Revoked);
        }
    }

    fn open(&mut self, name: usize, password: usize, verified: Verified) {
        let now = self.now;
        if self.counted_beside(name) >= CAPACITY.total {
            // Room is made before anybody is refused.
            self.forget_expired();
        }
        let is_full = self.counted_beside(name) >= CAPACITY.total;
        let evicted = self.live_of(name) >= CAPACITY.per_user;
        let mine = |known: &&mut Known| known.name == name && known.ended.is_none();
        let user = Arc::clone(&verified.account.user);
        match wait(open(&self.stage.auth, user, None, None, Client::default(), now)) {
            Err(error) => {
                assert!(matches!(error, SignInError::Full), "seed {}", self.seed);
                assert!(is_full, "seed {}", self.seed);
            }
            Ok((token, session)) => {
                assert!(!is_full, "seed {}", self.seed);
                let id = token.id();
                let is_new = self.known.iter().all(|known| known.id != id);
                assert!(is_new && *session.id() == id, "seed {}", self.seed);
                for known in self.known.iter_mut().filter(mine).filter(|known| !known.is_live(now))
                {
                    known.ended = Some(EndReason::Expired);
                }
                if evicted {
                    // What was used once or twice goes before what is in steady use.
                    let rank = |known: &&mut Known| (known.uses > 2, known.used);
                    let first = self.known.iter_mut().filter(mine).min_by_key(rank);
                    first.unwrap().ended = Some(EndReason::Evicted);
                }
                let (at, ended) = (now, None);
                let new =
                    Known { token, id, name, password, started: at, used: at, uses: 0, ended };
                self.known.push(new);
                self.works.push(Work::Confirm(self.known.len() - 1, verified, session));
            }
        }
    }

    /// How many sessions are counted when somebody opens one, besides those of theirs that go for it.
    fn counted_beside(&self, name: usize) -> usize {
        let counted = self.known.iter().filter(|known| known.ended.is_none());
        let gone = |known: &&Known| known.name == name && !known.is_live(self.now);
        let evicted = usize::from(self.live_of(name) >= CAPACITY.per_user);
        counted.clone().count() - counted.filter(gone).count() - evicted
    }

    fn live_of(&self, name: usize) -> usize {
        let mine = self.known.iter().filter(|known| known.name == name);
        mine.filter(|known| known.is_live(self.now)).count()
    }

    /// What tidying does: every session that does not hold any more has ended.
    fn forget_expired(&mut self) {
        let now = self.now;
        for known in self.known.iter_mut().filter(|known| !known.is_live(now)) {
            known.ended.get_or_insert(EndReason::Expired);
        }
    }

    /// Whatever ended has been told once, and why; nothing else has ended.
    fn check_ends(&mut self) {
        for (id, why) in self.stage.ends.0.lock().unwrap().drain(..) {
            // A session that was refused for want of room has never been handed out.
            if why != EndReason::Refused {
                let known = self.known.iter().find(|known| known.id == id).unwrap();
                assert_eq!(known.ended, Some(why), "seed {}: {}", self.seed, NAMES[known.name]);
                assert!(self.told.insert(id, why).is_none(), "seed {}: told twice", self.seed);
            }
        }
        let ended = self.known.iter().filter(|known| known.ended.is_some()).count();
        assert_eq!(self.told.len(), ended, "seed {}", self.seed);
    }

    /// When nothing is under way, every live session is that of somebody in the file, as they are
    /// there.
    fn check_users(&self) {
        let text = *self.stage.text.lock().unwrap();
        for known in self.known.iter().filter(|known| known.is_live(self.now)) {
            let session =
                wait(self.stage.auth.authenticate(&known.token, self.now)).unwrap().unwrap();
            let status = text[known.name].map(|(_, status)| status);
            assert_eq!(Some(session.user().status), status, "seed {}", self.seed);
            assert_eq!(known.password, self.passwords[known.name], "seed {}", self.seed);
        }
    }
}
