//! `influx-gateway reload`: has the running gateway read its files again.

use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};

use super::{Failure, say};
use crate::app::{self, pid_file};

pub(super) fn run(path: &Path) -> Result<(), Failure> {
    // The process itself can only say in its log what it finds.
    let config = app::load(path)?.config;
    let file = Path::new(&config.server.pid_file);
    let failure = |what: &str| {
        Failure::File(format!(
            "{}: {what}; start the gateway, or send SIGHUP to it (server.pid_file)",
            file.display()
        ))
    };
    let id = pid_file::process_of(file).map_err(|error| failure(&error.to_string()))?;
    let id = id.ok_or_else(|| failure("the process that wrote it has ended"))?;
    let process = Pid::from_raw(id).ok_or_else(|| failure("it holds no process id"))?;
    kill_process(process, Signal::HUP).map_err(|error| failure(&error.to_string()))?;
    say::mention(&format!(
        "{}: good; process {id} was sent SIGHUP, and its log says what needs a restart",
        path.display()
    ));
    Ok(())
}
