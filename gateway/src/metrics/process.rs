//! What the system says of the process. Where it does not say it, nothing is written.

use std::fs;

use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};

use super::text::{Kind, Seconds, Text};

/// Writes it.
pub fn write(text: &mut Text) {
    text.begin("process_cpu_seconds_total", Kind::Counter, "CPU time, of the system's part too.");
    let cpu = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(cpu.tv_sec).unwrap_or_default();
    let nanos = u64::try_from(cpu.tv_nsec).unwrap_or_default();
    text.sample("", &[], Seconds(seconds * 1_000_000_000 + nanos));
    let mut gauge = |name, help, value: Option<u64>| {
        text.begin(name, Kind::Gauge, help);
        if let Some(value) = value {
            text.sample("", &[], value);
        }
    };
    gauge("process_resident_memory_bytes", "Memory that is in use.", resident());
    gauge("process_open_fds", "File descriptors that are open.", open_fds());
    gauge(
        "process_max_fds",
        "File descriptors that may be open.",
        getrlimit(Resource::Nofile).current,
    );
}

fn resident() -> Option<u64> {
    let resident = value_in("/proc/self/status", "VmRSS:")?;
    let kib: u64 = resident.strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// What stands behind `key` in a `file` of the system, which has lines of keys and values.
pub fn value_in(file: &str, key: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix(key))?;
    Some(value.trim().to_owned())
}

/// Since Linux 6.2 the folder says how many are in it; before, they are counted.
fn open_fds() -> Option<u64> {
    const FOLDER: &str = "/proc/self/fd";
    match fs::metadata(FOLDER).ok()?.len() {
        // The one by which it is read is among them.
        0 => Some((fs::read_dir(FOLDER).ok()?.count() as u64).saturating_sub(1)),
        count => Some(count),
    }
}
