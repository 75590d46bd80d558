//! How the gateway and what is around it are, for a report: without secrets.

use std::fmt::Write;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

use http::Request;
use rustix::process::{Resource, getrlimit};

use super::Loaded;
use crate::clock::unix_seconds;
use crate::config::Config;
use crate::metrics::process::value_in;
use crate::toml_reader::Diagnostic;

/// The report, in sections.
#[derive(Default)]
pub struct Report(String);

/// What is found out by the configuration at `path`, with all its faults if it has any; and what the `running` gateway
/// says of itself.
///
/// # Panics
/// If the process can have no sockets.
pub fn report(path: &Path, running: &[(String, String)]) -> Report {
    let mut report = Report::default();
    report.machine();
    report.section("running gateway");
    for (name, value) in running {
        report.line(name, value);
    }
    match super::load(path) {
        Ok(loaded) => {
            report.section("configuration");
            report.line("file", &format!("{}, without faults", path.display()));
            report.upstream(&loaded);
            report.certificates(&loaded);
            report.users(&loaded);
            report.effective(&loaded.config);
        }
        Err(faults) => report.faults(path, &faults),
    }
    report
}

impl Report {
    /// All of it, as text.
    pub fn text(&self) -> &str {
        self.0.trim_end()
    }

    fn section(&mut self, name: &str) {
        let _ = writeln!(self.0, "\n# {name}");
    }

    fn line(&mut self, name: &str, value: &str) {
        let plain: String = value.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
        let _ = writeln!(self.0, "{name:<11} {plain}");
    }

    fn machine(&mut self) {
        let system = rustix::system::uname();
        let part = |text: &std::ffi::CStr| text.to_string_lossy().into_owned();
        let _ = writeln!(self.0, "# influx-gateway {}", env!("CARGO_PKG_VERSION"));
        let names = [system.sysname(), system.release(), system.machine()].map(part);
        self.line("system", &names.join(" "));
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        self.line("processors", &cores.to_string());
        for (name, file, key) in [
            ("memory", "/proc/meminfo", "MemTotal:"),
            ("available", "/proc/meminfo", "MemAvailable:"),
        ] {
            self.line(name, &value_in(file, key).unwrap_or_else(|| "not known".to_owned()));
        }
        for limit in ["memory.max", "cpu.max", "pids.max"] {
            if let Ok(text) = std::fs::read_to_string(format!("/sys/fs/cgroup/{limit}")) {
                self.line(limit, text.trim());
            }
        }
        let files = getrlimit(Resource::Nofile);
        let word = |limit: Option<u64>| limit.map_or("unlimited".to_owned(), |it| it.to_string());
        self.line(
            "open files",
            &format!("{}, at most {}", word(files.current), word(files.maximum)),
        );
        self.line("user", &rustix::process::geteuid().as_raw().to_string());
    }

    fn faults(&mut self, path: &Path, faults: &[Diagnostic]) {
        self.section("configuration");
        self.line("file", &format!("{}, with faults:", path.display()));
        for fault in faults {
            self.line("", &fault.to_string());
        }
    }

    /// Asks the upstream, as the gateway does.
    fn upstream(&mut self, loaded: &Loaded) {
        let config = &loaded.config;
        self.section("upstream");
        let scheme = if config.upstream.tls { "https" } else { "http" };
        self.line("url", &format!("{scheme}://{}", config.upstream.authority));
        let tls = loaded.tls.upstream.as_ref().map(|(_, tls)| tls.clone());
        let client = super::upstreams::of(config, tls, None).own_requests;
        let begun = Instant::now();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a process has sockets and timers");
        let answer = runtime.block_on(client.try_ask(ping()));
        match answer {
            Ok(answer) => {
                let version = answer.headers().get("x-influxdb-version");
                let version = version.and_then(|it| it.to_str().ok()).unwrap_or("of no version");
                let took = begun.elapsed().as_secs_f64() * 1000.0;
                let status = answer.status();
                self.line("answers", &format!("{status} to GET /ping, {version}, in {took:.1} ms"));
            }
            Err(what) => self.line("answers", &format!("not: {what}")),
        }
    }

    /// Those of the listeners, and until when they are valid.
    fn certificates(&mut self, loaded: &Loaded) {
        self.section("certificates");
        let now = unix_seconds();
        for certificate in &loaded.tls.certificates {
            let ends = u64::try_from(certificate.expiry().load(Ordering::Relaxed)).unwrap_or(0);
            let until = SystemTime::UNIX_EPOCH + Duration::from_secs(ends);
            let days = ends.saturating_sub(now) / 86_400;
            let path = certificate.path().display();
            let until = humantime::format_rfc3339_seconds(until);
            self.line("listener", &format!("{path}, valid until {until}, {days} days more"));
        }
        if loaded.tls.certificates.is_empty() {
            self.line("listener", "none speaks HTTPS");
        }
    }

    fn users(&mut self, loaded: &Loaded) {
        self.section("users");
        match &loaded.users {
            Some(file) => self.line(
                "file",
                &format!("{}, {} users", file.reader.file.path.display(), file.users.count()),
            ),
            None if loaded.config.users.are_of_providers() => {
                self.line("source", "identity providers alone");
            }
            None => self.line("source", "InfluxDB"),
        }
    }

    /// Every key with its value in use.
    fn effective(&mut self, config: &Config) {
        self.section("configuration in use");
        if let Ok(text) = serde_json::to_string_pretty(&config.effective) {
            let _ = writeln!(self.0, "{text}");
        }
    }
}

fn ping() -> Request<()> {
    let (mut head, ()) = Request::new(()).into_parts();
    head.uri = http::Uri::from_static("/ping");
    Request::from_parts(head, ())
}
