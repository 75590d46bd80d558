//! Watched files: users, tokens and certificates, read again when they change.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{FileIdentity, Files, Seen};

/// The time between two comparisons: little enough for a change to count within a second.
pub const EVERY: Duration = Duration::from_millis(200);

/// A change counts when the files have stayed the same for so long, so none is read half-written unless its writer pauses
/// for longer.
const REST: Duration = Duration::from_millis(400);

/// How often the log repeats that files cannot be read.
const REPEAT: Duration = Duration::from_secs(60);

/// Something that is read from files and can be read again.
pub trait Source: Send + Sync {
    /// Reads it by `files`, and puts it to use as a whole; or changes nothing and says why.
    fn take(&self, files: &Files, occasion: Occasion) -> Result<(), Vec<String>>;

    /// Reports that the old state stays in use, and why.
    fn refused(&self, faults: &[String]);
}

/// Why something is read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// The files have changed.
    Changed,
    /// Somebody said so.
    Told,
}

/// A source and the files that it was read from, which are checked regularly.
pub struct Watched {
    source: Box<dyn Source>,
    state: Mutex<State>,
}

struct State {
    /// The files as they were when they were last read, whether they could be or not.
    read: Vec<Seen>,
    /// The same at the last look, and when they were first seen like that.
    looked: Option<(Vec<Seen>, Instant)>,
    /// Nothing has to be read again: what was read was taken, and the files had come to rest.
    is_done: bool,
    /// When it was last said that what was read is at fault.
    told: Option<Instant>,
}

impl Watched {
    /// `source`, read at start from `paths` and perhaps from others that they name. Since when they
    /// were read is not known, so it is read again soon.
    pub fn new(source: Box<dyn Source>, paths: impl IntoIterator<Item = PathBuf>) -> Self {
        let read = paths.into_iter().map(|path| (path, None)).collect();
        let state = State { read, looked: None, is_done: false, told: None };
        Self { source, state: Mutex::new(state) }
    }

    /// Looks at the files, and reads them if they have changed and come to rest, or could not be
    /// taken before. Asked for each [`EVERY`].
    pub fn look(&self, now: Instant) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let seen: Vec<Seen> = state.read.iter().map(|(path, _)| look_at(path)).collect();
        let same = state.looked.as_ref().filter(|(looked, _)| *looked == seen);
        let since = same.map_or(now, |(_, since)| *since);
        let is_at_rest = same.is_some() && now.duration_since(since) >= REST;
        state.looked = Some((seen.clone(), since));
        if is_at_rest && (!state.is_done || seen != state.read) {
            self.read(&mut state, Files::again(seen), Occasion::Changed, now);
        }
    }

    /// Reads the files at once, whatever they look like.
    pub fn read_now(&self, now: Instant) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.told = None;
        self.read(&mut state, Files::anew(), Occasion::Told, now);
        // Perhaps they were being written to.
        state.is_done = false;
    }

    fn read(&self, state: &mut State, files: Files, occasion: Occasion, now: Instant) {
        let taken = self.source.take(&files, occasion);
        if occasion == Occasion::Changed && files.have_moved() {
            // Next time, when they are at rest.
            state.is_done = false;
            return;
        }
        let read = files.into_seen();
        state.is_done = taken.is_ok();
        match taken {
            Ok(()) => state.told = None,
            Err(faults) => {
                let is_new = occasion == Occasion::Told || read != state.read;
                let is_due = state.told.is_none_or(|told| now.duration_since(told) >= REPEAT);
                if is_new || is_due {
                    self.source.refused(&faults);
                    state.told = Some(now);
                }
            }
        }
        state.read = read;
    }
}

