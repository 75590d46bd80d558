//! The users of a users file, replaced as a whole.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use sha2::{Digest, Sha256};

use super::client_tokens::{Holder, Holders, TokenChange};
use super::link::Link;
use crate::file_identity::Files;
use crate::hex;
use crate::toml_reader::Diagnostic;
use crate::user::gateway_token::{ClientToken, Expiry, TokenDigest};
use crate::user::name::Username;
use crate::user::password::{Cost, PasswordHash, PasswordMark};
use crate::user::secret::ApiToken;
use crate::user::{User, UserId};

/// A user and the hash of the password.
#[derive(Clone)]
pub struct Account {
    /// The user.
    pub user: Arc<User>,
    /// The password's hash.
    pub(super) password: Arc<PasswordHash>,
    /// The same for as long as the password is, however often it is hashed anew.
    secret: Arc<Secret>,
    /// Who the user is at a sign-in provider.
    link: Option<Link>,
    /// The user's gateway tokens.
    tokens: Arc<[ClientToken]>,
    /// The password's hash is in the environment, and the file names the variable.
    pub(super) is_of_the_environment: bool,
}

/// Reads a users file, and those that it names, by a configuration and an environment.
pub trait ReadUsers: Send + Sync {
    /// The users of the file.
    fn read(&self, files: &Files) -> Result<Users, Vec<Diagnostic>>;

    /// The users, if `text` were in the file.
    fn parse(&self, text: &str, files: &Files) -> Result<Users, Vec<Diagnostic>>;

    /// A string of the file with the variables of the environment put in; `None` if that cannot be.
    fn meant(&self, text: &str) -> Option<String>;
}

struct Secret;

impl Account {
    /// The account of `user`.
    pub fn new(user: User, password: PasswordHash) -> Self {
        let (user, password, secret) = (Arc::new(user), Arc::new(password), Arc::new(Secret));
        let (link, tokens) = (None, Arc::new([]));
        Self { user, password, secret, link, tokens, is_of_the_environment: false }
    }

    /// The same, of a user who comes by a sign-in provider too.
    #[must_use]
    pub fn linked(self, link: Option<Link>) -> Self {
        Self { link, ..self }
    }

    /// The same with these gateway tokens.
    #[must_use]
    pub fn with_tokens(self, tokens: Vec<ClientToken>) -> Self {
        Self { tokens: tokens.into(), ..self }
    }

    /// What marks the sessions that are opened with its password.
    pub fn mark(&self) -> PasswordMark {
        self.password.mark()
    }

    /// Whether `other` is the same account, with the same password, at another time.
    pub(super) fn is_still(&self, other: &Self) -> bool {
        self.user.id == other.user.id && Arc::ptr_eq(&self.secret, &other.secret)
    }
}

/// All accounts, by name.
pub struct Users {
    by_name: HashMap<Username, Account>,
    in_small_letters: HashSet<Username>,
    by_id: HashMap<UserId, Arc<User>>,
    by_link: HashMap<Link, Username>,
    tokens: Holders,
    /// Verified for names we do not know, so that both answers take as long.
    decoy: Arc<PasswordHash>,
    digest: OnceLock<String>,
}

/// How a new users file changes a user of the old one.
pub enum UserChange {
    /// Gone, or with the name of somebody else now: whoever signed in as them has to do so again.
    Gone(UserId),
    /// With another password: so has whoever signed in with the one before, whose mark it is, if it is known.
    Password(Account, Option<PasswordMark>),
    /// Changed otherwise.
    Changed(Arc<User>),
}

impl Users {
    /// The directory of `accounts`.
    pub fn new(accounts: Vec<Account>) -> Self {
        let costliest = accounts.iter().max_by_key(|account| account.password.work());
        let decoy = costliest.map(|account| account.password.decoy());
        let decoy = Arc::new(decoy.unwrap_or_else(|| PasswordHash::of_nobody(Cost::RECOMMENDED)));
        let user = |account: &Account| (account.user.id, Arc::clone(&account.user));
        let by_id = accounts.iter().map(user).collect();
        let link = |it: &Account| Some((it.link.clone()?, it.user.name.clone()));
        let by_link = accounts.iter().filter_map(link).collect();
        let tokens = Holders::of(accounts.iter().map(|it| (&it.user, &*it.tokens)));
        let small = |account: &Account| account.user.name.in_small_letters();
        let in_small_letters = accounts.iter().map(small).collect();
        let by_name =
            accounts.into_iter().map(|account| (account.user.name.clone(), account)).collect();
        Self { by_name, in_small_letters, by_id, by_link, tokens, decoy, digest: OnceLock::new() }
    }

    /// Nobody.
    pub fn none() -> Self {
        Self::new(Vec::new())
    }

    /// How many users there are.
    pub fn count(&self) -> usize {
        self.by_name.len()
    }

    /// The users, in the order of their names.
    pub fn sorted(&self) -> Vec<&Arc<User>> {
        let mut users: Vec<_> = self.by_name.values().map(|account| &account.user).collect();
        users.sort_by(|a, b| a.name.cmp(&b.name));
        users
    }

    /// Those who come by a sign-in provider too, in the order of their names, each with what that is called here.
    pub fn linked_to(&self) -> Vec<(&Username, &str)> {
        let mut all: Vec<_> =
            self.by_link.iter().map(|(link, name)| (name, link.provider.as_str())).collect();
        all.sort_unstable();
        all
    }

