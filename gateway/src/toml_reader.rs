//! Reading of TOML that reports all faults at once, each with file, line and key.

mod kept;
mod location;
mod pairs;
mod table;
mod values;
pub mod variables;
mod written;

use std::cell::RefCell;
use std::fmt;
use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::DeTable;

pub use location::{Location, Named};
pub use table::{Table, found};
pub use written::{Written, array_of};

/// A fault in a file, reported to the operator.
///
/// Prints as `file:line: key: what is wrong; how to mend it`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The file, as the operator named it.
    pub file: String,
    /// The line, from 1; none where the file as a whole is meant.
    pub line: Option<usize>,
    /// The key with its tables, for example `session.idle`; may be empty.
    pub key: String,
    /// What is wrong, and how to mend it. Never a secret.
    pub what: String,
}

impl Diagnostic {
    /// A fault of a whole file.
    pub fn of_file(file: &str, what: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line: None, key: String::new(), what: what.into() }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:", self.file)?;
        if let Some(line) = self.line {
            write!(out, "{line}:")?;
        }
        if !self.key.is_empty() {
            write!(out, " {}:", self.key)?;
        }
        write!(out, " {}", self.what)
    }
}

/// Access to what a document refers to outside itself: environment variables and files.
#[derive(Clone, Copy)]
pub struct Environment<'a> {
    /// The value of an environment variable.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    /// The text of another file, or why it cannot be read.
    pub file: &'a dyn Fn(&Path) -> Result<String, String>,
}

/// How the parser calls a key that stands there twice. Its span is that of the key.
const DUPLICATE: &str = "duplicate key";

/// A TOML document that collects its faults.
pub struct Document<'a> {
    name: &'a str,
    text: &'a str,
    root: Spanned<DeTable<'a>>,
    /// Where lines begin after the first, in bytes: looked up for every table of a long file.
    line_starts: Vec<usize>,
    environment: Environment<'a>,
    faults: RefCell<Vec<Diagnostic>>,
}

impl<'a> Document<'a> {
    /// Parses `text`; syntax errors become faults, and what could be read is kept.
    pub fn parse(name: &'a str, text: &'a str, environment: Environment<'a>) -> Self {
        let (root, errors) = DeTable::parse_recoverable(text);
        let line_starts = text.match_indices('\n').map(|(end, _)| end + 1).collect();
        let faults = RefCell::default();
        let document = Self { name, text, root, line_starts, environment, faults };
        for error in errors {
            let line = error.span().map(|span| document.line(&span));
            // The message, not the error itself: that one quotes the line, secrets included.
            let what = error.message().replace('\n', ", ");
            let key = error.span().filter(|_| what == DUPLICATE);
            let key = key.map(|span| location::path_of(&document.root, text, &span));
            let key = key.unwrap_or_default();
            document.report(Diagnostic { line, key, ..Diagnostic::of_file(name, what) });
        }
        document
    }

