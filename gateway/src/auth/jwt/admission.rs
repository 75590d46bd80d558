//! Who of the users of identity providers is let in, by whatever they come: whose a name is, and what is granted.

use std::sync::Arc;
use std::time::Duration;

use super::names::Names;
use crate::clock::Moment;
use crate::jwt::claims::Groups;
use crate::jwt::grants::{Grant, Grants};
use crate::user::name::{TokenPrefix, Username};

/// Lets users of identity providers in.
pub struct Admission {
    grants: Grants,
    /// What the names of API tokens' owners begin with, which no other name may.
    prefix: Option<TokenPrefix>,
    /// Whose names are, where there are several issuers.
    names: Option<Names>,
}

/// Why somebody is not let in whom the provider knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// The name is somebody else's here.
    NameTaken,
    /// There is no grant.
    NoGrant,
}

impl Admission {
    /// Users may do what is in `grants`; there are `several` issuers.
    pub fn new(grants: Grants, prefix: Option<TokenPrefix>, several: bool) -> Self {
        Self { grants, prefix, names: several.then(Names::new) }
    }

    /// What the user `name` of `issuer` may do, who is in these `groups`. `is_taken` says whether a user of the users file
    /// has a name. Whoever is let in has to [hold](Self::hold) the name.
    pub fn admit(
        &self,
        issuer: &str,
        name: &Username,
        groups: &Groups,
        is_taken: impl Fn(&Username) -> bool,
    ) -> Result<Arc<Grant>, Denied> {
        let is_like_owners = self.prefix.as_ref().is_some_and(|prefix| prefix.could_begin(name));
        if is_like_owners || is_taken(name) {
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

    /// The name of somebody to whom something is granted is no other issuer's for so `long`, at least.
    pub fn hold(&self, issuer: &str, name: &Username, long: Duration) -> Result<(), Denied> {
        let Some(names) = &self.names else { return Ok(()) };
        if names.hold(name, issuer, long, Moment::now()) { Ok(()) } else { Err(Denied::NameTaken) }
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
