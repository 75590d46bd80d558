//! Who of the users of identity providers is let in, by whatever they come: whose a name is, and what is granted.

use std::sync::Arc;

use moka::sync::Cache;

use crate::jwt::claims::Groups;
use crate::jwt::grants::{Grant, Grants};
use crate::user::name::{TokenPrefix, Username};

/// Lets users of identity providers in.
pub struct Admission {
    grants: Grants,
    /// What the names of API tokens' owners begin with, which no other name may.
    prefix: Option<TokenPrefix>,
    /// Which issuer a name is of, where there are several: a name is nobody else's as long as the process lives.
    owners: Option<Cache<Username, Arc<str>>>,
}

/// Why somebody is not let in whom the provider knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// The name is somebody else's here.
    NameTaken,
    /// There is no grant.
    NoGrant,
}

/// How many names are remembered.
const MOST_NAMES: u64 = 100_000;

impl Admission {
    /// Users may do what is in `grants`; there are `several` issuers.
    pub fn new(grants: Grants, prefix: Option<TokenPrefix>, several: bool) -> Self {
        Self { grants, prefix, owners: several.then(|| Cache::new(MOST_NAMES)) }
    }

    /// What the user `name` of `issuer` may do, who is in these `groups`. `is_taken` says whether a user of the users file
    /// has a name.
    pub fn admit(
        &self,
        issuer: &str,
        name: &Username,
        groups: &Groups,
        is_taken: impl Fn(&Username) -> bool,
    ) -> Result<Arc<Grant>, Denied> {
        let is_like_owners = self.prefix.as_ref().is_some_and(|prefix| prefix.could_begin(name));
        let is_anothers = || {
            let owner =
                self.owners.as_ref().map(|all| all.get_with(name.clone(), || issuer.into()));
            owner.is_some_and(|owner| *owner != *issuer)
        };
        if is_like_owners || is_taken(name) || is_anothers() {
            return Err(Denied::NameTaken);
        }
        let Some(grant) = self.grants.find(issuer, name, groups) else {
            if let Groups::Unread(why) = groups {
                log::info!("the groups of {name}, of {issuer}, cannot be read: {why}");
            }
            return Err(Denied::NoGrant);
        };
        Ok(Arc::clone(grant))
    }

    /// The grant of somebody who was let in before.
    pub fn grant(&self, issuer: &str, name: &Username, groups: &Groups) -> Option<&Arc<Grant>> {
        self.grants.find(issuer, name, groups)
    }

    /// Those of `groups` that a grant for users of `issuer` names: nothing hangs on the others.
    pub fn relevant(&self, issuer: &str, groups: &Groups) -> Vec<String> {
        self.grants.groups(issuer).filter(|group| groups.has(group)).map(str::to_owned).collect()
    }
}
