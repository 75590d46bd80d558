//! `Authorization`: a name and a password, or a token, and never both.
#![no_main]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use influx_gateway::internals::authorization;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(value) = HeaderValue::from_bytes(bytes) else { return };
    let headers = HeaderMap::from_iter([(AUTHORIZATION, value.clone())]);
    let token = authorization::token(&headers);
    let Some(read) = authorization::basic(&headers) else {
        assert!(token.is_none_or(|token| *token == value));
        assert!(token.is_none() || !authorization::is_basic(&headers), "a token and no token");
        return;
    };
    assert!(token.is_none() && authorization::is_basic(&headers));
    assert!(read.header.is_sensitive() && read.header == value);
    // Split at the first colon: only a password may have more.
    let encoded = bytes["Basic ".len()..].trim_ascii_end();
    let decoded = STANDARD.decode(encoded).expect("what was read is base64");
    let colon = decoded.iter().position(|&byte| byte == b':').expect("a colon");
    assert_eq!(read.password.len(), decoded.len() - colon - 1);
    let Some(name) = read.name else { return };
    assert_eq!(read.typed.as_str(), name.as_str().chars().take(255).collect::<String>());
    let pair = format!("{name}:{}", "x".repeat(read.password.len()));
    let written = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(pair)));
    let written = HeaderMap::from_iter([(AUTHORIZATION, written.expect("base64 is a header"))]);
    let again = authorization::basic(&written).expect("what was written is read again");
    assert_eq!((again.name, again.password.len()), (Some(name), read.password.len()));
});
