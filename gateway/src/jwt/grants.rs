//! What users of identity providers may do: the `[[grant]]` tables of the configuration.

use std::sync::Arc;

use super::claims::Groups;
use crate::user::access::Access;
use crate::user::name::Username;
use crate::user::secret::Shared;

/// One of the tables.
pub struct Grant {
    /// Whose users it is for; `None`: those of any issuer.
    pub issuer: Option<String>,
    /// Which of them.
    pub who: Who,
    /// What they may have forwarded.
    pub access: Access,
    /// What goes upstream for them; `None`: what goes for everybody.
    pub token: Option<Arc<Shared>>,
    /// The line of the configuration on which it begins.
    pub line: usize,
}

/// Whom a grant is for.
#[derive(Debug, PartialEq, Eq)]
pub enum Who {
    /// Everybody.
    Everybody,
    /// The user of this name.
    User(Username),
    /// Whoever is in this group.
    Group(String),
}

/// All of them, in the order of the configuration.
#[derive(Clone, Default)]
pub struct Grants(Vec<Arc<Grant>>);

impl Grants {
    /// These.
    pub fn new(grants: Vec<Grant>) -> Self {
        Self(grants.into_iter().map(Arc::new).collect())
    }

    /// The first that is for the user `name` of `issuer`, who is in these `groups`.
    pub fn find(&self, issuer: &str, name: &Username, groups: &Groups) -> Option<&Arc<Grant>> {
        self.0.iter().find(|grant| {
            let is_of_issuer = grant.issuer.as_deref().is_none_or(|it| it == issuer);
            is_of_issuer
                && match &grant.who {
                    Who::Everybody => true,
                    Who::User(user) => user == name,
                    Who::Group(group) => groups.has(group),
                }
        })
    }
}
