//! `influx-gateway check`: every fault, or one line that says that there is none.

use std::path::Path;

use super::Failure;
use crate::app;

#[expect(clippy::print_stdout, reason = "the answer")]
pub(super) fn run(path: &Path) -> Result<(), Failure> {
    let (_, users) = app::load(path)?;
    println!("{}: good; users: {}", path.display(), users.count());
    Ok(())
}
