//! Editing the users file: comments stay, and no reader ever sees half a file.

mod change;
mod client_tokens;
mod error;
mod replace;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use toml_edit::{ArrayOfTables, DocumentMut, Item, Table, value};

use super::link::Link;
use super::users::ReadUsers;
use crate::file_identity::Files;
use crate::toml_reader::variables::{escape, names_in};
use crate::user::UserId;
use crate::user::name::Username;
use crate::user::password::PasswordHash;
pub use change::{Change, NewUser};
pub use error::EditError;

/// How long to wait for the lock of a users file. Anybody who may read the file can hold it.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// How long to wait between attempts.
pub const RETRY: Duration = Duration::from_millis(20);

/// Makes `change` to the user `name` in the users file at `path`, if `reader` takes what comes of it;
/// waits for other editors, but not for ever. [`Change::Add`] creates a missing file.
pub fn apply(
    path: &Path,
    name: &Username,
    change: &Change<'_>,
    reader: &dyn ReadUsers,
) -> Result<(), EditError> {
    if let Change::Add(_) = change
        && !path.exists()
    {
        edited("", name, change, reader)?;
        create_if_missing(path)
            .map_err(|source| EditError::Io { path: path.to_owned(), source })?;
    }
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Some(locked) = Locked::try_new(path)? {
            return locked.apply(name, change, reader);
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
    /// the lock, the change is made to that one. What `reader` does not take, is not written.
    pub fn apply(
        self,
        name: &Username,
        change: &Change<'_>,
        reader: &dyn ReadUsers,
    ) -> Result<(), EditError> {
        let Self { path, mut file } = self;
        loop {
            let io_error = |source| EditError::Io { path: path.clone(), source };
            let as_read = file.metadata().map_err(io_error)?;
            let mut text = String::new();
            file.read_to_string(&mut text).map_err(io_error)?;
            let text = edited(&text, name, change, reader).map_err(|error| match error {
                EditError::NotToml { .. } => EditError::NotToml { path: path.clone() },
                other => other,
            })?;
            // False if the file there is not this one any more.
            if replace::replace(&path, &as_read, text.as_bytes())? {
                return Ok(());
            }
            let again = Self::try_new(&path)?;
            file = again.ok_or_else(|| EditError::Locked { path: path.clone() })?.file;
        }
    }
}

/// The users file `text` after the `change`, which `reader` has taken.
fn edited(
    text: &str,
    name: &Username,
    change: &Change<'_>,
    reader: &dyn ReadUsers,
) -> Result<String, EditError> {
    let faults = |text: &str| reader.parse(text, &Files::default()).err();
    let Ok(mut document) = text.parse::<DocumentMut>() else {
        let not_toml = || EditError::NotToml { path: PathBuf::new() };
        return Err(faults(text).map_or_else(not_toml, EditError::Refused));
    };
    edit(&mut document, name, change, reader)?;
    let after = document.to_string();
    match faults(&after) {
        None => Ok(after),
        // What was wrong before is told by the lines of the file as it is.
        Some(new) => Err(EditError::Refused(faults(text).unwrap_or(new))),
    }
}

fn edit(
    document: &mut DocumentMut,
    name: &Username,
    change: &Change<'_>,
    reader: &dyn ReadUsers,
) -> Result<(), EditError> {
    let tail = document.trailing().as_str().unwrap_or_default().to_owned();
    let users = document.entry("user").or_insert(Item::ArrayOfTables(ArrayOfTables::new()));
    let users = users
        .as_array_of_tables_mut()
        .ok_or_else(|| EditError::NotToml { path: PathBuf::new() })?;
    let is_named = |table: &Table| meant(table, "name", reader).as_deref() == Some(name.as_str());
    let position = users.iter().position(is_named);
    let missing = || EditError::Missing(name.clone());

    match change {
        Change::Add(_) if position.is_some() => return Err(EditError::Exists(name.clone())),
        Change::Add(new) => {
            let mut table = Table::new();
            table.insert("name", value(escape(name.as_str())));
            table.insert("id", value(UserId::generate().to_string()));
            table.insert("password", value(new.hash));
            table.insert("status", value("active"));
            for (key, text) in new.more {
                table.insert(key, value(escape(text)));
            }
            let gap = if users.is_empty() && tail.is_empty() { "" } else { "\n" };
            table.decor_mut().set_prefix(format!("{tail}{gap}"));
            users.push(table);
            document.set_trailing("");
        }
        Change::SetPassword(hash) => {
            let table = position.and_then(|index| users.get_mut(index)).ok_or_else(missing)?;
            set_password(table, name, hash)?;
        }
        Change::Replace { id, old, new } => {
            let table = position.and_then(|index| users.get_mut(index)).ok_or_else(missing)?;
            let password = meant(table, "password", reader).unwrap_or_default();
            let is_same = id_of(table, reader) == Some(*id)
                && PasswordHash::parse(&password).as_ref() == Ok(old);
            if !is_same {
                return Err(EditError::Changed(name.clone()));
            }
            set_password(table, name, new)?;
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
            client_tokens::add(table, name, token, reader)?;
        }
        Change::RemoveToken(digest) => {
            let index = position.ok_or_else(missing)?;
            let table = users.get_mut(index).ok_or_else(missing)?;
            if let Some(head) = client_tokens::remove(table, name, *digest, reader)?
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

/// The string `key` of `table`, as it is meant.
fn meant(table: &Table, key: &str, reader: &dyn ReadUsers) -> Option<String> {
    reader.meant(table.get(key)?.as_str()?)
}

/// The user's id, as it is read: that which is written, or that which follows from the link.
fn id_of(table: &Table, reader: &dyn ReadUsers) -> Option<UserId> {
    if table.contains_key("id") {
        return meant(table, "id", reader)?.parse().ok();
    }
    Some(meant(table, "oidc", reader)?.parse::<Link>().ok()?.id())
}

/// The value alone is exchanged: a comment behind it stays. What comes from the environment stays as well: the
/// variable would have another value, and nobody would know.
fn set_password(table: &mut Table, name: &Username, hash: &str) -> Result<(), EditError> {
    let variables = table.get("password").and_then(Item::as_str).map(names_in);
    if let Some(variables) = variables.filter(|names| !names.is_empty()) {
        return Err(EditError::Elsewhere(name.clone(), variables));
    }
    match table.get_mut("password").and_then(Item::as_value_mut) {
        Some(old) => {
            let decor = old.decor().clone();
            *old = hash.into();
            *old.decor_mut() = decor;
        }
        None => drop(table.insert("password", value(hash))),
    }
    Ok(())
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
    use crate::directory::users::Users;
    use crate::toml_reader::Diagnostic;

    /// Takes any file, in which nothing is a variable.
    pub(super) struct Plain;

    impl ReadUsers for Plain {
        fn read(&self, _: &Files) -> Result<Users, Vec<Diagnostic>> {
            Ok(Users::none())
        }

        fn parse(&self, _: &str, _: &Files) -> Result<Users, Vec<Diagnostic>> {
            Ok(Users::none())
        }

        fn meant(&self, text: &str) -> Option<String> {
            Some(text.to_owned())
        }
    }

    fn check(before: &str, change: &Change<'_>, after: &str) {
        let mut document: DocumentMut = before.parse().unwrap();
        edit(&mut document, &"ada".parse().unwrap(), change, &Plain).unwrap();
        let text = document.to_string();
        let id = |line: &&str| !line.starts_with("id =");
        let lines: Vec<_> = text.lines().filter(id).collect();
        assert_eq!(lines.join("\n"), after);
    }

    const FILE: &str = "# head\n\n[[user]] # one\nname = \"ada\"\npassword = \"old\" # changed\n\
                        \n# second\n[[user]]\nname = \"bob\"\npassword = \"x\"\n";

    #[test]
    fn a_password_is_replaced_of_whom_the_file_gives_no_id_but_a_link() {
        const OLD: &str = "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHRzb21l$MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI";
        let text =
            format!("[[user]]\nname = \"ada\"\noidc = \"keycloak:8f1c\"\npassword = \"{OLD}\"\n");
        let old = PasswordHash::parse(OLD).unwrap();
        let link: Link = "keycloak:8f1c".parse().unwrap();
        let replace = Change::Replace { id: link.id(), old: &old, new: "new" };
        check(&text, &replace, text.replace(OLD, "new").trim_end());
        let mut document: DocumentMut = text.replace("8f1c", "8f1d").parse().unwrap();
        let result = edit(&mut document, &"ada".parse().unwrap(), &replace, &Plain);
        assert!(matches!(result, Err(EditError::Changed(_))));
    }

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