    /// The user of this id.
    pub(super) fn with_id(&self, id: UserId) -> Option<&Arc<User>> {
        self.by_id.get(&id)
    }

    /// The gateway token of this digest, and whose it is.
    pub fn holder(&self, digest: &TokenDigest) -> Option<&Arc<Holder>> {
        self.tokens.get(digest)
    }

    /// The gateway tokens of `name`, in the order of the file.
    pub fn tokens_of(&self, name: &Username) -> &[ClientToken] {
        self.by_name.get(name).map_or(&[][..], |account| &*account.tokens)
    }

    /// What has become of gateway tokens since `old`.
    pub(super) fn token_changes(&self, old: &Self) -> Vec<TokenChange> {
        self.tokens.changes(&old.tokens)
    }

    /// The account of `name`.
    pub(super) fn account(&self, name: &Username) -> Option<&Account> {
        self.by_name.get(name)
    }

    /// Who the user of this id is at a sign-in provider.
    pub(super) fn link_of(&self, id: UserId) -> Option<&Link> {
        self.account(&self.with_id(id)?.name)?.link.as_ref()
    }

    /// Whether somebody is called `name`, or so in another letter case.
    pub(super) fn has_like(&self, name: &Username) -> bool {
        self.in_small_letters.contains(&name.in_small_letters())
    }

    /// The account of whom a sign-in provider calls so.
    pub(super) fn linked(&self, link: &Link) -> Option<&Account> {
        self.account(self.by_link.get(link)?)
    }

    /// Whether `account` is in here as it is, with that very hash.
    pub(super) fn has(&self, account: &Account) -> bool {
        self.account(&account.user.name)
            .is_some_and(|now| Arc::ptr_eq(&now.password, &account.password))
    }

    /// A hash that no password has, and that takes as long as the most expensive one.
    pub(super) fn decoy(&self) -> &Arc<PasswordHash> {
        &self.decoy
    }

    /// The same users, of whom `name` has a new password.
    pub(super) fn with_password(&self, name: &Username, password: &Arc<PasswordHash>) -> Self {
        self.with(name, |account| {
            account.password = Arc::clone(password);
            account.secret = Arc::new(Secret);
        })
    }

    /// The same users, of whom `name` has the same password, hashed anew.
    pub(super) fn with_hash(&self, name: &Username, password: &Arc<PasswordHash>) -> Self {
        self.with(name, |account| account.password = Arc::clone(password))
    }

    fn with(&self, name: &Username, change: impl FnOnce(&mut Account)) -> Self {
        let mut by_name = self.by_name.clone();
        if let Some(account) = by_name.get_mut(name) {
            change(account);
        }
        Self::new(by_name.into_values().collect())
    }

    /// These users, as what has become of `old`: whoever still has the hash they had, is who they
    /// were. Where nobody is left, a wrong password takes as long as before.
    pub(super) fn after(mut self, old: &Self) -> Self {
        if self.by_name.is_empty() {
            self.decoy = Arc::clone(&old.decoy);
        }
        for (name, account) in &mut self.by_name {
            if let Some(before) = old.by_name.get(name)
                && before.password == account.password
            {
                account.secret = Arc::clone(&before.secret);
            }
        }
        self
    }

    /// What has become of those in `old` for whom these users mean a change.
    pub(super) fn fates(&self, old: &Self) -> Vec<UserChange> {
        let fate = |before: &Account| match self.by_name.get(&before.user.name) {
            // Whoever came by the provider, is nobody here any more.
            Some(account) if account.link != before.link => Some(UserChange::Gone(before.user.id)),
            Some(account) if account.is_still(before) => (account.user != before.user)
                .then(|| UserChange::Changed(Arc::clone(&account.user))),
            Some(account) if account.user.id == before.user.id => {
                Some(UserChange::Password(account.clone(), Some(before.mark())))
            }
            _ => Some(UserChange::Gone(before.user.id)),
        };
        old.by_name.values().filter_map(fate).collect()
    }

    /// What each user is, for sessions that are older than this process.
    pub(super) fn as_changes(&self) -> Vec<UserChange> {
        let changes = self.by_name.values().cloned();
        changes.map(|account| UserChange::Password(account, None)).collect()
    }

    /// A digest of all there is to know about the users: the same at gateways with the same users.
    pub(super) fn digest(&self) -> &str {
        self.digest.get_or_init(|| {
            let mut digest = Sha256::new();
            for user in self.sorted() {
                let User { name, id, status, access, token } = &**user;
                let password = self.by_name[name].password.text();
                for text in [name.as_str(), status.word(), access.word(), &password] {
                    digest.update([text, "\0"].concat());
                }
                digest.update(id.bits().to_be_bytes());
                digest.update(token.as_ref().map_or([0; 32], ApiToken::digest));
                if let Some(Link { provider, subject }) = &self.by_name[name].link {
                    digest.update([provider, ":", subject, "\0"].concat());
                }
                for token in &*self.by_name[name].tokens {
                    digest.update(token.digest.bytes());
                    digest.update(token.expires.map_or(0, Expiry::seconds).to_be_bytes());
                }
            }
            hex::encode(&digest.finalize()[..16])
        })
    }

    /// How many are in here who were not in `old`.
    pub(super) fn added(&self, old: &Self) -> usize {
        self.by_name.keys().filter(|name| !old.by_name.contains_key(*name)).count()
    }
}
