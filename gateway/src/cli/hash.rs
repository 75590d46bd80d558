//! `influx-gateway hash`: the PHC string of a password.

use super::{Failure, password};
use crate::user::password::{Cost, Memory, PasswordHash};

#[expect(clippy::print_stdout, reason = "the answer")]
pub(super) fn run() -> Result<(), Failure> {
    let password = password::read(false)?;
    let mut memory = Memory::new(Cost::RECOMMENDED);
    let hash = PasswordHash::create(&password, Cost::RECOMMENDED, &mut memory);
    println!("{}", *hash.text());
    Ok(())
}
