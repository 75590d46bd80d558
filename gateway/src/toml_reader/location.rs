//! A place in a document, for faults that are found later.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Diagnostic;

/// Where in which file a key stands.
#[derive(Clone, PartialEq, Eq)]
pub struct Location {
    pub(super) file: String,
    pub(super) line: Option<usize>,
    pub(super) key: String,
}

impl Location {
    /// Something wrong with what is said here.
    pub fn fault(&self, what: impl Into<String>) -> Diagnostic {
        let Self { file, line, key } = self.clone();
        Diagnostic { file, line, key, what: what.into() }
    }
}

/// A file that a document names.
#[derive(Clone, PartialEq, Eq)]
pub struct Named {
    /// Where the file is.
    pub path: PathBuf,
    /// Where it is named.
    pub place: Location,
}

impl Named {
    /// Something wrong with the file.
    pub fn fault(&self, what: impl fmt::Display) -> Diagnostic {
        self.place.fault(format!("{}: {what}", self.path.display()))
    }
}

impl fmt::Debug for Named {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.fmt(out)
    }
}

/// The key at `span` of `text` with the tables that it is in.
pub(super) fn path_of(root: &Spanned<DeTable<'_>>, text: &str, span: &Range<usize>) -> String {
    let line = text[..span.start].rfind('\n').map_or(0, |end| end + 1);
    let before = text[line..span.start].trim_start();
    if before.starts_with('[') && !before.contains(['=', '{']) {
        return text[line..span.end].trim_start().trim_start_matches('[').trim().to_owned();
    }
    // With what stands before it in its line, if that is the first part of a dotted key.
    let start = if before.trim_end().ends_with('.') { line } else { span.start };
    let own = text[start..span.end].trim().trim_matches(['"', '\'']);
    let mut nearest = Nearest { start: 0, path: String::new(), text, at: span.start };
    nearest.visit_table(root.get_ref(), "");
    joined(&nearest.path, own)
}

fn joined(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// The table that begins last before a place, and goes on up to it.
struct Nearest<'a> {
    start: usize,
    path: String,
    text: &'a str,
    at: usize,
}

impl Nearest<'_> {
    fn visit_table(&mut self, table: &DeTable<'_>, path: &str) {
        for (key, value) in table {
            let path = joined(path, key.get_ref());
            match value.get_ref() {
                DeValue::Table(table) => {
                    self.consider(&value.span(), &path);
                    self.visit_table(table, &path);
                }
                DeValue::Array(array) => {
                    for item in array {
                        if let DeValue::Table(table) = item.get_ref() {
                            self.consider(&item.span(), &path);
                            self.visit_table(table, &path);
                        }
                    }
                }
                _ => {}
            }
        }
    }

    fn consider(&mut self, span: &Range<usize>, path: &str) {
        // A table with a header goes on up to the next; one in braces ends with them.
        let has_header = self.text[span.start..].starts_with('[');
        let reaches = has_header || span.contains(&self.at);
        if reaches && (self.start..=self.at).contains(&span.start) {
            self.start = span.start;
            path.clone_into(&mut self.path);
        }
    }
}
