//! Editing the users file: comments stay, and no reader ever sees half a file.

mod client_tokens;
mod replace;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use toml_edit::{ArrayOfTables, DocumentMut, Item, Table, value};

use crate::user::UserId;
use crate::user::gateway_token::{ClientToken, Label, Mark, TokenDigest};
use crate::user::name::Username;
use crate::user::password::PasswordHash;

/// Why a users file was not changed.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// The file could not be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The users file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The file cannot be replaced by another one.
    #[error("{path}: {what}")]
    Place {
        /// The users file.
        path: PathBuf,
        /// What is in the way, and how to mend it.
        what: String,
    },
    /// Somebody else keeps the file locked.
    #[error(
        "{path}: another process has locked it (flock) for {}s and more; `lslocks` shows which",
        PATIENCE.as_secs()
    )]
    Locked {
        /// The users file.
        path: PathBuf,
    },
    /// The process ends.
    #[error("given up: the process ends")]
    GivenUp,
    /// The file is not TOML.
    #[error("{path}: not TOML; `influx-gateway check` tells where")]
    NotToml {
        /// The users file.
        path: PathBuf,
    },
    /// There is such a user already.
    #[error("there is a user {0} already; `influx-gateway user passwd` changes the password")]
    Exists(Username),
    /// There is no such user.
    #[error("there is no user {0}; `influx-gateway user list` shows who there is")]
    Missing(Username),
    /// The user has another hash in the file than the one that was to be replaced, or another id.
    #[error("the password of {0} was changed in the meantime")]
    Changed(Username),
    /// The user has a gateway token of that label already.
    #[error("{0} has a token {label:?} already; `influx-gateway token list` shows which there are", label = .1.as_str())]
    LabelExists(Username, Label),
    /// The user has no such gateway token.
    #[error("{0} has no token {1} any more; `influx-gateway token list` shows which there are")]
    TokenMissing(Username, Mark),
    /// The user's gateway tokens are no tables.
    #[error("client_token of {0} is no [[user.client_token]]; `influx-gateway check` tells where")]
    NotTables(Username),
}

/// A change to a users file.
pub enum Change<'a> {
    /// Adds a user.
    Add(NewUser<'a>),
    /// Replaces the password by this PHC string.
    SetPassword(&'a str),
    /// Replaces this hash of the password, if it is still there and still this user's.
    Replace {
        /// Whose it has to be.
        id: UserId,
        /// What has to be there.
        old: &'a PasswordHash,
        /// The new PHC string.
        new: &'a str,
    },
    /// Removes the user.
    Remove,
    /// Adds a gateway token to the user's.
    AddToken(&'a ClientToken),
    /// Removes the user's gateway token of this digest.
    RemoveToken(TokenDigest),
}

/// What a new user has besides a name.
pub struct NewUser<'a> {
    /// The password's PHC string.
    pub hash: &'a str,
    /// Further keys and their values, as they are to be read again.
    pub more: &'a [(&'static str, &'a str)],
}

/// How long to wait for the lock of a users file. Anybody who may read the file can hold it.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// How long to wait between attempts.
pub const RETRY: Duration = Duration::from_millis(20);

/// Makes `change` to the user `name` in the users file at `path`; waits for other editors, but not
/// for ever. [`Change::Add`] creates a missing file.
pub fn apply(path: &Path, name: &Username, change: &Change<'_>) -> Result<(), EditError> {
    if let Change::Add(_) = change {
        create_if_missing(path)
            .map_err(|source| EditError::Io { path: path.to_owned(), source })?;
    }
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Some(locked) = Locked::try_new(path)? {
            return locked.apply(name, change);
        }
        std::thread::park_timeout(RETRY);
    }
    Err(EditError::Locked { path: path.to_owned() })
}

/// A users file that nobody else edits: the lock ends with this.
pub struct Locked {
    path: PathBuf,
    file: File,
}

impl Locked {
    /// The users file at `path`; `None` while somebody else has it locked.
    pub fn try_new(path: &Path) -> Result<Option<Self>, EditError> {
        let io_error = |source| EditError::Io { path: path.to_owned(), source };
        loop {
            // A symbolic link stays one: what it points at is replaced.
            let path = fs::canonicalize(path).map_err(io_error)?;
            let file = File::open(&path).map_err(io_error)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(fs::TryLockError::WouldBlock) => return Ok(None),
                Err(fs::TryLockError::Error(error)) => return Err(io_error(error)),
            }
            // The lock is of the file that has the name now, not of one that was renamed away.
            let (locked, named) = (file.metadata(), fs::metadata(&path));
            if locked.map_err(io_error)?.ino() == named.map_err(io_error)?.ino() {
                return Ok(Some(Self { path, file }));
            }
        }
    }

    /// Makes `change` to the user `name`: the new file is written beside the old one, flushed to
    /// disk and renamed over it. If somebody has written another one there in the meantime, without
    /// the lock, the change is made to that one.
    pub fn apply(self, name: &Username, change: &Change<'_>) -> Result<(), EditError> {
        let Self { path, mut file } = self;
        loop {
            if edit_file(&path, &mut file, name, change)? {
                return Ok(());
            }
            let again = Self::try_new(&path)?;
            file = again.ok_or_else(|| EditError::Locked { path: path.clone() })?.file;
        }
    }
}

/// False if the file at `path` is not this one any more.
fn edit_file(
    path: &Path,
    file: &mut File,
    name: &Username,
    change: &Change<'_>,
) -> Result<bool, EditError> {
    let io_error = |source| EditError::Io { path: path.to_owned(), source };
    let not_toml = || EditError::NotToml { path: path.to_owned() };
    let as_read = file.metadata().map_err(io_error)?;
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(io_error)?;
    let mut document: DocumentMut = text.parse().map_err(|_| not_toml())?;
    edit(&mut document, name, change).map_err(|error| match error {
        EditError::NotToml { .. } => not_toml(),
        other => other,
    })?;
    replace::replace(path, &as_read, document.to_string().as_bytes())
}

