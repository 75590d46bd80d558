//! The configuration in use, key by key, for people to read: without secrets.

use std::path::Path;
use std::time::Duration;

use pingora::server::configuration::ServerConf;
use serde_json::{Map, Value};

use super::{SignIn, session};
use crate::toml_reader::{Document, Environment};

/// Every key with its default, which a test holds against the documentation.
const SHIPPED: &str = include_str!("../../../conf/gateway.toml");

/// How many threads tokio has for blocking work, unless it is told.
const BLOCKING_THREADS: usize = 512;

/// What stands for a secret.
const REDACTED: &str = "<redacted>";

/// The keys whose values are secret, and the ends of names of keys that would be. What names a file is not.
const SECRETS: [&str; 5] = ["store_key", "secret", "password", "_token", "passphrase"];

/// Each key of `document` with its value, each other key with its default; null where there is none.
pub(super) fn of(document: &Document<'_>) -> Value {
    let mut values = defaults();
    lay_over(&mut values, document.values());
    redact("", &mut values);
    values
}

/// Adds to `effective` what is not what the file says, but what other keys or this machine make of it. Sessions end after
/// `idle`; whether there is a page, and HTTP/2 without TLS, may follow from other tables.
pub(super) fn complete(
    effective: &mut Value,
    server: &ServerConf,
    signin: &SignIn,
    idle: Duration,
    (has_page, h2c): (bool, bool),
) {
    effective["page"]["enabled"] = has_page.into();
    effective["listen"]["h2c"] = if h2c { "grpc" } else { "off" }.into();
    effective["server"]["threads"] = server.threads.into();
    effective["server"]["client_bind_to_ipv4"] = server.client_bind_to_ipv4.clone().into();
    let blocking = server.max_blocking_threads.unwrap_or(BLOCKING_THREADS);
    effective["server"]["max_blocking_threads"] = blocking.into();
    effective["signin"]["hash_workers"] = signin.line.at_once.into();
    let touch_interval = &mut effective["session"]["touch_interval"];
    if touch_interval.is_null() {
        let interval = session::default_touch_interval(idle);
        *touch_interval = humantime::format_duration(interval).to_string().into();
    }
}

fn defaults() -> Value {
    let file = |_: &Path| Err(String::new());
    let bare = Environment { variable: &|_| None, file: &file };
    let mut values = Document::parse("", SHIPPED, bare).values();
    // What is commented out has no default.
    let mut table = None;
    for line in SHIPPED.lines() {
        let line = line.strip_prefix("# ").unwrap_or(line);
        if let Some(name) = line.strip_prefix("[[").and_then(|rest| rest.split("]]").next()) {
            match name.split_once('.') {
                Some((outer, inner)) => values[outer][inner] = Value::Array(Vec::new()),
                None => values[name] = Value::Array(Vec::new()),
            }
            table = None;
        } else if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            table = Some(name);
        } else if let (Some(table), Some((key, _))) = (table, line.split_once(" = "))
            && key
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        {
            let keys = table.split('.').fold(&mut values, |value, name| &mut value[name]);
            if let Value::Object(keys) = keys {
                keys.entry(key).or_insert(Value::Null);
            }
        }
    }
    values
}

fn lay_over(under: &mut Value, over: Value) {
    match (under, over) {
        (Value::Object(under), Value::Object(over)) => {
            for (key, value) in over {
                lay_over(under.entry(key).or_insert(Value::Null), value);
            }
        }
        (under, over) => *under = over,
    }
}

fn redact(key: &str, value: &mut Value) {
    match value {
        Value::Object(table) => redact_all(table),
        Value::Array(items) => items.iter_mut().for_each(|item| redact(key, item)),
        Value::Null | Value::Bool(_) => {}
        _ if SECRETS.iter().any(|secret| key.ends_with(secret)) => {
            *value = Value::String(REDACTED.to_owned());
        }
        Value::String(text) => *text = without_user(text),
        Value::Number(_) => {}
    }
}

fn redact_all(table: &mut Map<String, Value>) {
    for (key, value) in table {
        redact(key, value);
    }
}

/// A URL without what stands before its host; anything else as it is.
fn without_user(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    match rest[..end].rfind('@') {
        Some(at) => format!("{scheme}://{REDACTED}{}", &rest[at..]),
        // A password may have a slash in it that should have been encoded.
        None if rest.contains('@') => format!("{scheme}://{REDACTED}"),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_text(text: &str) -> Value {
        let variable = |name: &str| Some(format!("value-of-{name}"));
        let file = |_: &Path| Err(String::new());
        let environment = Environment { variable: &variable, file: &file };
        of(&Document::parse("", text, environment))
    }

    #[test]
    fn a_03_every_key_is_there_and_no_secret() {
        let bare = of_text("");
        assert_eq!(bare["session"]["idle"], "10m");
        assert_eq!(bare["session"]["store_key"], Value::Null);
        assert_eq!(bare["listen"]["https"], Value::Array(vec![]));
        assert_eq!(bare["admin"]["listen"], Value::Null);
        assert!(
            bare["admin"].as_object().is_some_and(|it| it.contains_key("token_file")),
            "{bare}"
        );
        assert_eq!(bare["users"]["password_by_session"], true);

        let set = of_text(
            "[upstream]\ntoken_file = \"influxdb.token\"\n[session]\nidle = \"5m\"\n\
             store = \"redis+sentinel://user:${PW}@a,b/n\"\nstore_key = \"${KEY}\"\n\
             [[listen.https]]\naddress = \"[::]:1\"\nkey = \"k.pem\"\n[x]\nclient_secret = \"s3\"",
        );
        assert_eq!(set["session"]["idle"], "5m");
        assert_eq!(set["session"]["store"], "redis+sentinel://<redacted>@a,b/n");
        assert_eq!(set["session"]["store_key"], REDACTED);
        assert_eq!(set["upstream"]["token_file"], "influxdb.token");
        assert_eq!(set["listen"]["https"][0]["key"], "k.pem");
        for secret in ["value-of-PW", "value-of-KEY", "s3"] {
            assert!(!set.to_string().contains(secret), "{secret}: {set}");
        }
        assert_eq!(without_user("redis://:p/w@h"), "redis://<redacted>");
    }
}
