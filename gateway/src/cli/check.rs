//! `influx-gateway check`: every fault, or one line that says that there is none.

use std::path::Path;

use super::{Failure, say};
use crate::app;

pub(super) fn run(path: &Path) -> Result<(), Failure> {
    let (config, users) = app::load(path)?;
    app::load_tls(&config)?;
    let users = users.map_or("InfluxDB's".to_owned(), |file| file.users.count().to_string());
    say::mention(&format!("{}: good; users: {users}", path.display()));
    Ok(())
}
