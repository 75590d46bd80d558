//! `influx-gateway hash`: the PHC string of a password.

use super::{Failure, password, say};
use crate::user::password::{Cost, Memory, PasswordHash};

pub(super) fn run() -> Result<(), Failure> {
    let password = password::read(false)?;
    let mut memory = Memory::new(Cost::RECOMMENDED);
    let hash = PasswordHash::create(&password, Cost::RECOMMENDED, &mut memory);
    say::answer(&hash.text())
}
