//! The file that says which process serves: `influx-gateway reload` finds it there.
//!
//! The process holds a lock on it for as long as it lives, so that what was left by one that died is never believed.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::path::Path;
use std::process;

/// The file while the process lives. What is in it stays behind, and counts no more.
pub struct PidFile {
    _locked: File,
}

impl PidFile {
    /// Puts a file with the id of this process at `path`. Another process that has one there keeps its own, unseen.
    pub fn write(path: &Path) -> io::Result<Self> {
        let own = path.with_extension(format!("{}.new", process::id()));
        let mut file = File::create(&own)?;
        let written = file.try_lock().map_err(io::Error::from).and_then(|()| {
            file.write_all(format!("{}\n", process::id()).as_bytes())?;
            fs::rename(&own, path)
        });
        if written.is_err() {
            let _ = fs::remove_file(&own);
        }
        written.map(|()| Self { _locked: file })
    }
}

/// The id of the process that has the file at `path`; `None` if it has ended.
pub fn process_of(path: &Path) -> io::Result<Option<i32>> {
    let mut file = File::open(path)?;
    match file.try_lock_shared() {
        Ok(()) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            file.read_to_string(&mut text)?;
            let id = text.trim().parse().ok().filter(|id| *id > 0);
            id.map(Some).ok_or_else(|| io::Error::other("it holds no process id"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_is_known_for_as_long_as_it_has_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gateway.pid");
        assert!(process_of(&path).is_err());
        let first = PidFile::write(&path).unwrap();
        let second = PidFile::write(&path).unwrap();
        drop(first);
        let id = i32::try_from(process::id()).unwrap();
        assert_eq!(process_of(&path).unwrap(), Some(id));
        drop(second);
        assert_eq!(process_of(&path).unwrap(), None);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
