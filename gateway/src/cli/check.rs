//! `influx-gateway check`: every fault; or which changes need a restart, and a line that says that there is
//! no fault. Online, what identity providers answer.

use super::{ConfigFile, Failure, say};
use crate::app::policy::NEEDS_RESTART;
use crate::app::{self, Loaded, warnings};
use crate::config::Config;

#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    file: ConfigFile,
    /// Ask identity providers for their keys too
    #[arg(long)]
    online: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let path = &arguments.file.config;
    let Loaded { config, users, .. } = app::load_to_serve(path)?;
    for warning in warnings::of(&config, users.as_ref().map(|file| &file.users)) {
        say::complain(&format!("warning: {warning}"));
    }
    say::mention(&format!("a change of these needs a restart: {}", NEEDS_RESTART.join(", ")));
    let others = if config.users.are_of_providers() { "providers'" } else { "InfluxDB's" };
    let users = users.map_or(others.to_owned(), |file| file.users.count().to_string());
    say::mention(&format!("{}: good; users: {users}", path.display()));
    if arguments.online { ask_providers(&config) } else { Ok(()) }
}

/// Says of each identity provider how many keys it has; a failure if one does not answer as it should.
fn ask_providers(config: &Config) -> Result<(), Failure> {
    let mut failed = 0;
    for (issuer, answer) in app::ask_providers(config) {
        match answer {
            Ok(count) => say::mention(&format!("{issuer}: good; keys: {count}")),
            Err(what) => {
                failed += 1;
                say::complain(&format!("{issuer}: {what}"));
            }
        }
    }
    if failed == 0 {
        return Ok(());
    }
    Err(Failure::Unavailable(format!("the keys of {failed} identity providers cannot be read")))
}
