//! Passwords and their hashes.

use std::fmt;
use std::time::Instant;

use argon2::password_hash::phc;
use argon2::{Algorithm, Argon2, Block, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use crate::metrics::METRICS;

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
}

/// The parameters of a hash: memory, passes, lanes.
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

    /// Explains why Argon2 is not defined for these parameters, or why they are absurd.
    pub fn check(self) -> Result<Self, String> {
        let most = Self::MOST;
        if self.memory_kib > most.memory_kib || self.passes > most.passes || self.lanes > most.lanes
        {
            return Err(format!(
                "absurd Argon2 parameters: at most m={},t={},p={}; {} is recommended",
                most.memory_kib, most.passes, most.lanes, "m=19456,t=2,p=1"
            ));
        }
        match self.params() {
            Some(_) => Ok(self),
            None => Err("Argon2 wants at least 8 KiB for each lane, one pass and one lane".into()),
        }
    }

    fn params(self) -> Option<Params> {
        Params::new(self.memory_kib, self.passes, self.lanes, Some(OUTPUT_BYTES)).ok()
    }
}

/// Argon2's working memory: reused from hash to hash. Each writes over what the one before has left; who has nothing more to
/// hash wipes it.
pub struct Memory {
    blocks: Vec<Block>,
    /// So many blocks are kept for the next hash.
    kept: usize,
    /// In so many of them a hash has left something.
    used: usize,
}

impl Memory {
    /// Memory for hashes of this cost. More expensive ones get more while they are computed.
    pub fn new(cost: Cost) -> Self {
        let kept = cost.params().map_or(0, |params| params.block_count());
        Self { blocks: Vec::new(), kept, used: 0 }
    }

    /// Wipes it, which takes a tenth of the time of a hash.
    pub fn wipe(&mut self) {
        self.blocks[..self.used].iter_mut().for_each(Zeroize::zeroize);
        self.used = 0;
    }

    #[cfg(test)]
    pub fn is_wiped(&self) -> bool {
        self.blocks.iter().all(|block| block.as_ref().iter().all(|word| *word == 0))
    }

    /// Computes one hash into `output`; false if the lengths are not what Argon2 is defined for.
    fn hash(
        &mut self,
        params: &Params,
        password: &Password,
        salt: &[u8],
        output: &mut [u8],
    ) -> bool {
        let count = params.block_count();
        if self.blocks.len() < count {
            // What moves leaves a copy behind.
            self.wipe();
            self.blocks.resize(count, Block::new());
        }
        let blocks = &mut self.blocks[..count];
        self.used = self.used.max(count);
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
        let begun = Instant::now();
        let done = argon2.hash_password_into_with_memory(&password.0, salt, output, &mut *blocks);
        METRICS.password_hash.note(begun.elapsed());
        if count > self.kept {
            self.wipe();
            self.blocks.truncate(self.kept);
            self.blocks.shrink_to_fit();
        }
        done.is_ok()
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.wipe();
    }
}

/// Tells a user's password, as it is hashed, from the ones before and after it. Part of a digest of the
/// hash, of which nobody learns anything by it: the salt is part of that, too. Printed as 16 hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PasswordMark(pub u64);

impl fmt::Display for PasswordMark {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:016x}", self.0)
    }
}

