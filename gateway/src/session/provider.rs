//! What a session keeps of the sign-in provider that its user came by.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use arc_swap::ArcSwapOption;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::lock;
use super::origin::Named;
use crate::clock::Moment;
use crate::user::User;
use crate::user::access::Access;
use crate::user::name::Username;
use crate::user::secret::Shared;

/// What a session keeps of its provider.
pub struct ProviderHalf {
    /// What the provider is called here.
    provider: Arc<str>,
    /// The token that goes upstream by the user's grant; `None`: that for everybody.
    granted: ArcSwapOption<Shared>,
    kept: Mutex<Kept>,
    /// When the provider last said that the user is still signed in.
    refreshed: AtomicU64,
    /// Since when it could not be asked: one more than the milliseconds of the [`Moment`]; 0: it could.
    silent: AtomicU64,
    /// Whoever asks it has this: a refresh token is used once.
    pub turn: tokio::sync::Mutex<()>,
}

/// What changes when the provider is asked. The tokens are wiped when dropped, and cannot be printed.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Kept {
    /// The groups of the user that grants are for.
    pub groups: Vec<String>,
    /// By what the provider is asked again, if it has given something for that.
    pub refresh: Option<Zeroizing<String>>,
    /// What the provider has to be shown when the user signs out of it.
    pub id_token: Option<Zeroizing<String>>,
    /// What the provider calls the user.
    pub subject: Option<Named>,
    /// Whether the user is one of the users file, which says what they may do.
    pub is_linked: bool,
}

/// What a provider has confirmed.
#[derive(Clone)]
pub struct Confirmed {
    /// The user, with what they may do now.
    pub user: Arc<User>,
    /// What goes upstream for them by their grant.
    pub token: Option<Arc<Shared>>,
    /// What is kept.
    pub kept: Kept,
    /// By which right it was asked.
    pub lease: Lease,
}

/// By this a store knows who of many gateways has the right to ask a provider about a session: each who asks has another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease(u64);

impl Lease {
    /// One that nobody has had.
    pub fn fresh() -> Self {
        Self(getrandom::u64().expect("the operating system provides randomness"))
    }

    /// In hex digits.
    pub fn hex(self) -> String {
        format!("{:016x}", self.0)
    }
}

/// The right to ask a provider about a session.
pub enum Right {
    /// Whoever wanted it has it, and this is what is kept.
    Mine(Kept),
    /// Another gateway has it, or has just asked.
    Others,
    /// There is no such session any more.
    Over,
}

/// What a user of a provider may do now.
pub struct Granted {
    /// What they may have forwarded.
    pub access: Access,
    /// What goes upstream for them; `None`: what goes for everybody.
    pub token: Option<Arc<Shared>>,
}

/// Knows what users of sign-in providers may do now.
pub trait Granting: Send + Sync {
    /// What the user `name` may do, of the provider that is called `provider` here and in these groups; `None`: nothing.
    fn granted(&self, provider: &str, name: &Username, groups: &[String]) -> Option<Granted>;
}

impl ProviderHalf {
    /// The half of a session that `provider` has just confirmed.
    pub fn new(provider: Arc<str>, granted: Option<Arc<Shared>>, kept: Kept, now: Moment) -> Self {
        Self {
            provider,
            granted: ArcSwapOption::new(granted),
            kept: Mutex::new(kept),
            refreshed: AtomicU64::new(now.millis()),
            silent: AtomicU64::new(0),
            turn: tokio::sync::Mutex::new(()),
        }
    }

    /// What the provider is called here.
    pub fn provider(&self) -> &Arc<str> {
        &self.provider
    }

    /// The token that goes upstream by the user's grant.
    pub fn granted(&self) -> Option<Arc<Shared>> {
        self.granted.load_full()
    }

    /// What is kept.
    pub fn kept(&self) -> Kept {
        lock(&self.kept).clone()
    }

    /// When the provider last said that the user is still signed in.
    pub fn refreshed(&self) -> Moment {
        Moment::from_millis(self.refreshed.load(Ordering::Acquire))
    }

    /// The provider has said at `now` that the user is still signed in, and this.
    pub fn confirm(&self, granted: Option<Arc<Shared>>, kept: Kept, now: Moment) {
        self.granted.store(granted);
        *lock(&self.kept) = kept;
        self.silent.store(0, Ordering::Release);
        self.refreshed.store(now.millis(), Ordering::Release);
    }

    /// The provider could not be asked at `now`; returns since when that is so.
    pub fn fall_silent(&self, now: Moment) -> Moment {
        let word = now.millis().saturating_add(1);
        let before = self.silent.compare_exchange(0, word, Ordering::AcqRel, Ordering::Acquire);
        Moment::from_millis(before.map_or_else(|before| before - 1, |_| now.millis()))
    }
}
