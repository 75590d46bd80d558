use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

use super::client::{Reply, ask};
use crate::support::*;

/// A running redis-server with a folder of its own; killed when dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    folder: tempfile::TempDir,
    options: Vec<String>,
    child: Child,
}

/// A port that stays free for a server while that is not running: outgoing connections get others.
pub(crate) fn port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = u16::try_from(std::process::id() % 100).unwrap() * 100;
    loop {
        let port = 20_000 + (first + NEXT.fetch_add(1, Ordering::Relaxed)) % 12_000;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

/// `redis-server` or `redis-sentinel`, in `folder`.
pub(crate) fn command(program: &str, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

impl Server {
    /// One that keeps nothing on disk.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// With these options of the command line.
    pub(crate) fn start_with(options: &[&str]) -> Self {
        Self::start_by(|folder| command("redis-server", folder), options)
    }

    /// By a command that becomes redis-server when it is given its arguments.
    pub(crate) fn start_by(command: impl Fn(&Path) -> Command, options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = port();
        let mut all = vec!["--port".to_owned(), port.to_string()];
        let usual = ["--bind", "127.0.0.1", "--save", "", "--enable-debug-command", "yes"];
        all.extend(usual.iter().chain(options).map(|option| (*option).to_owned()));
        let child = command(folder.path()).args(&all).spawn();
        let child = child.expect("`make test-tools` has installed redis-server");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let server = Self { address, folder, options: all, child };
        server.wait_for("PING", &["PONG", "NOAUTH"]);
        server
    }

    fn wait_for(&self, command: &str, answers: &[&str]) {
        wait_until("Redis answers", || {
            let reply = ask(self.address, &[command]);
            reply.is_ok_and(|reply| answers.iter().any(|it| reply.text().starts_with(it)))
        });
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What it answers to a command.
    pub(crate) fn ask(&self, command: &[&str]) -> Reply {
        ask(self.address, command).unwrap()
    }

    /// Does what must be answered with `OK`.
    pub(crate) fn tell(&self, command: &[&str]) {
        assert_eq!(self.ask(command).text(), "OK", "{command:?}");
    }

    /// Kills it.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again at the same address, after [`Self::kill`], with more options.
    pub(crate) fn start_again(&mut self, options: &[&str]) {
        let command = &mut command("redis-server", self.folder.path());
        self.child = command.args(&self.options).args(options).spawn().unwrap();
    }

    /// Waits until it answers again.
    pub(crate) fn wait_until_it_answers(&self) {
        self.wait_for("PING", &["PONG"]);
    }

    /// Sends it a signal, for example `STOP`.
    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &pid]).status().unwrap().success());
    }

    /// How often each command was carried out, those of scripts included.
    pub(crate) fn calls(&self) -> std::collections::BTreeMap<String, u64> {
        let text = self.ask(&["INFO", "commandstats"]).text();
        let lines = text.lines().filter_map(|line| line.strip_prefix("cmdstat_"));
        lines
            .map(|line| {
                let (name, rest) = line.split_once(":calls=").unwrap();
                (name.to_owned(), rest.split(',').next().unwrap().parse().unwrap())
            })
            .collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
