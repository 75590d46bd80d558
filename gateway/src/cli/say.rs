//! Output of commands. A closed terminal, a full disk or a reader that stops reading never causes a panic. It is a
//! failure only if the answer itself is lost.

use std::io::{self, ErrorKind, Write};

use super::Failure;

/// The answer itself. A reader that is gone has had enough of it; anything else is a failure.
pub(super) fn answer(text: &str) -> Result<(), Failure> {
    match print(text) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Failure::Output(error)),
        _ => Ok(()),
    }
}

/// A secret that is shown this once. A reader that is gone has not got it either.
pub(super) fn hand_over(text: &str) -> Result<(), Failure> {
    print(text).map_err(Failure::Output)
}

/// A word on standard output beside what was done, which is done whether anybody reads it or not.
pub(super) fn mention(text: &str) {
    let _ = print(text);
}

/// A line on standard error to whoever called.
pub(super) fn complain(text: &str) {
    // If standard error cannot be written to, there is nowhere left to report it.
    let _ = io::stderr().write_all(format!("{text}\n").as_bytes());
}

fn print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(format!("{text}\n").as_bytes())?;
    stdout.flush()
}
