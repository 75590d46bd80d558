//! Whose sessions those in Redis are, and where more is known of the users. Credentials do not come from Redis.

use std::sync::Arc;

use super::halves::Halves;
use super::store_key::StoreKey;
use crate::user::{User, UserId};

/// Users that this gateway knows by itself.
pub trait Users: Send + Sync {
    /// The user of this id; `None` if the gateway does not know them.
    fn user(&self, id: UserId) -> Option<Arc<User>>;

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
