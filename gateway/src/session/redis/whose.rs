//! Whose sessions those in Redis are, and where more is known of the users. Credentials do not come from Redis.

use std::sync::Arc;

use super::halves::Halves;
use super::of_provider::OfProvider;
use super::store_key::StoreKey;
use crate::user::name::Username;
use crate::user::{User, UserId};

/// Users that this gateway knows by itself.
pub trait Users: Send + Sync {
    /// The user of this id; `None` if the gateway does not know them.
    fn user(&self, id: UserId) -> Option<Arc<User>>;

    /// Whether the user of this id is whom the sign-in `provider` calls so: a digest, as the record of a session has it.
    fn came_by(&self, id: UserId, provider: &str, subject: &str) -> bool;

    /// Whether somebody of a sign-in provider may not be called so, as a user here is.
    fn is_taken(&self, name: &Username) -> bool;

    /// A digest of them all: the same at gateways that know the same users.
    fn digest(&self) -> String;
}

/// Whose sessions those are.
pub enum Whose {
    /// Of users that each gateway knows by itself.
    Known(Arc<dyn Users>),
    /// Of InfluxDB's users, of whom the record says what is known. InfluxDB has a half of each session.
    Influxdb(Halves),
}

impl Whose {
    /// The user of this id, of whom is `recorded` what Redis has.
    pub(super) fn user(
        &self,
        id: UserId,
        recorded: impl FnOnce() -> Option<Arc<User>>,
    ) -> Option<Arc<User>> {
        match self {
            Self::Known(users) => users.user(id),
            Self::Influxdb(_) => recorded(),
        }
    }

    /// The user of this id whom this gateway knows by itself.
    pub(super) fn known(&self, id: UserId) -> Option<Arc<User>> {
        match self {
            Self::Known(users) => users.user(id),
            Self::Influxdb(_) => None,
        }
    }

    /// Whether the user of this id, who is known here, still is whom the sign-in provider of a session calls so.
    pub(super) fn came_by(&self, id: UserId, of: &OfProvider) -> bool {
        match (self, &of.subject) {
            (Self::Known(users), Some(subject)) => users.came_by(id, &of.id, subject),
            _ => false,
        }
    }

    /// Whether somebody of a sign-in provider may not be called so, as a user here is.
    pub(super) fn is_taken(&self, name: &Username) -> bool {
        match self {
            Self::Known(users) => users.is_taken(name),
            Self::Influxdb(_) => false,
        }
    }

    /// What all gateways should have in common, and a digest of it.
    pub(super) fn common(&self) -> (&'static str, String) {
        match self {
            Self::Known(users) => ("users file", users.digest()),
            Self::Influxdb(halves) => {
                let name = halves.key.as_ref().map_or("0", StoreKey::name);
                ("session.store_key", name.to_owned())
            }
        }
    }

    /// How InfluxDB's halves are kept, if there are any.
    pub(super) fn halves(&self) -> Option<&Halves> {
        match self {
            Self::Known(_) => None,
            Self::Influxdb(halves) => Some(halves),
        }
    }
}
