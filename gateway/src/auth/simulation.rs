//! Random histories of sessions on a simulated clock, compared with a model.
//!
//! Each seed is a history of its own, the same each time it is run. `SIMULATION_SEED=7 cargo test
//! simulation` runs one of them.

mod history;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

use history::History;

use super::Auth;
use super::reload::users_file;
use super::signin::{confirm, open};
use super::throttle::tests::RULES;
use super::tokens::Tokens;
use crate::audit::Audit;
use crate::clock::Moment;
use crate::directory::Directory;
use crate::directory::file::{FileDirectory, Kept};
use crate::directory::hash_pool::tests::{CHEAP, room};
use crate::directory::users::{Account, ReadUsers, Users};
use crate::file_identity::Files;
use crate::request_meta::Client;
use crate::seeds::seeds;
use crate::session::memory::{Capacity, MemoryStore};
use crate::session::store::{EndListener, Ended, SessionStore, wait};
use crate::session::token::SessionId;
use crate::session::{EndReason, Lifetime};
use crate::toml_reader::Diagnostic;
use crate::user::access::Access;
use crate::user::name::Username;
use crate::user::password::{Memory, Password, PasswordHash};
use crate::user::{Status, User, UserId};

const SEEDS: u64 = 2000;
const NAMES: [&str; 3] = ["ada", "bob", "eve"];
const CAPACITY: Capacity = Capacity { total: 7, per_user: 3 };
const LIFETIME: Lifetime =
    Lifetime { idle: Duration::from_secs(600), absolute: Some(Duration::from_secs(3600)) };

/// Hashes of two passwords: which one somebody has is all that matters here.
static HASHES: LazyLock<[String; 2]> = LazyLock::new(|| {
    let hash = |password: &[u8]| {
        PasswordHash::create(&Password::new(password.to_vec()), CHEAP, &mut Memory::new(CHEAP))
    };
    [hash(b"one"), hash(b"other")].map(|hash| hash.text().to_string())
});

/// What the users file says of each name: nothing, or the password's number and a status.
type File = [Option<(usize, Status)>; 3];

fn id_of(name: usize) -> UserId {
    format!("{:016x}", name + 1).parse().unwrap()
}

fn name_of(name: usize) -> Username {
    NAMES[name].parse().unwrap()
}

fn users(file: &File) -> Users {
    let account = |(name, entry): (usize, &Option<(usize, Status)>)| {
        let (password, status) = (*entry)?;
        let user = User {
            name: name_of(name),
            id: id_of(name),
            status,
            access: Access::Full,
            token: None,
        };
        Some(Account::new(user, PasswordHash::parse(&HASHES[password]).unwrap()))
    };
    Users::new(file.iter().enumerate().filter_map(account).collect())
}

/// Reads the file.
struct Text(Arc<Mutex<File>>);

impl ReadUsers for Text {
    fn read(&self, _: &Files) -> Result<Users, Vec<Diagnostic>> {
        Ok(users(&self.0.lock().unwrap()))
    }

    fn parse(&self, _: &str, files: &Files) -> Result<Users, Vec<Diagnostic>> {
        self.read(files)
    }

    fn meant(&self, text: &str) -> Option<String> {
        Some(text.to_owned())
    }
}

/// A file of users that can be changed, and everything that serves them.
struct Stage {
    auth: Arc<Auth>,
    file: Arc<FileDirectory>,
    text: Arc<Mutex<File>>,
    ends: Arc<Ends>,
}

/// Which sessions have ended, and why.
#[derive(Default)]
struct Ends(Mutex<Vec<(SessionId, EndReason)>>);

impl EndListener for Ends {
    fn ended(&self, ended: &Ended) {
        self.0.lock().unwrap().push((*ended.session.id(), ended.reason));
    }
}

impl Stage {
    fn new(audit: &Audit) -> Self {
        let text = Arc::new(Mutex::new([Some((0, Status::Active)); 3]));
        let (read, ends) = (Arc::clone(&text), Arc::new(Ends::default()));
        let kept = Kept::new(PathBuf::new(), Box::new(Text(read)));
        let first = users(&text.lock().unwrap());
        let file = Arc::new(FileDirectory::new(first, Some(kept), room()));
        let told = [Arc::clone(&ends) as Arc<dyn EndListener>];
        let store = SessionStore::Memory(MemoryStore::new(LIFETIME, CAPACITY, told));
        let directory = Directory::File(Arc::clone(&file));
        let auth = Auth::new(directory, Arc::new(store), Tokens::Pass, None, RULES, audit.clone());
        Self { auth: Arc::new(auth), file, text, ends }
    }
}

#[test]
fn s_14_s_16_s_17_s_19_histories_in_random_order_end_as_the_model_says() {
    let audit = Audit::to_log();
    for seed in seeds(0..SEEDS) {
        History::new(seed, &audit).run();
    }
}

#[test]
fn sign_ins_that_race_with_a_changing_file_leave_no_session_of_yesterday() {
    let stage = Stage::new(&Audit::to_log());
    let watched = users_file(&stage.auth).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for name in 0..NAMES.len() {
            let (stage, done) = (&stage, &done);
            scope.spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    let Some(verified) = stage.file.verified(&name_of(name)) else { continue };
                    let user = Arc::clone(&verified.account.user);
                    if let Ok((_, session)) =
                        wait(open(&stage.auth, user, None, None, Client::default(), Moment::now()))
                    {
                        let confirm =
                            confirm(&stage.auth, &stage.file, &verified.account, &session);
                        wait(confirm).unwrap();
                    }
                }
            });
        }
        for round in 0..2000 {
            let status = if round % 2 == 0 { Status::Active } else { Status::Inactive };
            let entry = |name| (round % 5 != name).then_some((round / 3 % 2, status));
            *stage.text.lock().unwrap() = [entry(0), entry(1), entry(2)];
            watched.read_now(Instant::now());
        }
        done.store(true, Ordering::Relaxed);
    });
    let text = *stage.text.lock().unwrap();
    for (name, entry) in text.iter().enumerate() {
        for session in stage.auth.sessions.of(id_of(name)) {
            assert_eq!(Some(session.user().status), entry.map(|(_, status)| status));
        }
    }
}