/// An Argon2id hash of a password, from or for a PHC string. Cannot be printed.
#[derive(PartialEq, Eq)]
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
    pub fn create(password: &Password, cost: Cost, memory: &mut Memory) -> Self {
        let params = cost.params().expect("the cost is within Argon2's bounds");
        let mut hash = Self {
            params,
            salt: Zeroizing::new(vec![0; SALT_BYTES]),
            output: Zeroizing::new(vec![0; OUTPUT_BYTES]),
        };
        getrandom::fill(&mut hash.salt).expect("the operating system provides randomness");
        let done = memory.hash(&hash.params, password, &hash.salt, &mut hash.output);
        assert!(done, "Argon2 is defined for these lengths");
        hash
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
        cost_of(&params).check()?;
        let (Some(salt), Some(output)) = (&hash.salt, &hash.hash) else {
            return Err("the salt or the hash itself is missing".to_owned());
        };
        Ok(Self {
            params,
            salt: Zeroizing::new(salt.to_vec()),
            output: Zeroizing::new(output.as_bytes().to_vec()),
        })
    }

    /// The PHC string.
    pub fn text(&self) -> Zeroizing<String> {
        let Cost { memory_kib, passes, lanes } = self.cost();
        let (salt, output) =
            (STANDARD_NO_PAD.encode(&*self.salt), STANDARD_NO_PAD.encode(&*self.output));
        Zeroizing::new(format!(
            "$argon2id$v=19$m={memory_kib},t={passes},p={lanes}${salt}${output}"
        ))
    }

    /// What marks sessions that were opened with it.
    pub fn mark(&self) -> PasswordMark {
        let digest: [u8; 32] = Sha256::digest(self.text().as_bytes()).into();
        PasswordMark(u64::from_be_bytes(*digest.first_chunk().expect("a digest has 32 bytes")))
    }

    /// What the hash costs to verify.
    pub fn cost(&self) -> Cost {
        cost_of(&self.params)
    }

    /// A hash of this cost that no password has. Computes nothing.
    ///
    /// # Panics
    /// If `cost` is outside what Argon2 is defined for.
    pub fn of_nobody(cost: Cost) -> Self {
        let params = cost.params().expect("the cost is within Argon2's bounds");
        let (salt, output) = (vec![0; SALT_BYTES], vec![0; OUTPUT_BYTES]);
        Self { params, salt: Zeroizing::new(salt), output: Zeroizing::new(output) }.decoy()
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
    pub fn verify(&self, password: &Password, memory: &mut Memory) -> bool {
        let mut output = Zeroizing::new(vec![0; self.output.len()]);
        memory.hash(&self.params, password, &self.salt, &mut output)
            && output.ct_eq(&self.output).into()
    }

    /// Work that a verification takes, in KiB passed over: to compare two hashes by cost.
    pub fn work(&self) -> u64 {
        u64::from(self.params.m_cost()) * u64::from(self.params.t_cost())
    }
}

/// Bytes of a fresh salt, and of a fresh hash: what the OWASP cheat sheet and RFC 9106 recommend.
const SALT_BYTES: usize = 16;
const OUTPUT_BYTES: usize = 32;

fn cost_of(params: &Params) -> Cost {
    Cost { memory_kib: params.m_cost(), passes: params.t_cost(), lanes: params.p_cost() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: Cost = Cost { memory_kib: 8, passes: 1, lanes: 1 };

    fn password(bytes: &[u8]) -> Password {
        Password::new(bytes.to_vec())
    }

    fn create(bytes: &[u8]) -> PasswordHash {
        PasswordHash::create(&password(bytes), CHEAP, &mut Memory::new(CHEAP))
    }

    fn verify(hash: &PasswordHash, bytes: &[u8]) -> bool {
        hash.verify(&password(bytes), &mut Memory::new(CHEAP))
    }

    #[test]
    fn b_14_exact_bytes_are_compared() {
        for right in
            [&b"correct horse"[..], b" spaces ", b"co:lon", b"\xff\xfe", "pässwörd".as_bytes()]
        {
            let hash = create(right);
            assert!(verify(&hash, right));
            assert!(!verify(&hash, &right[1..]));
            assert!(!verify(&hash, &[right, b" "].concat()));
        }
    }

    #[test]
    fn b_13_long_passwords_are_not_cut() {
        let long = [b'x'; 100];
        let hash = create(&long);
        assert!(verify(&hash, &long));
        assert!(!verify(&hash, &long[..73]));
    }

    #[test]
    fn a_decoy_costs_the_same_and_fits_nobody() {
        let hash = create(b"x");
        let decoy = hash.decoy();
        assert_eq!(decoy.work(), hash.work());
        assert!(!verify(&decoy, b"x"));
    }

    #[test]
    fn a_hash_survives_its_text_form() {
        let hash = create(b"x");
        assert!(PasswordHash::parse(&hash.text()).is_ok_and(|again| again == hash));
        assert_eq!(hash.cost(), CHEAP);
    }

    #[test]
    fn memory_is_wiped_and_what_a_dear_hash_took_is_given_back() {
        let (dear, mut memory) = (Cost { memory_kib: 64, ..CHEAP }, Memory::new(CHEAP));
        for cost in [CHEAP, dear, CHEAP] {
            // What another hash has left does not matter.
            let hash = PasswordHash::create(&password(b"x"), cost, &mut memory);
            assert!(hash.verify(&password(b"x"), &mut memory));
            assert!(!hash.verify(&password(b"y"), &mut memory));
            assert_eq!(memory.blocks.len(), 8);
            assert_eq!(memory.is_wiped(), cost == dear);
            assert!(hash.verify(&password(b"x"), &mut Memory::new(CHEAP)));
        }
        memory.wipe();
        assert!(memory.is_wiped());
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
