//! `influx-gateway check`: every fault, or one line that says that there is none.

use std::path::Path;

use super::Failure;
use crate::app;

#[expect(clippy::print_stdout, reason = "the answer")]
pub(super) fn run(path: &Path) -> Result<(), Failure> {
    let users = match app::load(path)? {
        (_, Some(file)) => file.users.count().to_string(),
        (_, None) => "InfluxDB's".to_owned(),
    };
    println!("{}: good; users: {users}", path.display());
    Ok(())
}
