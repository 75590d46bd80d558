//! Gateways whose clock is the test's: time passes when a test says so, however busy the machine is.
//!
//! The program knows nothing of it: libfaketime answers when it asks what time it is, in its edition for
//! programs of several threads: the other one may show a thread the true time while another asks.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::support::*;

/// In the gateway's folder: how far its clocks are ahead.
const OFFSET: &str = "offset";

/// Which clocks are set.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Clocks {
    /// All of them, as if the time had passed.
    All,
    /// The wall clock alone, as when an operator sets it.
    Wall,
}

/// A gateway with a clock that [`pass`] moves. Timers are looked at when something happens, so `pass`
/// makes something happen.
pub(crate) fn start(upstream: SocketAddr, config: &str, users: &str) -> Gateway {
    start_in(Gateway::prepare(&format!("http://{upstream}"), config, users))
}

/// The same, with the `gateway.toml` in `folder`.
pub(crate) fn start_in(folder: tempfile::TempDir) -> Gateway {
    Gateway::start_by(command(folder.path(), Clocks::All), folder)
}

/// The program, with clocks that [`set`] sets.
pub(crate) fn command(folder: &Path, clocks: Clocks) -> Command {
    under(program(), folder, clocks)
}

/// Any command, with clocks that [`set_in`] sets.
pub(crate) fn under(mut command: Command, folder: &Path, clocks: Clocks) -> Command {
    let offset = folder.join(OFFSET);
    std::fs::write(&offset, "+0").unwrap();
    command
        .env("LD_PRELOAD", libfaketime())
        .env("FAKETIME_TIMESTAMP_FILE", offset)
        .env("FAKETIME_NO_CACHE", "1")
        // The times of files stay, as they do when a clock is set.
        .env("NO_FAKE_STAT", "1");
    if clocks == Clocks::Wall {
        command.env("DONT_FAKE_MONOTONIC", "1");
    }
    command
}

/// Sets the clocks of `gateway` to `offset` from the true time, for example `-1h`.
pub(crate) fn set(gateway: &Gateway, offset: &str) {
    set_in(gateway.folder(), offset);
}

/// Sets the clocks of the program that was given `folder`.
pub(crate) fn set_in(folder: &Path, offset: &str) {
    // At once, so that no half of it is read.
    let new = folder.join("offset.new");
    std::fs::write(&new, offset).unwrap();
    std::fs::rename(new, folder.join(OFFSET)).unwrap();
}

/// Lets `seconds` pass for `gateway`.
pub(crate) fn pass(gateway: &Gateway, seconds: u64) {
    pass_in(gateway.folder(), seconds);
    wake(gateway);
}

/// Lets `seconds` pass for the program that was given `folder`.
pub(crate) fn pass_in(folder: &Path, seconds: u64) {
    let before = std::fs::read_to_string(folder.join(OFFSET)).unwrap();
    let before: u64 = before.trim_start_matches('+').parse().unwrap();
    set_in(folder, &format!("+{}", before + seconds));
}

/// Has the gateway look at its timers.
pub(crate) fn wake(gateway: &Gateway) {
    assert_eq!(gateway.connect().send(&get("/api/v2/me", &[])).status, 401);
}

/// Lets `seconds` pass until `client` is closed. More than once, as the gateway may count from a moment
/// after the first of them.
pub(crate) fn pass_until_closed(gateway: &Gateway, seconds: u64, client: &Client) {
    let stream = client.stream.try_clone().unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    wait_until("the connection is closed", || {
        pass(gateway, seconds);
        stream.peek(&mut [0]).is_ok_and(|count| count == 0)
    });
}

/// What makes a process see another time.
pub(crate) fn libfaketime() -> PathBuf {
    let folders = std::fs::read_dir("/usr/lib").unwrap().map(|entry| entry.unwrap().path());
    folders
        .map(|folder| folder.join("faketime/libfaketimeMT.so.1"))
        .find(|path| path.exists())
        .expect("`make test-tools` has installed libfaketime")
}
