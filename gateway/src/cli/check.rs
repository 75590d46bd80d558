//! `influx-gateway check`: every fault; or which changes need a restart, and a line that says that there is
//! no fault.

use std::path::Path;

use super::{Failure, say};
use crate::app::policy::NEEDS_RESTART;
use crate::app::{self, Loaded, warnings};

pub(super) fn run(path: &Path) -> Result<(), Failure> {
    let Loaded { config, users, .. } = app::load(path)?;
    for warning in users.iter().flat_map(|file| warnings::of(&config, &file.users)) {
        say::complain(&format!("warning: {warning}"));
    }
    say::mention(&format!("a change of these needs a restart: {}", NEEDS_RESTART.join(", ")));
    let users = users.map_or("InfluxDB's".to_owned(), |file| file.users.count().to_string());
    say::mention(&format!("{}: good; users: {users}", path.display()));
    Ok(())
}
