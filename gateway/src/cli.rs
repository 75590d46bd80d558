//! The command line.

mod admin;
mod check;
mod demo;
mod diagnose;
mod explain;
mod hash;
mod password;
mod reload;
mod run;
mod say;
mod token;
mod user;

use std::fmt::Display;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::toml_reader::Diagnostic;

/// A reverse proxy in front of InfluxDB that signs users in and keeps their sessions.
#[derive(Parser)]
#[command(name = "influx-gateway", version, about, propagate_version = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the gateway
    Run(run::Arguments),
    /// Have the running gateway read its files again
    #[command(long_about = "Have the running gateway read its files again.\n\n\
                            They are checked first: with a fault in one of them, nothing changes. The process is \
                            asked by the listener for operators, [admin], which says what has come of it; without \
                            one, it is found by server.pid_file and sent SIGHUP.")]
    Reload(ConfigFile),
    /// Try it: a gateway with one user, in front of a built-in upstream
    Demo(demo::Arguments),
    /// Check the configuration and the users file
    Check(check::Arguments),
    /// Say what would become of a request, and why, without serving
    Explain(explain::Arguments),
    /// Collect what is needed to find a fault, without secrets, to paste into a report
    Diagnose(ConfigFile),
    /// Add, change, remove or list users of the users file
    #[command(subcommand)]
    User(user::Command),
    /// Make, list or remove gateway tokens of users of the users file
    #[command(subcommand)]
    Token(token::Command),
    /// List and end sessions of a running gateway
    #[command(subcommand)]
    Sessions(admin::Sessions),
    /// List and lift bans of a running gateway
    #[command(subcommand)]
    Bans(admin::Bans),
    /// Say how a running gateway is
    Status(admin::Asking),
    /// Print the hash of a password, for the users file
    #[command(long_about = "Print the hash of a password, for the users file.\n\n\
                            The password comes from a prompt, or from standard input when that \
                            is not a terminal.")]
    Hash,
}

#[derive(clap::Args)]
struct ConfigFile {
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = "conf/gateway.toml")]
    config: PathBuf,
}

/// Why a command failed. The exit code is for programs, the text for people.
enum Failure {
    /// What was asked for is not there: 1.
    NotThere(String),
    /// A running gateway does not answer: 69.
    Unavailable(String),
    /// It refuses to: 77.
    Refused(String),
    /// Wrong usage: 64.
    Usage(String),
    /// An address to listen on is not available: 69.
    Bind(String),
    /// The configuration or the users file has faults: 78.
    Configuration(Vec<Diagnostic>),
    /// A file could not be changed: 78.
    File(String),
    /// The answer could not be written to standard output: 74.
    Output(std::io::Error),
}

impl Failure {
    fn usage(error: impl Display) -> Self {
        Self::Usage(error.to_string())
    }

    fn code(&self) -> u8 {
        match self {
            Self::Usage(_) => 64,
            Self::NotThere(_) => 1,
            Self::Refused(_) => 77,
            Self::Bind(_) | Self::Unavailable(_) => 69,
            Self::Output(_) => 74,
            Self::Configuration(_) | Self::File(_) => 78,
        }
    }

    /// The lines for standard error.
    fn lines(&self) -> Vec<String> {
        match self {
            Self::Usage(text)
            | Self::Bind(text)
            | Self::File(text)
            | Self::NotThere(text)
            | Self::Unavailable(text)
            | Self::Refused(text) => {
                vec![format!("influx-gateway: {text}")]
            }
            Self::Output(error) => vec![format!("influx-gateway: standard output: {error}")],
            Self::Configuration(faults) => faults.iter().map(ToString::to_string).collect(),
        }
    }
}

impl From<Vec<Diagnostic>> for Failure {
    fn from(faults: Vec<Diagnostic>) -> Self {
        Self::Configuration(faults)
    }
}

/// The definition of the command line, for manual pages and shell completions.
#[cfg(feature = "internals")]
pub fn command_line() -> clap::Command {
    <Arguments as clap::CommandFactory>::command()
}

/// Runs the command of this process's arguments.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are no errors.
            let code = if error.use_stderr() { 64 } else { 0 };
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    let done = match arguments.command {
        Command::Run(arguments) => run::run(&arguments),
        Command::Reload(file) => reload::run(&file.config),
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Explain(arguments) => explain::run(arguments),
        Command::Diagnose(file) => diagnose::run(&file.config),
        Command::User(command) => user::run(&command),
        Command::Token(command) => token::run(&command),
        Command::Sessions(command) => admin::sessions(&command),
        Command::Bans(command) => admin::bans(&command),
        Command::Status(asking) => admin::status(&asking),
        Command::Hash => hash::run(),
    };
    let Err(failure) = done else { return ExitCode::SUCCESS };
    for line in failure.lines() {
        say::complain(&line);
    }
    ExitCode::from(failure.code())
}