fn look_at(path: &Path) -> Seen {
    (path.to_owned(), FileIdentity::of(path).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    /// What was taken from one file, or two if the first names another, and what was refused.
    #[derive(Default)]
    struct Texts {
        path: PathBuf,
        taken: Mutex<Vec<String>>,
        refused: Mutex<Vec<String>>,
        /// No descriptor can be had.
        is_flooded: AtomicBool,
    }

    impl Source for Arc<Texts> {
        fn take(&self, files: &Files, _occasion: Occasion) -> Result<(), Vec<String>> {
            if self.is_flooded.load(Ordering::Relaxed) {
                return Err(vec!["flooded".to_owned()]);
            }
            let read =
                |path: &Path| files.read_text(path).map_err(|error| vec![error.kind().to_string()]);
            let mut text = read(&self.path)?;
            if let Some(other) = text.strip_prefix("see ") {
                text = read(&self.path.with_file_name(other))?;
            }
            if text == "bad" {
                return Err(vec![text]);
            }
            self.taken.lock().unwrap().push(text);
            Ok(())
        }

        fn refused(&self, faults: &[String]) {
            self.refused.lock().unwrap().extend_from_slice(faults);
        }
    }

    struct Stage {
        _folder: tempfile::TempDir,
        texts: Arc<Texts>,
        watched: Watched,
        now: Instant,
    }

    impl Stage {
        fn new(text: &str) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("file");
            fs::write(&path, text).unwrap();
            let texts = Arc::new(Texts { path: path.clone(), ..Texts::default() });
            let watched = Watched::new(Box::new(Arc::clone(&texts)), [path]);
            Self { _folder: folder, texts, watched, now: Instant::now() }
        }

        fn write(&self, text: &str) {
            fs::write(&self.texts.path, text).unwrap();
        }

        /// Looks after a second.
        fn look(&mut self) {
            self.look_after(Duration::from_secs(1));
        }

        fn look_after(&mut self, time: Duration) {
            self.now += time;
            self.watched.look(self.now);
        }

        /// What was taken since this was last asked.
        fn taken(&self) -> Vec<String> {
            std::mem::take(&mut *self.texts.taken.lock().unwrap())
        }

        fn refused(&self) -> Vec<String> {
            std::mem::take(&mut *self.texts.refused.lock().unwrap())
        }
    }

    #[test]
    fn f_10_a_change_counts_once_two_looks_see_the_same() {
        let mut stage = Stage::new("one");
        stage.look();
        assert_eq!(stage.taken(), [""; 0]);
        stage.look();
        assert_eq!(stage.taken(), ["one"], "since when it was read at start is not known");
        for _ in 0..3 {
            stage.look();
        }
        assert_eq!(stage.taken(), [""; 0]);
        // Somebody who writes without a rest.
        for half in ["t", "tw", "tw", "t"].iter().cycle().take(20) {
            stage.write(half);
            stage.look();
        }
        assert_eq!(stage.taken(), [""; 0]);
        stage.write("two");
        stage.look();
        assert_eq!(stage.taken(), [""; 0]);
        stage.look();
        assert_eq!(stage.taken(), ["two"]);
    }

    #[test]
    fn a_change_counts_within_a_second_and_not_while_its_writer_pauses_for_a_moment() {
        let mut stage = Stage::new("one");
        (0..3).for_each(|_| stage.look());
        stage.taken();
        for half in ["t", "tw"] {
            stage.write(half);
            (0..2).for_each(|_| stage.look_after(EVERY));
            assert_eq!(stage.taken(), [""; 0]);
        }
        let rest = stage.now;
        stage.write("two");
        while stage.taken() != ["two"] {
            stage.look_after(EVERY);
            let waited = stage.now - rest;
            assert!(waited < Duration::from_secs(1), "not read after {waited:?}");
        }
    }

    #[test]
    fn f_10_being_told_reads_at_once_and_again_when_the_file_is_at_rest() {
        let mut stage = Stage::new("one");
        (0..3).for_each(|_| stage.look());
        stage.taken();
        stage.write("ha");
        stage.watched.read_now(stage.now);
        assert_eq!(stage.taken(), ["ha"]);
        stage.write("half");
        (0..3).for_each(|_| stage.look());
        assert_eq!(stage.taken(), ["half"]);
        stage.watched.read_now(stage.now);
        (0..5).for_each(|_| stage.look());
        assert_eq!(stage.taken(), ["half", "half"], "once more, and then no more");
    }

    #[test]
    fn f_11_what_could_not_be_read_is_tried_until_it_can_and_told_once_a_minute() {
        let mut stage = Stage::new("one");
        (0..3).for_each(|_| stage.look());
        stage.taken();
        stage.write("two");
        stage.texts.is_flooded.store(true, Ordering::Relaxed);
        (0..2).for_each(|_| stage.look());
        assert_eq!(stage.refused(), ["flooded"]);
        for _ in 0..59 {
            stage.look();
        }
        assert_eq!(stage.refused(), [""; 0]);
        for _ in 0..120 {
            stage.look();
        }
        assert_eq!(stage.refused(), ["flooded"; 2]);
        // Nobody touches the file.
        stage.texts.is_flooded.store(false, Ordering::Relaxed);
        stage.look();
        assert_eq!((stage.taken(), stage.refused()), (vec!["two".to_owned()], vec![]));
        // Another change that is at fault is told at once.
        for bad in ["see nothing", "bad"] {
            stage.write(bad);
            (0..5).for_each(|_| stage.look());
            assert_eq!(stage.refused().len(), 1, "{bad}");
        }
        fs::remove_file(&stage.texts.path).unwrap();
        (0..5).for_each(|_| stage.look());
        assert_eq!(stage.refused().len(), 1, "gone");
        stage.write("three");
        (0..3).for_each(|_| stage.look());
        assert_eq!((stage.taken(), stage.refused()), (vec!["three".to_owned()], vec![]));
    }

    #[test]
    fn f_11_a_file_that_another_one_names_may_come_later_and_change() {
        let mut stage = Stage::new("see other");
        let other = stage.texts.path.with_file_name("other");
        (0..5).for_each(|_| stage.look());
        assert_eq!(stage.taken(), [""; 0]);
        fs::write(&other, "late").unwrap();
        (0..3).for_each(|_| stage.look());
        assert_eq!(stage.taken(), ["late"]);
        fs::write(&other, "later").unwrap();
        (0..3).for_each(|_| stage.look());
        assert_eq!(stage.taken(), ["later"]);
    }
}
