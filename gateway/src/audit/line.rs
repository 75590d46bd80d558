//! One event as one line of JSON, in visible ASCII and blanks only.

use std::io;

use serde::Serialize;
use serde_json::ser::{CharEscape, Formatter, Serializer};

use super::{Actor, Event, EventKind, Reason};
use crate::user::login_name::LoginName;

/// The members in their order. Those before `user` are the gateway's own words: what a client
/// makes up comes last, and cannot look like any of them to whoever reads from the left.
#[derive(Serialize)]
struct Line<'a> {
    time: String,
    event: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<&'static str>,
    client: Option<String>,
    session: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    request_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<&'a str>,
    user: Option<&'a str>,
}

/// Appends the line, its end included.
pub(super) fn write(event: &Event, out: &mut Vec<u8>) {
    let (name, reason, seconds, count) = words(event.kind);
    let line = Line {
        time: humantime::format_rfc3339_millis(event.time).to_string(),
        event: name,
        reason,
        seconds,
        count,
        actor: event.actor.map(Actor::word),
        client: event.client.map(|client| client.to_string()),
        session: event.session.map(|session| session.to_string()),
        token: event.token.map(|token| token.to_string()),
        request_id: event.request_id.as_deref(),
        provider: event.provider.as_deref(),
        user: event.user.as_ref().map(LoginName::as_str),
    };
    let mut serializer = Serializer::with_formatter(&mut *out, Ascii);
    line.serialize(&mut serializer).expect("plain data serialises into memory");
    out.push(b'\n');
}

type Words = (&'static str, Option<&'static str>, Option<u64>, Option<usize>);

fn words(kind: EventKind) -> Words {
    match kind {
        EventKind::SignedIn => ("signed_in", None, None, None),
        EventKind::Refused(reason) => ("refused", Some(reason.word()), None, None),
        EventKind::SignedOut => ("signed_out", None, None, None),
        EventKind::Expired => ("expired", None, None, None),
        EventKind::Evicted => ("evicted", None, None, None),
        EventKind::Revoked => ("revoked", None, None, None),
        EventKind::Banned(scope, seconds) => ("banned", Some(scope), Some(seconds), None),
        EventKind::Lifted(scope) => ("ban_lifted", Some(scope), None, None),
        EventKind::PasswordChanged => ("password_changed", None, None, None),
        EventKind::TokenAdded => ("token_added", None, None, None),
        EventKind::TokenRemoved => ("token_removed", None, None, None),
        EventKind::Reloaded(users) => ("reloaded", None, None, Some(users)),
        EventKind::ReloadRefused(faults) => ("reload_refused", None, None, Some(faults)),
        EventKind::Lost(events) => ("lost", None, None, Some(events)),
    }
}

impl Actor {
    fn word(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::User => "user",
        }
    }
}

impl Reason {
    fn word(self) -> &'static str {
        match self {
            Self::UnknownUser => "unknown_user",
            Self::WrongPassword => "wrong_password",
            Self::WrongCredentials => "wrong_credentials",
            Self::Malformed => "malformed",
            Self::Throttled => "throttled",
            Self::Overloaded => "busy",
            Self::Full => "full",
            Self::NameTooLong => "name_too_long",
            Self::Unavailable => "unavailable",
            Self::PasswordChangeRequired => "password_change_required",
            Self::JwtExpired => "jwt_expired",
            Self::JwtSignature => "jwt_signature",
            Self::JwtAudience => "jwt_audience",
            Self::JwtUnknownKey => "jwt_unknown_key",
            Self::JwtClaims => "jwt_claims",
            Self::JwtThrottled => "jwt_throttled",
            Self::NoGrant => "no_grant",
            Self::NameTaken => "name_taken",
            Self::OidcState => "oidc_state",
            Self::OidcIssuer => "oidc_issuer",
            Self::OidcDenied => "oidc_denied",
            Self::OidcProvider => "oidc_provider",
            Self::OidcCode => "oidc_code",
            Self::OidcToken => "oidc_token",
            Self::TokenUnknown => "token_unknown",
            Self::TokenExpired => "token_expired",
            Self::TokenMalformed => "token_malformed",
            Self::TokenThrottled => "token_throttled",
            Self::TokenUnjudged => "token_unjudged",
        }
    }
}

