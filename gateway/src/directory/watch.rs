//! Whether a file has changed since one last looked.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::stamp::Stamp;

/// A file that is looked at now and then.
pub(super) struct Watch {
    path: PathBuf,
    seen: Mutex<Option<Stamp>>,
}

impl Watch {
    /// The file at `path`. At the first look it has changed: since when it was read is not known.
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, seen: Mutex::default() }
    }

    /// Where the file is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it has changed since the last look. A file that is gone has not: an editor may be
    /// about to put another one there.
    pub(super) fn has_changed(&self) -> bool {
        let now = Stamp::of(&self.path).ok();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if now.is_none() || *seen == now {
            return false;
        }
        *seen = now;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn n_03_writing_and_swapping_are_changes_and_vanishing_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("a"), folder.path().join("b"));
        fs::write(&path, "1").unwrap();
        let watch = Watch::new(path.clone());
        assert!(watch.has_changed());
        assert!(!watch.has_changed());
        fs::write(&path, "12").unwrap();
        assert!(watch.has_changed());
        assert!(!watch.has_changed());
        fs::remove_file(&path).unwrap();
        assert!(!watch.has_changed());
        fs::write(&other, "34").unwrap();
        std::os::unix::fs::symlink(&other, &path).unwrap();
        assert!(watch.has_changed());
    }
}
