//! `[server]`: how the process ends, and Pingora's own keys.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::unistd::{Group, User};
use pingora::server::configuration::ServerConf;
use serde_json::Value;

use super::duration;
use crate::toml_reader::{Table, found};

/// Where the process id is by default. There need not be such a folder.
pub const PID_FILE: &str = "/run/influx-gateway/gateway.pid";

/// Where another process can take over by default. There need not be such a folder.
pub const UPGRADE_SOCKET: &str = "/run/influx-gateway/upgrade.sock";

/// How the process ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// For so long it says that it is not ready, and serves as ever.
    pub drain_delay: Duration,
    /// For so long after that it answers what runs; the rest is cut off.
    pub grace: Duration,
    /// Where another process can take over.
    pub upgrade_socket: PathBuf,
}

/// The keys that have another default here than in Pingora.
///
/// Pingora's sixteen attempts at one request are too many. Its own socket for handing over listeners is not used.
const DEFAULTS: [(&str, &str); 4] = [
    ("threads", "0"),
    ("upgrade_sock", "\"\""),
    ("graceful_shutdown_timeout_seconds", "5"),
    ("max_retries", "4"),
];

/// Reads the table: our own keys, and any that Pingora's configuration has, under Pingora's name. Paths are relative to
/// `folder`.
pub(super) fn read(mut table: Table<'_>, folder: &Path) -> (Stop, ServerConf) {
    let stop = stop(&mut table);
    let mut conf =
        serde_json::to_value(ServerConf::default()).expect("Pingora's configuration is plain data");
    for (key, value) in DEFAULTS {
        conf[key] = serde_json::from_str(value).expect("the defaults are JSON");
    }
    conf["pid_file"] = PID_FILE.into();
    for key in table.other_keys() {
        if let Some((retired, why)) = RETIRED.iter().find(|(retired, _)| *retired == key) {
            let _ = table.json(retired);
            log::warn!("server.{retired} has no effect: {why}; remove it");
            continue;
        }
        let Some(known) = KEYS.iter().find(|known| **known == key) else {
            table.fault(
                &key,
                &format!("unknown key; known here: {}", [&OWN[..], &KEYS].concat().join(", ")),
            );
            continue;
        };
        let Some(value) = table.json(known) else { continue };
        let bounds = within_bounds(known, &value);
        let before = std::mem::replace(&mut conf[*known], value);
        let read = serde_json::from_value::<ServerConf>(conf.clone());
        let is_read = read.map_err(|_| expected(&before, &conf[*known]));
        if let Err(what) = bounds.and(is_read) {
            table.fault(&key, &what);
            conf[*known] = before;
        }
    }
    if conf["max_retries"] == 0 {
        table.fault("max_retries", "counts attempts, the first included: at least 1");
    }
    if conf["threads"] == 0 {
        conf["threads"] = std::thread::available_parallelism().map_or(1, usize::from).into();
    }
    // The limit, should the end not come by itself.
    conf["grace_period_seconds"] = (stop.grace.as_secs() + MARGIN).into();
    let conf: ServerConf = serde_json::from_value(conf).expect("each value was checked on its own");
    let conf = located(conf, folder);
    if conf.daemon {
        check_background(&table, &conf);
    }
    (stop, conf)
}

/// What a key takes that Pingora has `before` as its default, and not `value`.
fn expected(before: &Value, value: &Value) -> String {
    let kind = match before {
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a whole number of at least 0",
        Value::Array(_) => "a list of strings",
        _ => "a string",
    };
    format!("expected {kind}, found {}", found(value))
}

/// Whether Pingora can serve by this value of its `key`: it does not say so itself.
fn within_bounds(key: &str, value: &Value) -> Result<(), String> {
    if let Some((_, least, most)) = BOUNDS.iter().find(|(bounded, ..)| *bounded == key) {
        let number = value.as_u64().filter(|number| (*least..=*most).contains(number));
        return number.map(drop).ok_or_else(|| {
            format!("expected a whole number from {least} to {most}, found {}", found(value))
        });
    }
    let texts = value.as_array().into_iter().flatten().filter_map(Value::as_str);
    match key {
        "client_bind_to_ipv4" => {
            let is_wrong = |text: &&str| text.parse::<Ipv4Addr>().is_err();
            let wrong = texts.into_iter().find(is_wrong);
            wrong.map_or(Ok(()), |text| Err(format!("{text:?} is not an IPv4 address")))
        }
        "user" | "group" => {
            let is_name = |text: &str| !text.is_empty() && !text.contains('\0');
            let is_wrong = value.as_str().is_some_and(|text| !is_name(text));
            if is_wrong { Err("expected a name that somebody can have".to_owned()) } else { Ok(()) }
        }
        _ => Ok(()),
    }
}

