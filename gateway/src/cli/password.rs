//! A password, and perhaps a token, from a prompt or from standard input, never from the arguments.

use std::fs::File;
use std::io::{IsTerminal, Read};

use zeroize::Zeroizing;

use super::{Failure, say};
use crate::user::password::Password;

/// Longer ones cannot be used to sign in.
const MOST: usize = 1024;

/// InfluxDB's own tokens have 88 bytes.
const MOST_OF_TOKEN: usize = 8192;

/// InfluxDB's own least length.
const ADVISED: usize = 8;

/// Reads a password: from standard input if `from_stdin` or if that is not a terminal, otherwise
/// from a prompt, twice.
pub(super) fn read(from_stdin: bool) -> Result<Password, Failure> {
    let is_piped = from_stdin || !std::io::stdin().is_terminal();
    checked(if is_piped { piped() } else { typed() }?)
}

fn checked(password: Password) -> Result<Password, Failure> {
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

/// The same, and an API token from standard input.
///
/// The password is typed where there is a terminal to type it at; otherwise, or if `from_stdin`, it is the
/// first line of standard input, and the token the second.
pub(super) fn read_with_token(from_stdin: bool) -> Result<(Password, Zeroizing<String>), Failure> {
    if std::io::stdin().is_terminal() {
        let password = checked(typed()?)?;
        let token = rpassword::prompt_password("API token: ").map_err(Failure::usage)?;
        return Ok((password, Zeroizing::new(token)));
    }
    let text = standard_input(MOST + MOST_OF_TOKEN)?;
    let (password, token) = if from_stdin || File::open("/dev/tty").is_err() {
        let mut lines = text.splitn(2, |&byte| byte == b'\n');
        let (Some(password), Some(token)) = (lines.next(), lines.next()) else {
            let expected = "the password in the first line and the token in the second";
            return Err(Failure::usage(format!(
                "standard input: expected {expected}, found one line"
            )));
        };
        (Password::new(without_line_end(password).to_vec()), token)
    } else {
        (typed()?, &**text)
    };
    let token = std::str::from_utf8(token)
        .map_err(|_| Failure::usage("standard input: a token is visible ASCII without blanks"))?;
    Ok((checked(password)?, Zeroizing::new(token.trim().to_owned())))
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
    let bytes = standard_input(MOST)?;
    let line = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    Ok(Password::new(without_line_end(line).to_vec()))
}

/// As much of it as can be of use: `most` bytes and a line end, and one more to tell that it is too much.
fn standard_input(most: usize) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(most + 16));
    let read = std::io::stdin().take(most as u64 + 3).read_to_end(&mut bytes);
    read.map_err(|error| Failure::usage(format!("standard input: {error}")))?;
    Ok(bytes)
}

fn without_line_end(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}
