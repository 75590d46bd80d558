//! `influx-gateway token`: gateway tokens of users, in the users file.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use super::admin::Table;
use super::user::{Named, apply, users_file};
use super::{ConfigFile, Failure, say};
use crate::clock;
use crate::directory::edit::Change;
use crate::directory::users::ReadUsers;
use crate::directory::users::Users;
use crate::file_identity::Files;
use crate::user::gateway_token::{ClientToken, Expiry, GatewayToken, Label, TokenDigest};
use crate::user::name::Username;

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Make a token for a user, and print it this once
    #[command(long_about = "Make a token for a user, and print it this once.\n\n\
                            The users file keeps its SHA-256 only. Whoever sends the token to the gateway, as \
                            `Authorization: Bearer` or `Token`, is the user.")]
    Add(New),
    /// List tokens: what they are called, and when they end
    List(Listing),
    /// Remove a token: within a second, nobody is let in with it any more
    #[command(
        long_about = "Remove a token: within a second, nobody is let in with it any more.\n\n\
                            Without --label and --fingerprint it is the user's only one that has no label."
    )]
    Remove(Removed),
}

#[derive(clap::Args)]
pub(super) struct New {
    #[command(flatten)]
    user: Named,
    /// What the token is called: 1 to 64 visible ASCII characters, with blanks between them
    #[arg(long, value_name = "LABEL", value_parser = str::parse::<Label>)]
    label: Option<Label>,
    /// After how long it ends, such as 90d or 12h; never by default
    #[arg(long, value_name = "TIME", value_parser = expiry)]
    expires: Option<Expiry>,
}

#[derive(clap::Args)]
pub(super) struct Listing {
    #[command(flatten)]
    file: ConfigFile,
    /// Those of this user only
    #[arg(value_name = "NAME", value_parser = str::parse::<Username>)]
    name: Option<Username>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
pub(super) struct Removed {
    #[command(flatten)]
    user: Named,
    /// The one that is called so
    #[arg(long, value_name = "LABEL", value_parser = str::parse::<Label>)]
    label: Option<Label>,
    /// The one whose SHA-256 begins so, from the list or the log: 4 or more hex digits
    #[arg(long, value_name = "DIGITS", value_parser = digits, conflicts_with = "label")]
    fingerprint: Option<String>,
}

pub(super) fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Add(new) => add(new),
        Command::List(listing) => list(listing),
        Command::Remove(removed) => remove(removed),
    }
}

fn add(new: &New) -> Result<(), Failure> {
    let token = GatewayToken::generate();
    let (label, expires) = (new.label.clone(), new.expires);
    let entry = ClientToken { label, digest: token.digest(), expires };
    let ends = expires.map_or_else(|| "never ends".to_owned(), |end| format!("ends at {end}"));
    let done = format!("has a new token {}, which {ends}", entry.digest.mark());
    let added = apply(&new.user, &Change::AddToken(&entry))?;
    say::hand_over(token.text()).map_err(|failure| take_out(&new.user, entry.digest, failure))?;
    say::complain(&added.told(&done));
    Ok(())
}

/// Removes the token of `digest` again, which nobody has: it could not be shown.
fn take_out(user: &Named, digest: TokenDigest, failure: Failure) -> Failure {
    let what = match apply(user, &Change::RemoveToken(digest)) {
        Ok(removed) => removed.told("has no new token: the token was removed again"),
        Err(failure) => {
            let mark = digest.mark();
            let remedy = "nobody has it; remove it with `influx-gateway token remove";
            let remedy = format!("{remedy} {} --fingerprint {mark}`", user.name);
            format!(
                "the token {mark} is still in the users file: {remedy}\n{}",
                failure.lines().join("\n")
            )
        }
    };
    say::complain(&what);
    failure
}

fn list(listing: &Listing) -> Result<(), Failure> {
    let (path, users) = users(&listing.file)?;
    if let Some(name) = &listing.name
        && !users.sorted().iter().any(|user| user.name == *name)
    {
        let what =
            format!("there is no user {name}; `influx-gateway user list` shows who there is");
        return Err(Failure::NotThere(format!("{}: {what}", path.display())));
    }
    let now = clock::unix_seconds();
    let of_user = |name: &Username| {
        let row = |token: &ClientToken| row(name, token, now);
        users.tokens_of(name).iter().map(row).collect::<Vec<_>>()
    };
    let names = users.sorted().into_iter().map(|user| &user.name);
    let wanted = names.filter(|name| listing.name.as_ref().is_none_or(|it| it == *name));
    let rows: Vec<_> = wanted.flat_map(of_user).collect();
    if listing.json {
        return say::answer(&Value::from(rows).to_string());
    }
    let mut table = Table::new(["USER", "LABEL", "FINGERPRINT", "EXPIRES", ""]);
    for row in &rows {
        let state = if row["expired"] == true { "expired" } else { "" };
        let mut row = row.clone();
        row["state"] = state.into();
        table.add(&row, ["user", "label", "fingerprint", "expires", "state"]);
    }
    say::answer(&table.text())
}

fn row(name: &Username, token: &ClientToken, now: u64) -> Value {
    json!({
        "user": name.as_str(),
        "label": token.label.as_ref().map(Label::as_str),
        "fingerprint": token.digest.mark().to_string(),
        "sha256": token.digest.to_string(),
        "expires": token.expires.map(|expires| expires.to_string()),
        "expired": token.has_ended(|| now),
    })
}

fn remove(removed: &Removed) -> Result<(), Failure> {
    let (path, users) = users(&removed.user.file)?;
    let name = &removed.user.name;
    let is_meant = |token: &&ClientToken| match (&removed.label, &removed.fingerprint) {
        (Some(label), _) => token.label.as_ref() == Some(label),
        (None, Some(digits)) => token.digest.to_string().starts_with(digits.as_str()),
        (None, None) => token.label.is_none(),
    };
    let is_named = removed.label.is_some() || removed.fingerprint.is_some();
    let found: Vec<_> = users.tokens_of(name).iter().filter(is_meant).collect();
    let list = "`influx-gateway token list` shows which there are";
    match found[..] {
        [] => {
            let such = if is_named { "such token" } else { "token without a label" };
            let what = format!("{}: {name} has no {such}; {list}", path.display());
            Err(Failure::NotThere(what))
        }
        [token] => {
            let done = format!("has the token {} no more", token.digest.mark());
            say::mention(&apply(&removed.user, &Change::RemoveToken(token.digest))?.told(&done));
            Ok(())
        }
        _ => {
            let so = if is_named { "begin so" } else { "have no label" };
            let what = format!("{} tokens of {name} {so}, none was removed; {list}", found.len());
            Err(Failure::usage(what))
        }
    }
}

fn users(file: &ConfigFile) -> Result<(PathBuf, Users), Failure> {
    let reader = users_file(file)?;
    let users = reader.read(&Files::default())?;
    Ok((reader.file.path, users))
}

fn expiry(text: &str) -> Result<Expiry, String> {
    let time = humantime::parse_duration(text).ok().filter(|time| *time >= Duration::from_secs(1));
    let expires = time.and_then(|time| Expiry::after(clock::unix_seconds(), time));
    expires.ok_or_else(|| "expected a time of a second or more, such as 90d or 12h".to_owned())
}

fn digits(text: &str) -> Result<String, String> {
    let is_hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hex && (4..=64).contains(&text.len()) {
        Ok(text.to_ascii_lowercase())
    } else {
        Err("expected 4 to 64 hex digits, as `influx-gateway token list` shows them".to_owned())
    }
}
