//! `influx-gateway reload`: has the running gateway read its files again, and says what has come of it.

use std::path::Path;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};

use super::admin::{Client, refusal};
use super::{Failure, say};
use crate::app::{self, pid_file};
use crate::config::{Admin, Config};

pub(super) fn run(path: &Path) -> Result<(), Failure> {
    let mut config = app::load_for_reload(path)?.config;
    match config.admin.take() {
        Some(admin) => ask(path, admin),
        None => signal(path, &config),
    }
}

/// By the listener for operators, which answers.
fn ask(path: &Path, admin: Admin) -> Result<(), Failure> {
    let (status, body) = Client::new(admin).exchange("POST", "/reload")?;
    let list = |key: &str| -> Vec<String> {
        let items = body[key].as_array().into_iter().flatten();
        items.filter_map(|item| item.as_str().map(str::to_owned)).collect()
    };
    let faults = list("faults");
    if !faults.is_empty() {
        return Err(Failure::File(format!("nothing has changed:\n{}", faults.join("\n"))));
    }
    if status != 200 {
        return Err(refusal(status, &body));
    }
    let needs_restart = list("needs_restart");
    say::mention(&format!("{}: read again and in force", path.display()));
    if !needs_restart.is_empty() {
        say::mention(&format!("needs a restart: {}", needs_restart.join(", ")));
    }
    Ok(())
}

/// By a signal, to which there is no answer: the process can only say in its log what it finds.
fn signal(path: &Path, config: &Config) -> Result<(), Failure> {
    let file = Path::new(&config.server.pid_file);
    let failure = |what: &str| {
        Failure::Unavailable(format!(
            "{}: {what}; start the gateway, or send SIGHUP to it (server.pid_file)",
            file.display()
        ))
    };
    let id = pid_file::process_of(file).map_err(|error| failure(&error.to_string()))?;
    let id = id.ok_or_else(|| failure("the process that wrote it has ended"))?;
    let process = Pid::from_raw(id).ok_or_else(|| failure("it holds no process id"))?;
    kill_process(process, Signal::HUP).map_err(|error| match error {
        Errno::PERM => Failure::Refused(format!("process {id} takes no signal of this user")),
        error => failure(&error.to_string()),
    })?;
    say::mention(&format!(
        "{}: good; process {id} was sent SIGHUP, and its log says what needs a restart",
        path.display()
    ));
    Ok(())
}