/// JSON in which every character that is not visible ASCII or a blank is escaped: no control
/// character ends the line or reaches a terminal, no mark turns text around.
struct Ascii;

impl Formatter for Ascii {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        for unit in fragment.encode_utf16() {
            match u8::try_from(unit) {
                Ok(byte @ b' '..=b'~') => writer.write_all(&[byte])?,
                _ => write!(writer, "\\u{unit:04x}")?,
            }
        }
        Ok(())
    }

    fn write_char_escape<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        escape: CharEscape,
    ) -> io::Result<()> {
        match escape {
            CharEscape::Quote => writer.write_all(b"\\u0022"),
            CharEscape::ReverseSolidus => writer.write_all(b"\\\\"),
            CharEscape::Solidus => writer.write_all(b"/"),
            CharEscape::Backspace => writer.write_all(b"\\b"),
            CharEscape::FormFeed => writer.write_all(b"\\f"),
            CharEscape::LineFeed => writer.write_all(b"\\n"),
            CharEscape::CarriageReturn => writer.write_all(b"\\r"),
            CharEscape::Tab => writer.write_all(b"\\t"),
            CharEscape::AsciiControl(byte) => write!(writer, "\\u{byte:04x}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request_meta::ClientKind;
    use crate::request_meta::RequestMeta;
    use crate::session::token::SessionToken;
    use proptest::prelude::*;

    fn text(event: &Event) -> String {
        let mut out = Vec::new();
        write(event, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn refused(name: &[u8]) -> Event {
        let address = Some("::ffff:203.0.113.7".parse().unwrap());
        let meta =
            RequestMeta { address, request_id: "r1", over_tls: false, kind: ClientKind::default() };
        Event::now(EventKind::Refused(Reason::WrongPassword))
            .on(&meta)
            .for_typed(&LoginName::of(name))
    }

    #[test]
    fn a_line_has_its_members_in_this_order() {
        let mut event = refused(b"ada").within(SessionToken::generate().id().fingerprint());
        event.time = std::time::UNIX_EPOCH;
        let line = text(&event);
        let (head, tail) = line.split_once(r#""session":""#).unwrap();
        assert_eq!(
            head,
            r#"{"time":"1970-01-01T00:00:00.000Z","event":"refused","reason":"wrong_password","client":"203.0.113.7","#
        );
        assert_eq!(&tail[8..], "\",\"request_id\":\"r1\",\"user\":\"ada\"}\n");
        let banned = text(&Event::now(EventKind::Banned("client", 60)));
        assert!(banned.contains(r#""reason":"client","seconds":60,"client":null"#), "{banned}");
    }

    #[test]
    fn o_01_nothing_in_a_name_forges_a_line() {
        for (name, escaped) in [
            (&b"a\r\nb"[..], r"a\r\nb"),
            (b"\x1b[31m", r"\u001b[31m"),
            (b"\x7f\x00", r"\u007f\u0000"),
            ("\u{202e}\u{2066}\u{9b}é😀".as_bytes(), r"\u202e\u2066\u009b\u00e9\ud83d\ude00"),
            (br#"","client":"10.0.0.1"#, r"\u0022,\u0022client\u0022:\u002210.0.0.1"),
            (b"\\", r"\\"),
        ] {
            let line = text(&refused(name));
            let user = line.split(r#""user":""#).nth(1).unwrap();
            assert_eq!(user, format!("{escaped}\"}}\n"));
        }
    }

    proptest! {
        #[test]
        fn every_name_comes_back_from_one_line_of_ascii(name in ".{0,80}") {
            let line = text(&refused(name.as_bytes()));
            prop_assert!(line.bytes().rev().skip(1).all(|byte| (b' '..=b'~').contains(&byte)));
            let value: serde_json::Value = serde_json::from_str(&line).unwrap();
            prop_assert_eq!(value["user"].as_str().unwrap(), name.as_str());
            prop_assert_eq!(line.matches("\"client\":").count(), 1);
        }
    }
}
