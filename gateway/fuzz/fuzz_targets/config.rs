//! The configuration: read, or refused with faults that say where they are.
#![no_main]

use std::path::Path;

use influx_gateway::internals::{Config, Environment};
use libfuzzer_sys::fuzz_target;

const NOTHING: Environment<'static> = Environment {
    variable: &|name| (name == "NAME").then(|| "value".to_owned()),
    file: &|_| Ok("a-token\n".to_owned()),
};

fuzz_target!(|text: &str| {
    assert_eq!(faults(text), faults(text));
});

/// What is wrong with it; none if it can be used.
fn faults(text: &str) -> Option<Vec<String>> {
    let lines = text.matches('\n').count() + 1;
    match Config::parse("gateway.toml", text, Path::new("/nowhere"), NOTHING) {
        Ok(config) => {
            assert!(!config.listen.http.is_empty() || !config.listen.https.is_empty());
            assert!(config.lifetime.idle.as_millis() > 0);
            assert!(config.capacity.total > 0 && config.capacity.per_user > 0);
            None
        }
        Err(refused) => {
            assert!(!refused.faults.is_empty());
            for fault in &refused.faults {
                assert!(!fault.what.is_empty() && !fault.what.contains('\n'), "{fault:?}");
                assert!(fault.line.is_none_or(|line| (1..=lines).contains(&line)), "{fault:?}");
            }
            Some(refused.faults.iter().map(ToString::to_string).collect())
        }
    }
}
