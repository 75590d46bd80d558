//! The identity of a file, to see whether it has changed since it was read.

pub mod watched;

use std::cell::{Cell, RefCell};
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What differs when a file was written to, or another one was moved to its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileIdentity {
    device: u64,
    inode: u64,
    mode: u32,
    bytes: u64,
    /// When it was written to, in seconds and nanoseconds.
    written: (i64, i64),
    /// When anything about it changed: unlike the time before, nobody can set it back.
    changed: (i64, i64),
}

impl FileIdentity {
    /// The identity of the file at `path`, symbolic links followed.
    pub fn of(path: &Path) -> io::Result<Self> {
        fs::metadata(path).map(|file| Self::from(&file))
    }
}

impl From<&Metadata> for FileIdentity {
    fn from(file: &Metadata) -> Self {
        Self {
            device: file.dev(),
            inode: file.ino(),
            mode: file.mode(),
            bytes: file.len(),
            written: (file.mtime(), file.mtime_nsec()),
            changed: (file.ctime(), file.ctime_nsec()),
        }
    }
}

/// A file as it was at one time: where, and its identity; `None` if it could not be looked at.
pub type Seen = (PathBuf, Option<FileIdentity>);

/// Reads files that belong together, and remembers what each was like when it was read.
#[derive(Default)]
pub struct Files {
    /// How they must be; what is not in here may be as it likes.
    expected: Vec<Seen>,
    read: RefCell<Vec<Seen>>,
    moved: Cell<bool>,
    /// A pipe is read at start, if at all: later it would be waited for in vain.
    no_pipes: bool,
}

impl Files {
    /// Reads what was read at the start and may be another now.
    pub fn anew() -> Self {
        Self::again(Vec::new())
    }

    /// Reads again what must still be as it is in `expected`.
    fn again(expected: Vec<Seen>) -> Self {
        Self { expected, no_pipes: true, ..Self::default() }
    }

    /// The content of the file at `path`.
    pub fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let read = self.read_still(path);
        let identity = read
            .as_ref()
            .ok()
            .map(|(_, identity)| *identity)
            .or_else(|| FileIdentity::of(path).ok());
        self.read.borrow_mut().push((path.to_owned(), identity));
        read.map(|(content, _)| content)
    }

    /// The same of a file that holds text.
    pub fn read_text(&self, path: &Path) -> io::Result<String> {
        let content = self.read(path)?;
        String::from_utf8(content)
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8"))
    }

    fn read_still(&self, path: &Path) -> io::Result<(Vec<u8>, FileIdentity)> {
        if self.no_pipes && !fs::metadata(path)?.is_file() {
            return Err(io::Error::other("it is no regular file, which only the start reads"));
        }
        let mut file = File::open(path)?;
        let before = FileIdentity::from(&file.metadata()?);
        let mut content = Vec::new();
        file.read_to_end(&mut content)?;
        let expected = self.expected.iter().find(|(other, _)| other == path);
        let is_expected = expected.is_none_or(|(_, identity)| *identity == Some(before));
        if is_expected && before == FileIdentity::from(&file.metadata()?) {
            return Ok((content, before));
        }
        self.moved.set(true);
        Err(io::Error::other("it is being written to; it is read again in a moment"))
    }

    /// Whether somebody wrote to one of them in between.
    fn have_moved(&self) -> bool {
        self.moved.get()
    }

    /// What was read, or could not be.
    fn into_seen(self) -> Vec<Seen> {
        self.read.into_inner()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_to_or_swapped_has_another_stamp() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("a"), folder.path().join("b"));
        fs::write(&path, "1").unwrap();
        let mut last = FileIdentity::of(&path).unwrap();
        let mut differs = |what: &str| {
            let now = FileIdentity::of(&path).unwrap();
            assert_ne!(last, now, "{what}");
            last = now;
        };
        fs::write(&path, "12").unwrap();
        differs("longer");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
        differs("another mode");
        fs::write(&other, "12").unwrap();
        fs::remove_file(&path).unwrap();
        symlink(&other, &path).unwrap();
        differs("another file");
    }

    #[test]
    fn a_file_that_has_moved_on_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, "1").unwrap();
        let seen = vec![(path.clone(), FileIdentity::of(&path).ok())];
        let files = Files::again(seen.clone());
        assert_eq!(files.read_text(&path).unwrap(), "1");
        assert!(!files.have_moved());
        assert_eq!(files.into_seen(), seen);
        fs::write(&path, "12").unwrap();
        let files = Files::again(seen);
        assert!(files.read(&path).is_err());
        assert!(files.have_moved());
    }
}
