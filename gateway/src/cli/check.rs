//! `influx-gateway check`: every fault, or one line that says that there is none.

use std::path::Path;

use super::{Failure, say};
use crate::app::{self, Loaded, warnings};

pub(super) fn run(path: &Path) -> Result<(), Failure> {
    let Loaded { config, users, .. } = app::load(path)?;
    for warning in users.iter().flat_map(|file| warnings::of(&config, &file.users)) {
        say::complain(&format!("warning: {warning}"));
    }
    let users = users.map_or("InfluxDB's".to_owned(), |file| file.users.count().to_string());
    say::mention(&format!("{}: good; users: {users}", path.display()));
    Ok(())
}
