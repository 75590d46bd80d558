//! `[session]`.

use std::path::Path;
use std::time::Duration;

use super::duration;
use crate::session::Lifetime;
use crate::session::memory::Capacity;
use crate::session::redis::{Address, Settings, StoreKey};
use crate::toml_reader::{Named, Table};

/// Where sessions are kept.
#[derive(Clone, Debug)]
pub enum Store {
    /// In this process.
    Memory,
    /// In Redis.
    Redis {
        /// Where, and how it is asked.
        settings: Box<Settings>,
        /// By which InfluxDB's halves of sessions are sealed; `None`: the gateways agree on a key.
        key: Option<StoreKey>,
    },
}

impl Store {
    /// Whether it is spoken to over TLS.
    pub fn is_secure(&self) -> bool {
        matches!(self, Self::Redis { settings, .. } if settings.address.is_secure())
    }
}

/// Sessions: how long they live, how many there may be, where they are kept, and the certificates that may
/// have signed that of the store.
pub(super) type Sessions = (Lifetime, Capacity, Store, Option<Named>);

/// How long uses of a session are gathered, unless it is configured.
const TOUCH_INTERVAL: Duration = Duration::from_secs(15);

/// The most of `idle` that uses may be gathered for: a twentieth.
const MOST: u32 = 20;

/// For how long uses of a session that ends after `idle` are gathered, unless it is configured.
pub(super) fn default_touch_interval(idle: Duration) -> Duration {
    TOUCH_INTERVAL.min(idle / MOST)
}

/// Reads the table; files are looked for in `folder`.
pub(super) fn read(mut table: Table<'_>, folder: &Path) -> Sessions {
    let idle = table.parsed("idle", duration).unwrap_or(Duration::from_secs(600));
    let absolute = table.parsed("lifetime", |text| match text {
        "off" => Ok(None),
        text => duration(text).map(Some),
    });
    let total = table.count("max_sessions", 1).unwrap_or(1_000_000);
    let per_user = table.count("max_sessions_per_user", 1).unwrap_or(256);
    let address = table.parsed("store", |text| match text {
        "memory" => Ok(None),
        url => Address::parse(url).map(Some),
    });
    let ca_file = table.file("store_ca_file", folder);
    let is_plain = |address: &Option<Address>| address.as_ref().is_none_or(|it| !it.is_secure());
    if ca_file.is_some() && (address.as_ref().is_some_and(is_plain) || !table.has("store")) {
        let what = "needs a store whose URL begins with rediss:// or rediss+sentinel://";
        table.fault("store_ca_file", what);
    }
    let prefix = table.parsed("store_prefix", |text| {
        let is_key = text.bytes().all(|byte| byte.is_ascii_graphic());
        let fault = || format!("{text:?}: expected visible ASCII without blanks, such as \"igw:\"");
        is_key.then(|| text.to_owned()).ok_or_else(fault)
    });
    let timeout = table.parsed("store_timeout", duration).unwrap_or(Duration::from_millis(250));
    let most = idle / MOST;
    let touch_interval = table.parsed("touch_interval", |text| {
        let interval = duration(text)?;
        let fault = || {
            let (interval, most) =
                (humantime::format_duration(interval), humantime::format_duration(most));
            format!("{interval} is more than a twentieth of session.idle; {most} is the most")
        };
        (interval <= most).then_some(interval).ok_or_else(fault)
    });
    let near_cache = table.boolean("near_cache").unwrap_or(true);
    let key = table.parsed("store_key", StoreKey::parse);
    table.close();
    let settings = |address| Settings {
        address,
        prefix: prefix.unwrap_or_else(|| "igw:".to_owned()),
        timeout,
        touch_interval: touch_interval.unwrap_or(default_touch_interval(idle)),
        near_cache,
    };
    let store = address.flatten().map_or(Store::Memory, |address| Store::Redis {
        settings: Box::new(settings(address)),
        key,
    });
    let lifetime = Lifetime { idle, absolute: absolute.flatten() };
    (lifetime, Capacity { total, per_user }, store, ca_file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::toml_reader::Document;
    use crate::toml_reader::tests::BARE;

    fn parse(text: &str) -> (Store, Vec<String>) {
        let document = Document::parse("gateway.toml", text, BARE);
        let (_, _, store, _) = read(document.root(), Path::new(""));
        (store, document.into_faults().iter().map(ToString::to_string).collect())
    }

    #[test]
    fn uses_are_gathered_for_a_twentieth_of_the_idle_time_at_most() {
        for (text, expected) in [
            ("", 15_000),
            ("idle = \"1m\"", 3_000),
            ("idle = \"1s\"", 50),
            ("idle = \"1h\"\ntouch_interval = \"3m\"", 180_000),
        ] {
            let (store, faults) = parse(&format!("store = \"redis://h\"\n{text}"));
            let Store::Redis { settings, .. } = store else { panic!("{faults:?}") };
            assert_eq!(settings.touch_interval, Duration::from_millis(expected), "{text}");
            assert_eq!((settings.prefix.as_str(), settings.near_cache), ("igw:", true));
        }
        let fault = "gateway.toml:2: touch_interval: 15s is more than a twentieth of \
                     session.idle; 3s is the most";
        assert_eq!(parse("idle = \"1m\"\ntouch_interval = \"15s\"").1, [fault]);
    }

    #[test]
    fn memory_needs_no_redis_and_a_fault_tells_no_password() {
        assert!(matches!(parse("store = \"memory\"").0, Store::Memory));
        let (_, faults) = parse("store = \"redis://:secret@\"");
        assert!(faults[0].contains("session.store") || faults[0].contains("store:"), "{faults:?}");
        assert!(!faults[0].contains("secret"), "{faults:?}");
    }

    #[test]
    fn a_cluster_is_refused_and_authorities_need_tls() {
        let (_, faults) = parse("idle = \"1m\"\nstore = \"redis-cluster://:secret@h\"");
        let fault = "gateway.toml:2: store: a Redis Cluster is not supported: its client library does \
                     not pass on which keys have changed; name one Redis";
        assert_eq!(faults, [fault]);
        for store in
            ["", "store = \"memory\"", "store = \"redis://h\"", "store = \"redis+sentinel://h/n\""]
        {
            let (_, faults) = parse(&format!("{store}\nstore_ca_file = \"ca.pem\""));
            let fault = "gateway.toml:2: store_ca_file: needs a store whose URL begins with rediss:// or \
                         rediss+sentinel://";
            assert_eq!(faults, [fault], "{store}");
        }
        for store in ["rediss://h", "rediss+sentinel://h/n"] {
            let (_, faults) = parse(&format!("store = \"{store}\"\nstore_ca_file = \"ca.pem\""));
            assert_eq!(faults, <[String; 0]>::default(), "{store}");
        }
    }
}
