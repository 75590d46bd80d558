//! Passwords and their hashes.

use argon2::password_hash::PasswordHasher;
use argon2::password_hash::phc;
use argon2::{Algorithm, Argon2, Params, Version};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// A password as typed: bytes, since clients do not agree on an encoding. Wiped when dropped.
pub struct Password(Zeroizing<Vec<u8>>);

impl Password {
    /// Takes over `bytes`; nothing is trimmed or decoded.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What a hash costs to compute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Memory, in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub passes: u32,
    /// Degree of parallelism.
    pub lanes: u32,
}

impl Cost {
    /// The first choice of the OWASP Password Storage Cheat Sheet for Argon2id.
    pub const RECOMMENDED: Self = Self { memory_kib: 19 * 1024, passes: 2, lanes: 1 };

    /// What is refused as absurd: a sign-in must not take gigabytes or minutes.
    const MOST: Self = Self { memory_kib: 1024 * 1024, passes: 64, lanes: 64 };

    fn params(self) -> Option<Params> {
        Params::new(self.memory_kib, self.passes, self.lanes, None).ok()
    }
}

/// An Argon2id hash of a password, from or for a PHC string.
pub struct PasswordHash {
    params: Params,
    salt: Zeroizing<Vec<u8>>,
    output: Zeroizing<Vec<u8>>,
}

impl PasswordHash {
    /// Hashes `password` with a fresh salt. Slow by design.
    ///
    /// # Panics
    /// If `cost` is outside what Argon2 is defined for.
    pub fn create(password: &Password, cost: Cost) -> Self {
        Self::parse(&Self::create_text(password, cost)).expect("a hash just made can be read")
    }

    /// Hashes `password` with a fresh salt, as a PHC string. Slow by design.
    ///
    /// # Panics
    /// If `cost` is outside what Argon2 is defined for.
    pub fn create_text(password: &Password, cost: Cost) -> String {
        let params = cost.params().expect("the cost is within Argon2's bounds");
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password(&password.0)
            .expect("the operating system provides randomness, and the lengths are fixed")
            .to_string()
    }

    /// Reads a PHC string. Only Argon2id, version 19, within sane bounds.
    ///
    /// The error does not repeat the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let hash = phc::PasswordHash::new(text)
            .map_err(|_| "not a PHC string; `influx-gateway hash` makes one".to_owned())?;
        if hash.algorithm.as_str() != "argon2id" || hash.version != Some(19) {
            return Err("only Argon2id version 19 ($argon2id$v=19$…) is accepted; \
                        `influx-gateway hash` makes one"
                .to_owned());
        }
        let params = Params::try_from(&hash).map_err(|_| "not Argon2 parameters".to_owned())?;
        let most = Cost::MOST;
        if params.m_cost() > most.memory_kib
            || params.t_cost() > most.passes
            || params.p_cost() > most.lanes
        {
            return Err(format!(
                "absurd Argon2 parameters: at most m={},t={},p={}; {} is recommended",
                most.memory_kib, most.passes, most.lanes, "m=19456,t=2,p=1"
            ));
        }
        let (Some(salt), Some(output)) = (&hash.salt, &hash.hash) else {
            return Err("the salt or the hash itself is missing".to_owned());
        };
        Ok(Self {
            params,
            salt: Zeroizing::new(salt.to_vec()),
            output: Zeroizing::new(output.as_bytes().to_vec()),
        })
    }

    /// A hash that costs as much as `self` and that no password has. Computes nothing.
    #[must_use]
    pub fn decoy(&self) -> Self {
        let mut decoy = Self {
            params: self.params.clone(),
            salt: self.salt.clone(),
            output: self.output.clone(),
        };
        getrandom::fill(&mut decoy.salt).expect("the operating system provides randomness");
        getrandom::fill(&mut decoy.output).expect("the operating system provides randomness");
        decoy
    }

    /// Whether `password` is the one that was hashed. Slow by design: as slow as the hash's
    /// own parameters say, whatever the answer.
    pub fn verify(&self, password: &Password) -> bool {
        let mut output = Zeroizing::new(vec![0; self.output.len()]);
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, self.params.clone());
        argon2.hash_password_into(&password.0, &self.salt, &mut output).is_ok()
            && output.ct_eq(&self.output).into()
    }

    /// Work that a verification takes, in KiB passed over: to compare two hashes by cost.
    pub fn work(&self) -> u64 {
        u64::from(self.params.m_cost()) * u64::from(self.params.t_cost())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: Cost = Cost { memory_kib: 8, passes: 1, lanes: 1 };

    fn password(bytes: &[u8]) -> Password {
        Password::new(bytes.to_vec())
    }

    #[test]
    fn exact_bytes_are_compared() {
        for right in
            [&b"correct horse"[..], b" spaces ", b"co:lon", b"\xff\xfe", "pässwörd".as_bytes()]
        {
            let hash = PasswordHash::create(&password(right), CHEAP);
            assert!(hash.verify(&password(right)));
            assert!(!hash.verify(&password(&right[1..])));
            assert!(!hash.verify(&password(&[right, b" "].concat())));
        }
    }

    #[test]
    fn long_passwords_are_not_cut() {
        let long = [b'x'; 100];
        let hash = PasswordHash::create(&password(&long), CHEAP);
        assert!(hash.verify(&password(&long)));
        assert!(!hash.verify(&password(&long[..73])));
    }

    #[test]
    fn a_decoy_costs_the_same_and_fits_nobody() {
        let hash = PasswordHash::create(&password(b"x"), CHEAP);
        let decoy = hash.decoy();
        assert_eq!(decoy.work(), hash.work());
        assert!(!decoy.verify(&password(b"x")));
    }

    #[test]
    fn only_sane_argon2id_is_read() {
        let salt_and_hash = "c29tZXNhbHRzb21l$MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI";
        let check = |head: &str, sane: bool| {
            let text = format!("{head}${salt_and_hash}");
            assert_eq!(PasswordHash::parse(&text).is_ok(), sane, "{text}");
        };
        check("$argon2id$v=19$m=19456,t=2,p=1", true);
        check("$argon2id$v=19$m=1048576,t=64,p=64", true);
        check("$argon2id$v=19$m=16777216,t=2,p=1", false);
        check("$argon2id$v=19$m=19456,t=1000,p=1", false);
        check("$argon2id$v=19$m=19456,t=2,p=255", false);
        check("$argon2id$v=16$m=19456,t=2,p=1", false);
        check("$argon2id$m=19456,t=2,p=1", false);
        check("$argon2i$v=19$m=19456,t=2,p=1", false);
        for wrong in ["", "plain", "$2b$10$abcdefghijklmnopqrstuv", "$argon2id$v=19$m=8,t=1,p=1"] {
            assert!(PasswordHash::parse(wrong).is_err(), "{wrong}");
        }
    }
}
