//! Replaces a file atomically, with the same owner, group and mode.

use std::fs::{self, File, Metadata, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::Path;

use tempfile::NamedTempFile;

use super::EditError;
use crate::file_identity::FileIdentity;

/// What the names of new files begin with, until they have the right one.
const PREFIX: &str = ".users-";

/// Of the mode of the old file, what the new one keeps: nothing of the rights of others.
const KEPT: u32 = 0o770;

/// Puts `text` in the place of the file at `path`. False if it is no longer as it was read: it is
/// left alone then.
pub(super) fn replace(path: &Path, as_read: &Metadata, text: &[u8]) -> Result<bool, EditError> {
    let io_error = |source| EditError::Io { path: path.to_owned(), source };
    let in_the_way = |what| EditError::Place { path: path.to_owned(), what };
    let folder = path.parent().unwrap_or(Path::new("/"));
    remove_left_over(folder);
    let new = tempfile::Builder::new().prefix(PREFIX).tempfile_in(folder);
    let mut new = new.map_err(|error| in_the_way(no_new_file(folder, &error)))?;
    // Whoever cleans up sees that somebody is still at it.
    new.as_file().lock().map_err(io_error)?;
    keep_owner(&new, as_read).map_err(|error| in_the_way(no_owner(as_read, &error)))?;
    let mode = Permissions::from_mode(as_read.mode() & KEPT);
    new.as_file().set_permissions(mode).map_err(io_error)?;
    new.write_all(text).map_err(io_error)?;
    new.as_file().sync_all().map_err(io_error)?;
    if FileIdentity::of(path).map_err(io_error)? != as_read.into() {
        return Ok(false);
    }
    new.persist(path).map_err(|failed| in_the_way(no_rename(folder, &failed.error)))?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(io_error)?;
    Ok(true)
}

/// Edited by root, the file must still be readable for the gateway's own account.
fn keep_owner(new: &NamedTempFile, as_read: &Metadata) -> io::Result<()> {
    let mine = new.as_file().metadata()?;
    if (as_read.uid(), as_read.gid()) == (mine.uid(), mine.gid()) {
        return Ok(());
    }
    fchown(new.as_file(), Some(as_read.uid()), Some(as_read.gid()))
}

/// Removes new files of edits that were killed. What cannot be removed harms nobody.
fn remove_left_over(folder: &Path) {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    for entry in entries {
        let is_new = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
        // No link is followed, and nothing is waited for that is no file.
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if is_new && is_file && is_left_over(&entry.path()) {
            match fs::remove_file(entry.path()) {
                Ok(()) => log::debug!("{}: left over, removed", entry.path().display()),
                Err(error) => log::debug!("{}: left over: {error}", entry.path().display()),
            }
        }
    }
}

/// Whether nobody is still writing to it: a lock ends with whoever held it.
fn is_left_over(path: &Path) -> bool {
    File::open(path).is_ok_and(|file| file.try_lock().is_ok())
}

fn no_new_file(folder: &Path, error: &io::Error) -> String {
    format!(
        "{error}; an edit writes a new file beside the old one and renames it, so {} must be a \
         folder that can be written to",
        folder.display()
    )
}

fn no_owner(as_read: &Metadata, error: &io::Error) -> String {
    let (owner, group) = (as_read.uid(), as_read.gid());
    format!(
        "{error}; the new file must belong to user {owner} and group {group} as the old one does: \
         edit it as that user, or as root"
    )
}

fn no_rename(folder: &Path, error: &io::Error) -> String {
    let is_mounted = [io::ErrorKind::ResourceBusy, io::ErrorKind::CrossesDevices];
    if is_mounted.contains(&error.kind()) {
        return format!(
            "{error}; it is mounted by itself, as a single file into a container, and cannot be \
             replaced: mount the folder that it is in, and let `file` of [users] name it there"
        );
    }
    no_new_file(folder, error)
}
