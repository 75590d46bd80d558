//! Whether a client's credential is a gateway token: decided by its form, never by trying.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use memchr::memmem;
use zeroize::Zeroizing;

use super::{LENGTH, PREFIX, TokenDigest};

/// What a client presents as a gateway token. Good or bad, it is nobody else's affair: it never goes upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presented {
    /// A token of the right form.
    Whole(TokenDigest),
    /// Something that holds a token, or what is left of one.
    Malformed,
}

/// InfluxDB 2's own tokens are 64 bytes in base64url, with padding: one in sixteen million begins as ours do.
const OF_INFLUXDB: usize = 88;

impl Presented {
    /// What there is in `credential`: a token without its scheme, or a password. `None` if it is nothing of the gateway's.
    pub fn in_credential(credential: &[u8]) -> Option<Self> {
        if !credential.starts_with(PREFIX.as_bytes()) {
            return Self::within(credential);
        }
        if credential.len() == OF_INFLUXDB && credential.ends_with(b"==") {
            return None;
        }
        Some(match credential.strip_prefix(PREFIX.as_bytes()) {
            Some(rest) if credential.len() == LENGTH && is_key(rest) => {
                Self::Whole(TokenDigest::of(credential))
            }
            _ => Self::Malformed,
        })
    }

    /// Whether something in `text` looks like a token, where no credential can be read: that is none of the right form.
    pub fn within(text: &[u8]) -> Option<Self> {
        let begins = |place: usize| place == 0 || !is_of_base64(text[place - 1]);
        let mut places = memmem::find_iter(text, PREFIX);
        places.any(begins).then_some(Self::Malformed)
    }
}

/// Whether a token of the right form stands somewhere in `text`, which may be about something else.
pub fn holds_token(text: &[u8]) -> bool {
    memmem::find_iter(text, PREFIX).any(|place| {
        let (before, rest) = text.split_at(place);
        let ends = before.last().is_none_or(|&byte| !is_of_base64(byte));
        let ends = ends && rest.get(LENGTH).is_none_or(|&byte| !is_of_base64(byte));
        ends && rest.get(PREFIX.len()..LENGTH).is_some_and(is_key)
    })
}

/// Whether it is what 32 bytes are written as.
fn is_key(text: &[u8]) -> bool {
    let mut bytes = Zeroizing::new([0; 33]);
    URL_SAFE_NO_PAD.decode_slice(text, &mut *bytes).is_ok_and(|written| written == 32)
}

/// Of base64url: of a JWT too, whose signature may begin with anything.
fn is_of_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::GatewayToken;
    use super::*;

    #[test]
    fn the_form_alone_decides() {
        let key = "A".repeat(43);
        let of_influxdb = format!("igw_{}==", "A".repeat(82));
        let within = format!("{}igw_A==", "A".repeat(81));
        for (text, expected) in [
            ("", None),
            ("igw", None),
            ("apiv3_abc", None),
            ("a.b.c", None),
            (&key, None),
            (&of_influxdb, None),
            (&within, None),
            ("igw_", Some(Presented::Malformed)),
            (&format!("igw_{key}A"), Some(Presented::Malformed)),
            (&format!("igw_{}", "A".repeat(42)), Some(Presented::Malformed)),
            (&format!("igw_{}B", "A".repeat(42)), Some(Presented::Malformed)),
            (&format!("igw_{}=", "A".repeat(42)), Some(Presented::Malformed)),
            (&format!("igw_{}+", "A".repeat(42)), Some(Presented::Malformed)),
            (&format!("ada:igw_{key}"), Some(Presented::Malformed)),
            (&format!("\"igw_{key}\""), Some(Presented::Malformed)),
            (&format!("token=igw_{key}"), Some(Presented::Malformed)),
        ] {
            assert_eq!(Presented::in_credential(text.as_bytes()), expected, "{text}");
        }
        let whole = Presented::in_credential(format!("igw_{key}").as_bytes());
        assert!(matches!(whole, Some(Presented::Whole(_))), "{whole:?}");
    }

    #[test]
    fn a_token_is_found_in_whatever_it_stands() {
        let token = format!("igw_{}", "A".repeat(43));
        for (text, expected) in [
            (token.clone(), true),
            (format!("Bearer {token}"), true),
            (format!("select \"{token}\""), true),
            (format!("igw_x={token};"), true),
            (format!("x{token}"), false),
            (format!("{token}x"), false),
            ("select * from igw_measurements_of_which_the_name_is_rather_long".to_owned(), false),
            ("igw_".to_owned(), false),
        ] {
            assert_eq!(holds_token(text.as_bytes()), expected, "{text}");
        }
    }

    proptest! {
        /// Every token is recognised, and whatever else holds one is refused: with anything before it that is no token
        /// of another kind, and anything behind it.
        #[test]
        fn no_token_gets_by(before in "([ -~]{0,20}[ -,/:-@\\[\\\\\\]^`{|}~])?", after in "[ -~]{0,20}") {
            let token = GatewayToken::generate();
            let whole = Presented::in_credential(token.text().as_bytes());
            prop_assert_eq!(whole, Some(Presented::Whole(token.digest())));
            let text = format!("{before}{}{after}", token.text());
            let expected = if before.is_empty() && after.is_empty() { whole } else { Some(Presented::Malformed) };
            prop_assert_eq!(Presented::in_credential(text.as_bytes()), expected);
        }

        /// No API token of InfluxDB 2 and no JWT is taken for one.
        #[test]
        fn others_are_let_alone(influxdb in "[A-Za-z0-9_-]{86}==", jwt in "eyJ[a-zA-Z0-9_-]{1,9}[.]eyJ[a-zA-Z0-9_-]{1,9}[.](igw_)?[a-zA-Z0-9_-]{0,60}") {
            prop_assert_eq!(Presented::in_credential(influxdb.as_bytes()), None);
            prop_assert_eq!(Presented::in_credential(jwt.as_bytes()), None);
        }

        #[test]
        fn reading_is_total(bytes: Vec<u8>) {
            let _ = (Presented::in_credential(&bytes), Presented::within(&bytes));
        }
    }
}
