//! Writes the manual pages and the shell completions into a folder, from the definition of the command line.
//!
//!     cargo run --features internals --example documents -- target/documents

use std::io;
use std::path::{Path, PathBuf};

use clap_complete::Shell;
use influx_gateway::internals::command_line;

const NAME: &str = "influx-gateway";

fn main() -> io::Result<()> {
    let Some(folder) = std::env::args_os().nth(1).map(PathBuf::from) else {
        return Err(io::Error::other("expected a folder to write into"));
    };
    let pages = folder.join("man");
    std::fs::create_dir_all(&pages)?;
    clap_mangen::generate_to(command_line(), &pages)?;
    for (shell, place) in [(Shell::Bash, "bash"), (Shell::Zsh, "zsh"), (Shell::Fish, "fish")] {
        complete(shell, &folder.join(place))?;
    }
    Ok(())
}

fn complete(shell: Shell, folder: &Path) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    clap_complete::generate_to(shell, &mut command_line(), NAME, folder).map(drop)
}
