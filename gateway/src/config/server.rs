//! `[server]`: Pingora's own keys.

use pingora::server::configuration::ServerConf;

use crate::toml_reader::Table;

/// The keys that have another default here than in Pingora.
///
/// Pingora's grace period of five minutes would delay every restart, and its sixteen attempts at one request are too
/// many. Listeners are not handed over by a socket, least of all by one in a temporary folder that everybody may write
/// to.
const DEFAULTS: [(&str, &str); 6] = [
    ("threads", "0"),
    ("pid_file", "\"/run/influx-gateway/gateway.pid\""),
    (RETIRED, "\"\""),
    ("grace_period_seconds", "30"),
    ("graceful_shutdown_timeout_seconds", "5"),
    ("max_retries", "4"),
];

/// Reads the table: any key that Pingora's configuration has, under Pingora's name.
pub(super) fn read(table: Table<'_>) -> ServerConf {
    let mut conf =
        serde_json::to_value(ServerConf::default()).expect("Pingora's configuration is plain data");
    for (key, value) in DEFAULTS {
        conf[key] = serde_json::from_str(value).expect("the defaults are JSON");
    }
    let mut table = table;
    for key in table.other_keys() {
        if key == RETIRED {
            let _ = table.json(RETIRED);
            log::warn!(
                "server.{RETIRED} has no effect: no other process can take over the listeners; remove it"
            );
            continue;
        }
        let Some(known) = KEYS.iter().find(|known| **known == key) else {
            table.fault(&key, &format!("unknown key; known here: {}", KEYS.join(", ")));
            continue;
        };
        let Some(value) = table.json(known) else { continue };
        let before = std::mem::replace(&mut conf[*known], value);
        if let Err(error) = serde_json::from_value::<ServerConf>(conf.clone()) {
            table.fault(&key, &error.to_string());
            conf[*known] = before;
        }
    }
    if conf["max_retries"] == 0 {
        table.fault("max_retries", "counts attempts, the first included: at least 1");
    }
    if conf["threads"] == 0 {
        conf["threads"] = std::thread::available_parallelism().map_or(1, usize::from).into();
    }
    serde_json::from_value(conf).expect("each value was checked on its own")
}

/// A key of earlier versions. A configuration that still has it gets a warning.
const RETIRED: &str = "upgrade_sock";

/// Pingora's keys that can be set.
const KEYS: [&str; 15] = [
    "threads",
    "work_stealing",
    "listener_tasks_per_fd",
    "daemon",
    "error_log",
    "pid_file",
    "user",
    "group",
    "working_directory",
    "grace_period_seconds",
    "graceful_shutdown_timeout_seconds",
    "upstream_keepalive_pool_size",
    "max_retries",
    "max_blocking_threads",
    "client_bind_to_ipv4",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_pingoras() {
        let conf = serde_json::to_value(ServerConf::default()).unwrap();
        for key in KEYS.iter().chain(DEFAULTS.iter().map(|(key, _)| key)) {
            assert!(conf.get(key).is_some(), "{key}");
        }
    }
}
