//! `influx-gateway check`: every fault, or one line that says that there is none.

use std::path::Path;

use super::{Failure, say};
use crate::app::{self, warnings};

pub(super) fn run(path: &Path) -> Result<(), Failure> {
    let (config, users) = app::load(path)?;
    app::load_tls(&config)?;
    for warning in users.iter().flat_map(|file| warnings::of(&config, &file.users)) {
        say::complain(&format!("warning: {warning}"));
    }
    let users = users.map_or("InfluxDB's".to_owned(), |file| file.users.count().to_string());
    say::mention(&format!("{}: good; users: {users}", path.display()));
    Ok(())
}
