//! `influx-gateway user`: the users file, changed in place.

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::{ConfigFile, Failure, password, say};
use crate::app::{self, UsersReader};
use crate::auth::credential::missing_token;
use crate::config::Config;
use crate::directory::edit::{self, Change, EditError, NewUser};
use crate::directory::users::ReadUsers;
use crate::file_identity::Files;
use crate::user::access::Access;
use crate::user::name::Username;
use crate::user::password::{Cost, Memory, Password, PasswordHash};
use crate::user::secret::ApiToken;

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Add a user
    Add(New),
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
    pub(super) file: ConfigFile,
    /// The user's name: visible ASCII without colon and comma
    #[arg(value_name = "NAME", value_parser = str::parse::<Username>)]
    pub(super) name: Username,
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
pub(super) struct New {
    #[command(flatten)]
    user: WithPassword,
    /// What the gateway forwards for the user; full by default
    #[arg(long, value_name = "ACCESS", value_parser = Access::ALL.map(Access::word))]
    access: Option<String>,
    /// File with the InfluxDB API token that is sent upstream for this user; the users file names it
    #[arg(long, value_name = "FILE", conflicts_with = "token_stdin")]
    token_file: Option<PathBuf>,
    /// Read that token from standard input and keep it in the users file; with --password-stdin it is the
    /// second line
    #[arg(long)]
    token_stdin: bool,
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
        Command::Add(new) => add(new),
        Command::Passwd(user) => {
            let cost = prepare(&user.user.file)?.signin.cost;
            let hash = hash(&password::read(user.password_stdin)?, cost);
            let changed = apply(&user.user, &Change::SetPassword(&hash))?;
            say::mention(&changed.told("has a new password"));
            Ok(())
        }
        Command::Remove(user) => {
            say::mention(&apply(user, &Change::Remove)?.told("removed"));
            Ok(())
        }
        Command::List(listing) => list(listing),
    }
}

/// The configuration, before anything is typed: the file must be there to be changed.
fn prepare(file: &ConfigFile) -> Result<Config, Failure> {
    users_file(file)?;
    Ok(app::load_config(&file.config)?)
}

/// The PHC string of a new password.
fn hash(password: &Password, cost: Cost) -> Zeroizing<String> {
    PasswordHash::create(password, cost, &mut Memory::new(cost)).text()
}

fn add(new: &New) -> Result<(), Failure> {
    let named = &new.user.user;
    let config = prepare(&named.file)?;
    // A relative path is one from where the command is called, and in the file from where that is.
    let token_file = match &new.token_file {
        Some(path) => Some(token_file(path, &users_file(&named.file)?.file.path)?),
        None => None,
    };
    let (password, token) = if new.token_stdin {
        let (password, token) = password::read_with_token(new.user.password_stdin)?;
        ApiToken::parse(&token).map_err(Failure::usage)?;
        (password, Some(token))
    } else {
        (password::read(new.user.password_stdin)?, None)
    };
    let hash = hash(&password, config.signin.cost);
    let mut more = Vec::new();
    more.extend(new.access.as_deref().map(|access| ("access", access)));
    more.extend(token_file.as_deref().map(|path| ("token_file", path)));
    more.extend(token.as_ref().map(|token| ("token", token.as_str())));
    let user = NewUser { hash: &hash, more: &more };
    say::mention(&apply(named, &Change::Add(user))?.told("added"));
    if token.is_none() && token_file.is_none() && config.upstream.token.is_none() {
        say::complain(&format!("influx-gateway: {}", missing_token(&named.name)));
    }
    Ok(())
}

/// `path` as the users file at `users` is to name it, if there is a token in it.
fn token_file(path: &Path, users: &Path) -> Result<String, Failure> {
    let fault = |what: String| Failure::File(format!("{}: {what}", path.display()));
    let absolute = |path| std::path::absolute(path).map_err(|error| fault(error.to_string()));
    let text = std::fs::read_to_string(path).map(Zeroizing::new);
    ApiToken::parse(&text.map_err(|error| fault(error.to_string()))?).map_err(fault)?;
    let (path, users) = (absolute(path)?, absolute(users)?);
    let beside = users.parent().and_then(|folder| path.strip_prefix(folder).ok());
    let named = beside.unwrap_or(&path).to_str().map(str::to_owned);
    named.ok_or_else(|| fault("a path in the users file must be UTF-8".to_owned()))
}

/// The users file that the configuration in `file` names, as the gateway reads it.
pub(super) fn users_file(file: &ConfigFile) -> Result<UsersReader, Failure> {
    let config = app::load_config(&file.config)?;
    let users = config.users.file().cloned().ok_or_else(|| {
        Failure::File(format!(
            "{}: users.source is not \"file\": users are InfluxDB's or an identity provider's, and changed there",
            file.config.display()
        ))
    })?;
    Ok(UsersReader { file: users, prefix: config.identity.token_prefix })
}

/// A change that was made to a user in a users file.
pub(super) struct Changed {
    path: PathBuf,
    name: Username,
}

impl Changed {
    /// A line that says what was `done` to whom, and where.
    pub(super) fn told(&self, done: &str) -> String {
        format!("{}: {} {done}", self.path.display(), self.name)
    }
}

/// Makes `change` to the users file.
pub(super) fn apply(user: &Named, change: &Change<'_>) -> Result<Changed, Failure> {
    let reader = users_file(&user.file)?;
    let path = &reader.file.path;
    edit::apply(path, &user.name, change, &reader).map_err(|error| match error {
        EditError::Refused(faults) => {
            let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
            let what = "nothing has changed, as the gateway would refuse the users file:";
            Failure::File(format!("{what}\n{}", faults.join("\n")))
        }
        other => Failure::File(other.to_string()),
    })?;
    Ok(Changed { path: reader.file.path, name: user.name.clone() })
}

fn list(listing: &Listing) -> Result<(), Failure> {
    let users = users_file(&listing.file)?.read(&Files::default())?;
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
