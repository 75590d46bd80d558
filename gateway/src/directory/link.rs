//! Who a user of the users file is at a sign-in provider.

use std::str::FromStr;

use crate::user::UserId;

/// A user of a sign-in provider who is a user of the file too.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Link {
    /// What the provider is called here.
    pub(super) provider: String,
    /// What it calls the user.
    pub(super) subject: String,
}

impl Link {
    /// The user whom this provider calls so.
    pub fn new(provider: &str, subject: &str) -> Self {
        Self { provider: provider.to_owned(), subject: subject.to_owned() }
    }

    /// The id of a user of whom the file says no other. It follows from what stands in the file alone, so it is the same
    /// for every reader of it.
    pub(super) fn id(&self) -> UserId {
        UserId::of_subject(&self.provider, &self.subject)
    }

    /// What `provider` calls the user, if it is the one.
    pub(super) fn is_of(&self, provider: &str) -> Option<&str> {
        (self.provider == provider).then_some(&self.subject)
    }
}

/// Written `provider:subject`.
impl FromStr for Link {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some((provider, subject)) if !provider.is_empty() && !subject.is_empty() => {
                Ok(Self::new(provider, subject))
            }
            _ => Err("expected the id of an [[oidc]], a colon and the `sub` by which that knows the user; write for \
                      example \"keycloak:0d5f4c3a-8a1b-4b6f-9d57-6f1f7c1e8a21\""
                .to_owned()),
        }
    }
}
