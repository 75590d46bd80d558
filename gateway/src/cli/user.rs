//! `influx-gateway user`: the users file, changed in place.

use std::path::PathBuf;

use zeroize::Zeroizing;

use super::{ConfigFile, Failure, password, say};
use crate::app;
use crate::directory::edit::{self, Change};
use crate::stamp::Files;
use crate::user::name::Username;
use crate::user::password::{Memory, PasswordHash};

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Add a user
    Add(WithPassword),
    /// Change a user's password
    Passwd(WithPassword),
    /// Remove a user
    Remove(Named),
    /// List the users
    List(Listing),
}

#[derive(clap::Args)]
pub(super) struct Named {
    #[command(flatten)]
    file: ConfigFile,
    /// The user's name: visible ASCII without colon and comma
    #[arg(value_name = "NAME", value_parser = str::parse::<Username>)]
    name: Username,
}

#[derive(clap::Args)]
pub(super) struct WithPassword {
    #[command(flatten)]
    user: Named,
    /// Read the password from standard input instead of a prompt
    #[arg(long)]
    password_stdin: bool,
}

#[derive(clap::Args)]
pub(super) struct Listing {
    #[command(flatten)]
    file: ConfigFile,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Add(user) => {
            let hash = new_hash(user)?;
            apply(&user.user, &Change::Add(&hash), "added")
        }
        Command::Passwd(user) => {
            let hash = new_hash(user)?;
            apply(&user.user, &Change::SetPassword(&hash), "has a new password")
        }
        Command::Remove(user) => apply(user, &Change::Remove, "removed"),
        Command::List(listing) => list(listing),
    }
}

/// The PHC string of the new password, at the cost that the configuration says.
fn new_hash(user: &WithPassword) -> Result<Zeroizing<String>, Failure> {
    // Before anything is typed: the file must be there to be changed.
    users_file(&user.user.file)?;
    let cost = app::load_config(&user.user.file.config)?.signin.cost;
    let password = password::read(user.password_stdin)?;
    Ok(PasswordHash::create(&password, cost, &mut Memory::new(cost)).text())
}

fn users_file(file: &ConfigFile) -> Result<PathBuf, Failure> {
    let config = app::load_config(&file.config)?;
    app::users_path(&file.config, &config).ok_or_else(|| {
        Failure::File(format!(
            "{}: users.source is \"influxdb\": users are InfluxDB's, and changed there",
            file.config.display()
        ))
    })
}

fn apply(user: &Named, change: &Change<'_>, done: &str) -> Result<(), Failure> {
    let path = users_file(&user.file)?;
    edit::apply(&path, &user.name, change).map_err(|error| Failure::File(error.to_string()))?;
    say::mention(&format!("{}: {} {done}", path.display(), user.name));
    Ok(())
}

fn list(listing: &Listing) -> Result<(), Failure> {
    let users = app::load_users(&users_file(&listing.file)?, &Files::default())?;
    let users = users.sorted();
    if listing.json {
        let row = |user: &&std::sync::Arc<crate::user::User>| {
            serde_json::json!({
                "name": user.name.as_str(),
                "id": user.id.to_string(),
                "status": user.status.word(),
                "token": user.token.is_some(),
            })
        };
        let rows: Vec<_> = users.iter().map(row).collect();
        return say::answer(&serde_json::Value::from(rows).to_string());
    }
    let width = users.iter().map(|user| user.name.as_str().len()).max().unwrap_or(0).max(4);
    let mut lines = vec![format!("{:width$}  {:16}  {:8}  TOKEN", "NAME", "ID", "STATUS")];
    lines.extend(users.iter().map(|user| {
        let token = if user.token.is_some() { "own" } else { "-" };
        format!("{:width$}  {}  {:8}  {token}", user.name.as_str(), user.id, user.status.word())
    }));
    say::answer(&lines.join("\n"))
}
