//! Users: who may sign in.

pub mod access;
pub mod credentials;
pub mod gateway_token;
pub mod login_name;
pub mod name;
pub mod password;
pub mod secret;

use std::fmt;
use std::str::FromStr;

use http::HeaderValue;
use sha2::{Digest, Sha256};

use access::Access;
use name::Username;
use secret::ApiToken;

/// One user of the directory.
#[derive(PartialEq, Eq)]
pub struct User {
    /// The name, as in `Authorization: Basic`, and in the identity header.
    pub name: Username,
    /// The id, as in InfluxDB's user resource.
    pub id: UserId,
    /// Whether the user may do anything at all.
    pub status: Status,
    /// What the user may have the gateway forward.
    pub access: Access,
    /// The InfluxDB API token that is used upstream on this user's behalf.
    pub token: Option<ApiToken>,
}

impl User {
    /// The same user with another status.
    #[must_use]
    pub fn with_status(&self, status: Status) -> Self {
        Self {
            name: self.name.clone(),
            id: self.id,
            status,
            access: self.access,
            token: self.token.clone(),
        }
    }

    /// The user's id.
    pub fn id(&self) -> UserId {
        self.id
    }
}

/// Whether a user is allowed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Signs in and works.
    Active,
    /// Signs in, as with InfluxDB, and is then refused everything.
    Inactive,
}

impl Status {
    /// The word in the users file and in the user resource.
    pub fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Inactive => "inactive",
        }
    }
}

/// InfluxDB's user id: 64 bits that print as 16 lower-case hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UserId(u64);

impl UserId {
    /// The id that stands for a user whom we know by name only.
    pub fn provisional(name: &Username) -> Self {
        let hash = |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        Self(name.as_str().bytes().fold(0xcbf2_9ce4_8422_2325, hash))
    }

    /// The id as a number.
    pub fn bits(self) -> u64 {
        self.0
    }

    /// The id that [`UserId::bits`] was made of.
    pub fn of_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The id of whom `authority` calls `subject`: the first 64 bits of the SHA-256 of both with a zero byte between
    /// them; never zero.
    pub fn of_subject(authority: &str, subject: &str) -> Self {
        let digest = Sha256::new().chain_update(authority).chain_update([0]).chain_update(subject);
        let bits = digest.finalize().iter().take(8).fold(0, |bits, it| bits << 8 | u64::from(*it));
        Self(bits.max(1))
    }

    /// A fresh, random id; never zero, which InfluxDB does not accept.
    ///
    /// # Panics
    /// If the operating system has no randomness to give.
    pub fn generate() -> Self {
        let bits = getrandom::u64().expect("the operating system provides randomness");
        Self(bits.max(1))
    }

    /// The id as the value of a header.
    ///
    /// # Panics
    /// Never: hex digits are a header value.
    pub fn header_value(self) -> HeaderValue {
        HeaderValue::try_from(self.to_string()).expect("hex digits are a header value")
    }
}

impl FromStr for UserId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() != 16 || !text.bytes().all(is_hex) {
            return Err("an id is 16 hex digits in lower case, for example \
                        \"0a1b2c3d4e5f6071\"; `influx-gateway user add` makes one"
                .to_owned());
        }
        match u64::from_str_radix(text, 16) {
            Ok(0) | Err(_) => Err("an id is not zero".to_owned()),
            Ok(bits) => Ok(Self(bits)),
        }
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:016x}", self.0)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An active user; the id follows from the name.
    pub(crate) fn user(name: &str) -> User {
        let name: Username = name.parse().unwrap();
        let id = UserId::provisional(&name);
        User { name, id, status: Status::Active, access: Access::Full, token: None }
    }

    #[test]
    fn ids_are_sixteen_hex_digits() {
        assert_eq!("0000000000000006".parse::<UserId>().unwrap().to_string(), "0000000000000006");
        for wrong in ["", "6", "000000000000000g", "0A1B2C3D4E5F6071", "0000000000000000"] {
            assert!(wrong.parse::<UserId>().is_err(), "{wrong}");
        }
        let id = UserId::generate();
        assert_eq!(id.to_string().parse::<UserId>(), Ok(id));
    }
}