fn edit(document: &mut DocumentMut, name: &Username, change: &Change<'_>) -> Result<(), EditError> {
    let tail = document.trailing().as_str().unwrap_or_default().to_owned();
    let users = document.entry("user").or_insert(Item::ArrayOfTables(ArrayOfTables::new()));
    let users = users
        .as_array_of_tables_mut()
        .ok_or_else(|| EditError::NotToml { path: PathBuf::new() })?;
    let is_named = |table: &Table| table.get("name").and_then(Item::as_str) == Some(name.as_str());
    let position = users.iter().position(is_named);
    let missing = || EditError::Missing(name.clone());

    match change {
        Change::Add(_) if position.is_some() => return Err(EditError::Exists(name.clone())),
        Change::Add(new) => {
            let mut table = Table::new();
            table.insert("name", value(name.as_str()));
            table.insert("id", value(UserId::generate().to_string()));
            table.insert("password", value(new.hash));
            table.insert("status", value("active"));
            for (key, text) in new.more {
                // Such a thing would be taken for a variable.
                table.insert(key, value(text.replace("${", "$${")));
            }
            let gap = if users.is_empty() && tail.is_empty() { "" } else { "\n" };
            table.decor_mut().set_prefix(format!("{tail}{gap}"));
            users.push(table);
            document.set_trailing("");
        }
        Change::SetPassword(hash) => {
            let table = position.and_then(|index| users.get_mut(index)).ok_or_else(missing)?;
            set_password(table, hash);
        }
        Change::Replace { id, old, new } => {
            let table = position.and_then(|index| users.get_mut(index)).ok_or_else(missing)?;
            let text = |key| table.get(key).and_then(Item::as_str).unwrap_or_default();
            let is_same = text("id").parse() == Ok(*id)
                && PasswordHash::parse(text("password")).as_ref() == Ok(old);
            if !is_same {
                return Err(EditError::Changed(name.clone()));
            }
            set_password(table, new);
        }
        Change::Remove => {
            let index = position.ok_or_else(missing)?;
            let head = users.get(index).map(head_comment).unwrap_or_default();
            users.remove(index);
            if let Some(foot) = put_above(users.get_mut(index), head) {
                document.set_trailing(format!("{foot}{tail}"));
            }
        }
        Change::AddToken(token) => {
            let table = position.and_then(|index| users.get_mut(index)).ok_or_else(missing)?;
            client_tokens::add(table, name, token)?;
        }
        Change::RemoveToken(digest) => {
            let index = position.ok_or_else(missing)?;
            let table = users.get_mut(index).ok_or_else(missing)?;
            if let Some(head) = client_tokens::remove(table, name, *digest)?
                && let Some(foot) = put_above(users.get_mut(index + 1), head)
            {
                document.set_trailing(format!("{foot}{tail}"));
            }
        }
    }
    Ok(())
}

/// Puts what stood above a table that is gone above the `next` one; gives it back if there is none.
fn put_above(next: Option<&mut Table>, head: String) -> Option<String> {
    let Some(next) = next else { return Some(head) };
    let own = prefix(next).trim_start_matches('\n').to_owned();
    next.decor_mut().set_prefix(format!("{head}{own}"));
    None
}

/// The value alone is exchanged: a comment behind it stays.
fn set_password(table: &mut Table, hash: &str) {
    match table.get_mut("password").and_then(Item::as_value_mut) {
        Some(old) => {
            let decor = old.decor().clone();
            *old = hash.into();
            *old.decor_mut() = decor;
        }
        None => drop(table.insert("password", value(hash))),
    }
}

/// What stands above a table and belongs to the file, not to the table: everything up to the
/// last blank line.
fn head_comment(table: &Table) -> String {
    let above = prefix(table);
    above.rfind("\n\n").map_or_else(String::new, |end| above[..end + 2].to_owned())
}

fn prefix(table: &Table) -> &str {
    table.decor().prefix().and_then(|raw| raw.as_str()).unwrap_or_default()
}

fn create_if_missing(path: &Path) -> io::Result<()> {
    let created = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    match created {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(before: &str, change: &Change<'_>, after: &str) {
        let mut document: DocumentMut = before.parse().unwrap();
        edit(&mut document, &"ada".parse().unwrap(), change).unwrap();
        let text = document.to_string();
        let id = |line: &&str| !line.starts_with("id =");
        let lines: Vec<_> = text.lines().filter(id).collect();
        assert_eq!(lines.join("\n"), after);
    }

    const FILE: &str = "# head\n\n[[user]] # one\nname = \"ada\"\npassword = \"old\" # changed\n\
                        \n# second\n[[user]]\nname = \"bob\"\npassword = \"x\"\n";

    #[test]
    fn comments_are_kept() {
        check(
            FILE,
            &Change::SetPassword("new"),
            "# head\n\n[[user]] # one\nname = \"ada\"\npassword = \"new\" # changed\n\
             \n# second\n[[user]]\nname = \"bob\"\npassword = \"x\"",
        );
        check(
            FILE,
            &Change::Remove,
            "# head\n\n# second\n[[user]]\nname = \"bob\"\npassword = \"x\"",
        );
        check(
            "# head\n",
            &Change::Add(NewUser { hash: "hash", more: &[] }),
            "# head\n\n[[user]]\nname = \"ada\"\npassword = \"hash\"\nstatus = \"active\"",
        );
        check("# head\n\n[[user]]\nname = \"ada\"\n# foot\n", &Change::Remove, "# head\n\n# foot");
    }
}
