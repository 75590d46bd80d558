//! A JWT, and behind a line feed the keys of its issuer: nobody is somebody without a signature.
#![no_main]

use std::time::Duration;

use influx_gateway::internals::rules::{ALGORITHMS, Rules};
use influx_gateway::internals::{ClaimPath, KeySet, form, judge_jwt};
use libfuzzer_sys::fuzz_target;

const KEYS: &[u8] = br#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

fn rules() -> Rules {
    let path = |text| ClaimPath::parse(text).expect("a path");
    Rules {
        issuer: "i".to_owned(),
        audience: vec!["a".to_owned()],
        algorithms: ALGORITHMS.map(|(_, algorithm)| algorithm).to_vec(),
        user: path("sub"),
        groups: path("g"),
        require: Vec::new(),
        types: vec!["JWT".to_owned()],
        leeway: Duration::from_secs(30),
        max_age: Duration::from_secs(3600),
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut parts = bytes.splitn(2, |byte| *byte == b'\n');
    let (token, document) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    // Keys that are not ours may be those of whoever has signed.
    let read = KeySet::parse(document).is_ok_and(|keys| keys.count() > 0);
    assert!(!read || document.len() > 2);
    let ours = KeySet::parse(KEYS).expect("a key");
    assert!(form::in_authorization(bytes).is_none_or(|token| form::is_jwt(&token)));
    assert!(form::is_jwt(token) || form::Unverified::parse(token).is_none());
    if let Some(token) = form::Unverified::parse(token) {
        let judged = judge_jwt(&token, &rules(), 1_000_000);
        assert!(judged.and_then(|unsigned| unsigned.verify(&ours)).is_err());
    }
});
