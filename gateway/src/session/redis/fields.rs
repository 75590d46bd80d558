//! The record of a session in Redis, as it is read.

use std::collections::HashMap;
use std::sync::Arc;

use super::of_provider::{self, OfProvider};
use crate::request_meta::{Client, ClientKind};
use crate::session::Session;
use crate::session::origin::Named;
use crate::session::record::UnixMillis;
use crate::user::access::Access;
use crate::user::name::Username;
use crate::user::{Status, User, UserId};

/// A record, field by field, as Redis returns it.
pub(super) type Flat = HashMap<String, Vec<u8>>;

/// A record.
#[derive(Debug, PartialEq)]
pub(super) struct Fields {
    /// Whose session it is.
    pub(super) user: UserId,
    /// The user's name when the session began, or was changed.
    pub(super) name: Username,
    status: Status,
    access: Access,
    /// The client that has opened it.
    pub(super) client: Client,
    /// When it began, by Redis' clock.
    pub(super) started: UnixMillis,
    /// When it was last used, as far as Redis was told.
    pub(super) used: UnixMillis,
    /// What could act for the user, sealed.
    pub(super) sealed: Option<Vec<u8>>,
    /// What is kept of the sign-in provider that the user came by.
    pub(super) provider: Option<OfProvider>,
}

/// Why a record is not one.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(super) enum Unreadable {
    /// A gateway of another version wrote it.
    #[error("its version is {0:?}, and this gateway knows 1")]
    Version(String),
    /// Nobody knows who wrote it.
    #[error("its field {0:?} is missing or has no such value")]
    Field(&'static str),
}

impl Fields {
    /// Reads a record.
    pub(super) fn read(flat: &Flat) -> Result<Self, Unreadable> {
        let field = |name: &'static str| {
            let value = flat.get(name).and_then(|value| std::str::from_utf8(value).ok());
            value.ok_or(Unreadable::Field(name))
        };
        let number = |name| field(name)?.parse().map_err(|_| Unreadable::Field(name));
        match field("v")? {
            "1" => {}
            other => return Err(Unreadable::Version(other.chars().take(8).collect())),
        }
        Ok(Self {
            user: field("user")?.parse().map_err(|_| Unreadable::Field("user"))?,
            name: Username::of_influxdb(field("name")?).ok_or(Unreadable::Field("name"))?,
            status: match field("status")? {
                "active" => Status::Active,
                "inactive" => Status::Inactive,
                _ => return Err(Unreadable::Field("status")),
            },
            access: {
                let word = field("access")?;
                let access = Access::ALL.into_iter().find(|access| access.word() == word);
                access.ok_or(Unreadable::Field("access"))?
            },
            client: {
                let kind = field("kind")?.parse().map_err(|_| Unreadable::Field("kind"))?;
                let kind = ClientKind::of_bits(kind);
                // Gateways before this one have not written more of it.
                let agent = flat.get("agent").map(Vec::as_slice).unwrap_or_default();
                let address = field("client").ok().and_then(|address| address.parse().ok());
                Client { address, kind: kind.called(agent) }
            },
            started: UnixMillis(number("started")?),
            used: UnixMillis(number("used")?),
            sealed: flat.get("sealed").cloned(),
            provider: of_provider::read(flat),
        })
    }

    /// The user as this gateway's `here`, bounded by what the record says: whichever is stricter.
    pub(super) fn bound(&self, here: &Arc<User>) -> Arc<User> {
        let status = if self.status == Status::Inactive { self.status } else { here.status };
        let access = self.access.min(here.access);
        if (status, access) == (here.status, here.access) {
            return Arc::clone(here);
        }
        Arc::new(User { access, ..here.with_status(status) })
    }

    /// The user as the record has them, but with this access.
    pub(super) fn with_access(&self, access: Access) -> Arc<User> {
        let (name, status) = (self.name.clone(), self.status);
        Arc::new(User { name, id: self.user, status, access, token: None })
    }

    /// The user as the record has them: without a credential, to be told of.
    pub(super) fn as_recorded(&self) -> Arc<User> {
        self.with_access(self.access)
    }
}

/// What a record says of `user`, as field and value by turns.
pub(super) fn of_user(user: &User) -> [(&'static str, String); 3] {
    [
        ("name", user.name.as_str().to_owned()),
        ("status", user.status.word().to_owned()),
        ("access", user.access.word().to_owned()),
    ]
}

/// What a record says of where `session` comes from, as field and value by turns.
pub(super) fn of_origin(session: &Session) -> impl Iterator<Item = (&'static str, String)> {
    session.named().map(|named| {
        let field = match named {
            Named::Subject(_) => "subject",
            Named::Session(_) => "sid",
        };
        (field, named.to_string())
    })
}

/// What a record says of the client that has opened `session`, as field and value by turns.
pub(super) fn of_client(session: &Session) -> impl Iterator<Item = (&'static str, String)> {
    let Client { address, kind } = session.client();
    let family = Some(kind.family()).filter(|family| !family.is_empty());
    let address = address.map(|address| ("client", address.to_string()));
    address.into_iter().chain(family.map(|family| ("agent", family.to_owned())))
}

/// A user of whom no more is written down than the name, to be told of; `None` if that is none.
pub(super) fn named(id: UserId, name: &str) -> Option<Arc<User>> {
    let name = Username::of_influxdb(name)?;
    Some(Arc::new(User { name, id, status: Status::Active, access: Access::Full, token: None }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::user::tests::user;

    fn record() -> Flat {
        let mut flat = Flat::new();
        let mut set = |name: &str, value: &str| flat.insert(name.to_owned(), value.into());
        for (name, value) in of_user(&user("ada")) {
            set(name, &value);
        }
        set("user", &user("ada").id().to_string());
        for (name, value) in [("v", "1"), ("kind", "7"), ("started", "5"), ("used", "6")] {
            set(name, value);
        }
        flat
    }

    #[test]
    fn a_record_is_read_and_anything_else_is_not() {
        let fields = Fields::read(&record()).unwrap();
        assert_eq!((fields.user, fields.started.0, fields.used.0), (user("ada").id(), 5, 6));
        assert!(*fields.as_recorded() == user("ada"));
        for name in record().into_keys() {
            let mut flat = record();
            flat.remove(&name);
            assert!(Fields::read(&flat).is_err(), "without {name}");
            flat.insert(name.clone(), b"\xff".to_vec());
            assert!(Fields::read(&flat).is_err(), "with another {name}");
        }
        let mut flat = record();
        flat.insert("v".to_owned(), b"2".to_vec());
        assert_eq!(Fields::read(&flat).unwrap_err(), Unreadable::Version("2".to_owned()));
    }

    #[test]
    fn the_stricter_of_file_and_record_counts() {
        let with = |status, access| Arc::new(User { access, ..user("ada").with_status(status) });
        let full = with(Status::Active, Access::Full);
        let strict = with(Status::Inactive, Access::Read);
        let fields = |user: &User| {
            let mut flat = record();
            for (name, value) in of_user(user) {
                flat.insert(name.to_owned(), value.into());
            }
            Fields::read(&flat).unwrap()
        };
        assert!(Arc::ptr_eq(&fields(&full).bound(&full), &full));
        assert!(Arc::ptr_eq(&fields(&full).bound(&strict), &strict));
        assert!(fields(&strict).bound(&full) == strict);
        let write = with(Status::Active, Access::Write);
        assert!(fields(&write).bound(&full) == write);
    }
}