/// In the background, nobody is told any more that a file has no folder.
fn check_background(table: &Table<'_>, conf: &ServerConf) {
    if !has_folder(Path::new(&conf.pid_file)) {
        table.fault(
            "daemon",
            &format!(
                "in the background there has to be a server.pid_file, and {} has no folder: make it, or set another file",
                conf.pid_file
            ),
        );
    }
    if let Some(file) = conf.error_log.as_ref().filter(|file| !has_folder(Path::new(file))) {
        table.fault("error_log", &format!("{file}: there is no folder for it: make it"));
    }
    if is_nobody(conf.user.as_ref(), User::from_name) {
        table.fault(
            "user",
            "there is no such user here: make it (`useradd --system`), or set another",
        );
    }
    if is_nobody(conf.group.as_ref(), Group::from_name) {
        table.fault(
            "group",
            "there is no such group here: make it (`groupadd --system`), or set another",
        );
    }
    if let Some(folder) = conf.working_directory.as_ref().filter(|folder| !folder.is_dir()) {
        let what = format!("{}: there is no such folder: make it", folder.display());
        table.fault("working_directory", &what);
    }
}

/// Whether the system knows nobody of this `name`. What it cannot tell, Pingora will.
fn is_nobody<T>(name: Option<&String>, look: impl Fn(&str) -> nix::Result<Option<T>>) -> bool {
    name.is_some_and(|name| matches!(look(name), Ok(None)))
}

/// `conf` with its paths, which Pingora opens from another folder in the background, relative to `folder`.
fn located(conf: ServerConf, folder: &Path) -> ServerConf {
    // A folder whose name is no text is left to the working folder, as Pingora has texts.
    let file = |name: String| folder.join(&name).into_os_string().into_string().unwrap_or(name);
    ServerConf {
        pid_file: file(conf.pid_file),
        error_log: conf.error_log.map(file),
        working_directory: conf.working_directory.map(|path| folder.join(path)),
        ..conf
    }
}

/// Whether there is a folder to put `file` in.
fn has_folder(file: &Path) -> bool {
    file.parent().is_some_and(|folder| folder == Path::new("") || folder.is_dir())
}

/// How long the end takes at most once everything is answered or cut off, in seconds.
const MARGIN: u64 = 10;

fn stop(table: &mut Table<'_>) -> Stop {
    let or_none = |text: &str| match text {
        "0s" => Ok(Duration::ZERO),
        text => duration(text),
    };
    let drain_delay = table.parsed("drain_delay", or_none).unwrap_or(Duration::from_secs(2));
    let grace = table.parsed("grace", or_none);
    if table.has("grace") && table.has(FORMER) {
        table.fault(FORMER, "is grace by its former name: remove it");
    }
    let former = table.has(FORMER).then(|| table.count(FORMER, 0)).flatten();
    let former = former.and_then(|seconds| u64::try_from(seconds).ok()).map(Duration::from_secs);
    let upgrade_socket = table.text("upgrade_socket").map(PathBuf::from);
    Stop {
        drain_delay,
        grace: grace.or(former).unwrap_or(Duration::from_secs(30)),
        upgrade_socket: upgrade_socket.unwrap_or_else(|| UPGRADE_SOCKET.into()),
    }
}

/// Keys that are not Pingora's.
const OWN: [&str; 3] = ["drain_delay", "grace", "upgrade_socket"];

/// What `grace` was called before.
const FORMER: &str = "grace_period_seconds";

/// Keys of earlier versions, and why they have no effect. A configuration that still has one gets a warning.
const RETIRED: [(&str, &str); 2] = [
    ("upgrade_sock", "a process takes over at server.upgrade_socket"),
    (
        "graceful_shutdown_timeout_seconds",
        "what is not answered within server.grace is cut off at once",
    ),
];

/// Keys whose numbers have bounds, the least and the most. Beyond them Pingora panics, waits for memory that there is
/// not, or accepts no connection.
const BOUNDS: [(&str, u64, u64); 4] = [
    ("threads", 0, 1024),
    ("listener_tasks_per_fd", 1, 1024),
    ("upstream_keepalive_pool_size", 0, 16_384),
    ("max_blocking_threads", 1, 16_384),
];

/// Pingora's keys that can be set.
const KEYS: [&str; 13] = [
    "threads",
    "work_stealing",
    "listener_tasks_per_fd",
    "daemon",
    "error_log",
    "pid_file",
    "user",
    "group",
    "working_directory",
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
        let bounded = BOUNDS.iter().map(|(key, ..)| key);
        for key in KEYS.iter().chain(DEFAULTS.iter().map(|(key, _)| key)).chain(bounded) {
            assert!(conf.get(key).is_some(), "{key}");
        }
    }
}
