//! A password from a prompt or from standard input, never from the arguments.

use std::io::{IsTerminal, Read};

use zeroize::Zeroizing;

use super::{Failure, say};
use crate::user::password::Password;

/// Longer ones cannot be used to sign in.
const MOST: usize = 1024;

/// InfluxDB's own least length.
const ADVISED: usize = 8;

/// Reads a password: from standard input if `from_stdin` or if that is not a terminal, otherwise
/// from a prompt, twice.
pub(super) fn read(from_stdin: bool) -> Result<Password, Failure> {
    let password = if from_stdin || !std::io::stdin().is_terminal() { piped() } else { typed() }?;
    match password.len() {
        0 => Err(Failure::usage("the password is empty")),
        length if length > MOST => {
            Err(Failure::usage(format!("the password is longer than {MOST} bytes")))
        }
        length => {
            if length < ADVISED {
                let why = "the password is shorter than 8 bytes, which InfluxDB does not accept";
                say::complain(&format!("influx-gateway: {why}"));
            }
            Ok(password)
        }
    }
}

fn typed() -> Result<Password, Failure> {
    let ask =
        |prompt| rpassword::prompt_password(prompt).map(Zeroizing::new).map_err(Failure::usage);
    let (first, second) = (ask("Password: ")?, ask("Again: ")?);
    if *first != *second {
        return Err(Failure::usage("the two passwords differ"));
    }
    Ok(Password::new(first.as_bytes().to_vec()))
}

/// All of standard input but the line end that `echo` adds.
fn piped() -> Result<Password, Failure> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(MOST + 16));
    let read = std::io::stdin().take(MOST as u64 + 3).read_to_end(&mut bytes);
    read.map_err(|error| Failure::usage(format!("standard input: {error}")))?;
    let line = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    Ok(Password::new(line.strip_suffix(b"\r").unwrap_or(line).to_vec()))
}
