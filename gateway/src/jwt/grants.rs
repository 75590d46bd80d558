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

    /// Those that have no token of their own.
    pub fn tokenless(&self) -> Vec<&Arc<Grant>> {
        self.0.iter().filter(|grant| grant.token.is_none()).collect()
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

    /// The groups that grants for users of `issuer` are for; some of them twice, perhaps.
    pub fn groups(&self, issuer: &str) -> impl Iterator<Item = &str> {
        let of_issuer = move |it: &&Arc<Grant>| it.issuer.as_deref().is_none_or(|it| it == issuer);
        self.0.iter().filter(of_issuer).filter_map(|grant| match &grant.who {
            Who::Group(group) => Some(&**group),
            Who::Everybody | Who::User(_) => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISSUER: &str = "https://idp.test";

    #[test]
    fn the_first_grant_that_is_for_somebody_is_theirs() {
        let grant = |issuer: Option<&str>, who, line| Grant {
            issuer: issuer.map(str::to_owned),
            who,
            access: Access::Read,
            token: None,
            line,
        };
        let grants = Grants::new(vec![
            grant(Some("https://other.test"), Who::Everybody, 1),
            grant(Some(ISSUER), Who::Group("w".to_owned()), 2),
            grant(None, Who::User("ada".parse().unwrap()), 3),
            grant(None, Who::Group("r".to_owned()), 4),
        ]);
        let of = |issuer: &str, name: &str, groups: &[&str]| {
            let groups = Groups::Of(groups.iter().map(|it| (*it).to_owned()).collect());
            grants.find(issuer, &name.parse().unwrap(), &groups).map(|grant| grant.line)
        };
        assert_eq!(of(ISSUER, "ada", &["r", "w"]), Some(2));
        assert_eq!(of(ISSUER, "ada", &["r"]), Some(3));
        assert_eq!(of(ISSUER, "bob", &["r"]), Some(4));
        assert_eq!(of(ISSUER, "Ada", &["W"]), None);
        assert_eq!(of("https://other.test", "bob", &[]), Some(1));
        let unread = Groups::Unread("");
        assert!(grants.find(ISSUER, &"bob".parse().unwrap(), &unread).is_none());
    }
}