    /// The root table of the document.
    pub fn root(&self) -> Table<'_> {
        Table {
            document: self,
            content: Some(self.root.get_ref()),
            span: 0..0,
            path: String::new(),
            known: Vec::new(),
        }
    }

    /// The document's access to variables and files.
    pub fn environment(&self) -> Environment<'a> {
        self.environment
    }

    /// What is written in it, key by key.
    pub fn written(&self) -> Written {
        Written::of(self.root.get_ref(), self.text)
    }

    /// All faults found so far, in the order of the lines.
    pub fn into_faults(self) -> Vec<Diagnostic> {
        let mut faults = self.faults.into_inner();
        faults.sort_by_key(|fault| fault.line);
        faults
    }

    fn report(&self, fault: Diagnostic) {
        self.faults.borrow_mut().push(fault);
    }

    fn line(&self, span: &Range<usize>) -> usize {
        1 + self.line_starts.partition_point(|start| *start <= span.start)
    }

    /// `text` with the environment's variables put in.
    fn expand(&self, text: &str) -> Result<String, String> {
        variables::expand(text, self.environment.variable)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Environment with one variable, `NAME`, and no files.
    pub(crate) const BARE: Environment<'static> = Environment {
        variable: &|name| (name == "NAME").then(|| "${value}".to_owned()),
        file: &|_| Err("no such file".to_owned()),
    };

    fn check(text: &str, read: impl FnOnce(&mut Table<'_>), expected: &[&str]) {
        let document = Document::parse("f.toml", text, BARE);
        let mut root = document.root();
        read(&mut root);
        root.close();
        let faults: Vec<_> = document.into_faults().iter().map(Diagnostic::to_string).collect();
        assert_eq!(faults, expected, "{text}");
    }

    #[test]
    fn faults_name_file_line_and_key_all_at_once() {
        check(
            "a = 1\nb = 'x'\n\n[t]\nc = true\n",
            |root| {
                assert_eq!(root.text("a"), None);
                assert_eq!(root.count("b", 0), None);
                let mut table = root.table("t");
                assert_eq!(table.texts("c"), None);
                table.close();
            },
            &[
                "f.toml:1: a: expected a string, found an integer",
                "f.toml:2: b: expected a whole number of at least 0, found a string",
                "f.toml:5: t.c: expected an array of strings, found a boolean",
            ],
        );
    }

    #[test]
    fn faults_say_what_is_expected_and_what_was_found() {
        check(
            "a = 1.5\nb = '${NAME}'\nc = 0\nd = [1]\ne = [[]]\nf = true\ng = [[['x']]]\n",
            |root| {
                assert_eq!(root.json("a"), None);
                assert_eq!(root.boolean("b"), None);
                assert_eq!(root.count("c", 1), None);
                assert_eq!(root.texts("d"), None);
                assert!(root.tables("e").is_empty() && root.tables("f").is_empty());
                assert!(root.table("g").content.is_none());
            },
            &[
                "f.toml:1: a: expected a string, a whole number, true or false, or an array of \
                 them, found a float",
                "f.toml:2: b: expected true or false, found a string",
                "f.toml:3: c: expected a whole number of at least 1, found 0",
                "f.toml:4: d: expected an array of strings, found one that holds an integer",
                "f.toml:5: e: expected tables, each written [[e]], found an array that holds an array",
                "f.toml:6: f: expected tables, each written [[f]], found a boolean",
                "f.toml:7: g: expected a table, found an array",
            ],
        );
    }

    #[test]
    fn unknown_and_duplicate_keys_are_faults() {
        check(
            "a = 1\nz = 2\n",
            |root| assert_eq!(root.count("a", 1), Some(1)),
            &["f.toml:2: z: unknown key; known here: a"],
        );
        check(
            "a = 1\na = 2\n",
            |root| {
                root.count("a", 1);
            },
            &["f.toml:2: a: duplicate key"],
        );
    }

    #[test]
    fn f_37_a_duplicate_key_is_named_with_its_tables() {
        for (text, fault) in [
            ("[t]\nb = 1\n\n[t.u]\nb = 1\nb = 's'\n", "f.toml:6: t.u.b: duplicate key"),
            ("[[t]]\nb = 1\n[[t]]\nb = 1\n'b' = 2\n", "f.toml:5: t.b: duplicate key"),
            ("[t]\nb = 1\n[u]\n[t]\nc = 1\n", "f.toml:4: t: duplicate key"),
            ("[t]\nb = { c = 's', c = 's' }\n", "f.toml:2: t.b.c: duplicate key"),
            ("a = {b = 1}\n[t]\nc.d = 1\nc.d = 's'\n", "f.toml:4: t.c.d: duplicate key"),
            ("a = \"\"\"\n[s]\n\"\"\"\na = 's'\n", "f.toml:4: a: duplicate key"),
            ("[t]\n[[t]]\n", "f.toml:2: t: duplicate key"),
        ] {
            let faults = Document::parse("f.toml", text, BARE).into_faults();
            let told: Vec<_> = faults.iter().map(Diagnostic::to_string).collect();
            assert_eq!(told, [fault], "{text}");
        }
    }

    #[test]
    fn environment_variables_are_expanded_once() {
        check(
            "a = 'x-${NAME}-$${NAME}-$z'\nb = '${MISSING}'\nc = '${NAME'\n",
            |root| {
                assert_eq!(root.text("a").as_deref(), Some("x-${value}-${NAME}-$z"));
                assert_eq!(root.text("b"), None);
                assert_eq!(root.text("c"), None);
            },
            &[
                "f.toml:2: b: the environment variable \"MISSING\" is not set",
                "f.toml:3: c: `${` without `}`; write `$${` for a plain `${`",
            ],
        );
    }

    #[test]
    fn syntax_errors_do_not_quote_the_line() {
        let document = Document::parse("f.toml", "ok = 1\npassword = 'secret\n", BARE);
        let faults = document.into_faults();
        assert_eq!(faults[0].line, Some(2));
        assert!(!faults[0].to_string().contains("secret"));
    }
}
