//! `influx-gateway hash`: the PHC string of a password.

use super::{Failure, password};
use crate::user::password::{Cost, PasswordHash};

#[expect(clippy::print_stdout, reason = "the answer")]
pub(super) fn run() -> Result<(), Failure> {
    let password = password::read(false)?;
    println!("{}", PasswordHash::create_text(&password, Cost::RECOMMENDED));
    Ok(())
}
