//! Who the users are whose sessions are kept elsewhere: those of this gateway's users file.

use std::collections::HashMap;
use std::sync::Arc;

use crate::config::{Config, OidcProvider};
use crate::directory::file::FileDirectory;
use crate::session::origin::Named;
use crate::session::redis::Users;
use crate::user::name::Username;
use crate::user::{User, UserId};

/// The users of the file. What may be sent upstream for them, comes from there and nowhere else.
pub(super) struct UsersHere {
    file: Arc<FileDirectory>,
    /// The issuers of sign-in providers, by what those are called here.
    issuers: HashMap<String, String>,
}

impl UsersHere {
    /// The users of `file`, who come by passwords and by the providers of `config`.
    pub(super) fn of(file: Arc<FileDirectory>, config: &Config) -> Self {
        let issuer = |it: &OidcProvider| (it.id.clone(), it.rules.issuer.clone());
        Self { file, issuers: config.providers.oidc.iter().map(issuer).collect() }
    }
}

impl Users for UsersHere {
    fn user(&self, id: UserId) -> Option<Arc<User>> {
        self.file.user(id)
    }

    fn came_by(&self, id: UserId, provider: &str, subject: &str) -> bool {
        self.issuers.get(provider).is_some_and(|issuer| {
            let is_it = |it: &str| Named::subject(issuer, it).to_string() == subject;
            self.file.is_linked(id, provider, is_it)
        })
    }

    fn is_taken(&self, name: &Username) -> bool {
        self.file.knows_like(name)
    }

    fn digest(&self) -> String {
        self.file.digest()
    }
}
