//! A table of a document, read key by key.

use std::ops::{Range, RangeInclusive};
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Document, Environment, Location, Named};

/// One table of a document. Each getter answers `None` where the key is absent or faulty;
/// a faulty one has been reported by then.
pub struct Table<'d> {
    pub(super) document: &'d Document<'d>,
    pub(super) content: Option<&'d DeTable<'d>>,
    pub(super) span: Range<usize>,
    pub(super) path: String,
    pub(super) known: Vec<&'static str>,
}

impl<'d> Table<'d> {
    /// The table `key` below this one; an empty one where it is absent.
    pub fn table(&mut self, key: &'static str) -> Table<'d> {
        let path = self.path_of(key);
        let mut table = Table {
            document: self.document,
            content: None,
            span: self.span.clone(),
            path,
            known: Vec::new(),
        };
        if let Some(value) = self.value(key) {
            table.span = value.span();
            match value.get_ref() {
                DeValue::Table(content) => table.content = Some(content),
                other => self.fault(key, &format!("expected a table, found {}", kind(other))),
            }
        }
        table
    }

    /// The array of tables `key`, written `[[key]]`; empty where it is absent.
    pub fn tables(&mut self, key: &'static str) -> Vec<Table<'d>> {
        let Some(value) = self.value(key) else { return Vec::new() };
        let not_tables = |found: &str| {
            self.fault(key, &format!("expected tables, each written [[{key}]], found {found}"));
        };
        let DeValue::Array(array) = value.get_ref() else {
            not_tables(&kind(value.get_ref()));
            return Vec::new();
        };
        let mut tables = Vec::new();
        for item in array {
            if let DeValue::Table(table) = item.get_ref() {
                tables.push(Table {
                    document: self.document,
                    content: Some(table),
                    span: item.span(),
                    path: self.path_of(key),
                    known: Vec::new(),
                });
            } else {
                not_tables(&format!("an array that holds {}", kind(item.get_ref())));
            }
        }
        tables
    }

    /// A string, its environment variables expanded.
    pub fn text(&mut self, key: &'static str) -> Option<String> {
        let value = self.value(key)?;
        let DeValue::String(text) = value.get_ref() else {
            self.fault(key, &format!("expected a string, found {}", kind(value.get_ref())));
            return None;
        };
        self.kept(key, self.document.expand(text))
    }

    /// Whether there is such a key, good or bad.
    pub fn has(&self, key: &str) -> bool {
        self.content.is_some_and(|table| table.contains_key(key))
    }

    /// An array of strings, their environment variables expanded.
    pub fn texts(&mut self, key: &'static str) -> Option<Vec<String>> {
        let value = self.value(key)?;
        let DeValue::Array(array) = value.get_ref() else {
            self.fault(
                key,
                &format!("expected an array of strings, found {}", kind(value.get_ref())),
            );
            return None;
        };
        let texts = array.iter().map(|item| match item.get_ref() {
            DeValue::String(text) => self.document.expand(text),
            other => {
                Err(format!("expected an array of strings, found one that holds {}", kind(other)))
            }
        });
        let texts = texts.collect();
        self.kept(key, texts)
    }

    /// A string read by `parse`, whose error becomes the fault.
    pub fn parsed<T>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let text = self.text(key)?;
        self.kept(key, parse(&text))
    }

    /// The same of a key that must be there.
    pub fn required<T>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        if !self.has(key) {
            self.fault(key, "missing");
        }
        self.parsed(key, parse)
    }

    /// A file that must be named, looked for in `folder`.
    pub fn required_file(&mut self, key: &'static str, folder: &Path) -> Option<Named> {
        let path = self.required(key, |path| Ok(folder.join(path)))?;
        Some(Named { path, place: self.place(key) })
    }

    /// One of a few words.
    pub fn choice<T: Copy>(&mut self, key: &'static str, choices: &[(&str, T)]) -> Option<T> {
        self.parsed(key, |text| {
            choices.iter().find(|(word, _)| *word == text).map(|(_, choice)| *choice).ok_or_else(
                || {
                    let words: Vec<_> =
                        choices.iter().map(|(word, _)| format!("{word:?}")).collect();
                    format!("{text:?} is not one of {}", words.join(", "))
                },
            )
        })
    }

    /// A whole number of at least `least`.
    pub fn count(&mut self, key: &'static str, least: usize) -> Option<usize> {
        self.within(key, least..=usize::MAX)
    }

    /// A whole number in `range`.
    pub fn within(&mut self, key: &'static str, range: RangeInclusive<usize>) -> Option<usize> {
        let value = self.json(key)?;
        let count = value.as_u64().and_then(|count| usize::try_from(count).ok());
        let what = |bounds| format!("expected a whole number {bounds}, found {}", found(&value));
        let fault = || match range.clone().into_inner() {
            (least, usize::MAX) => what(format!("of at least {least}")),
            (least, most) => what(format!("from {least} to {most}")),
        };
        self.kept(key, count.filter(|count| range.contains(count)).ok_or_else(fault))
    }

    /// A number from 0 to 1.
    pub fn fraction(&mut self, key: &'static str) -> Option<f64> {
        let value = self.value(key)?;
        let json = match value.get_ref() {
            DeValue::Float(float) => {
                Ok(float.as_str().parse::<f64>().map_or(serde_json::Value::Null, Into::into))
            }
            other => self.json_of(other),
        };
        let json = self.kept(key, json)?;
        let fraction = json.as_f64().filter(|fraction| (0.0..=1.0).contains(fraction));
        let fault = || format!("expected a number from 0.0 to 1.0, found {}", found(&json));
        self.kept(key, fraction.ok_or_else(fault))
    }

    /// A truth value.
    pub fn boolean(&mut self, key: &'static str) -> Option<bool> {
        let value = self.json(key)?;
        let truth = value.as_bool();
        self.kept(
            key,
            truth.ok_or_else(|| format!("expected true or false, found {}", found(&value))),
        )
    }

    /// Any plain value as JSON. A string that consists of an environment variable may stand for
    /// a number or a truth value.
    pub fn json(&mut self, key: &'static str) -> Option<serde_json::Value> {
        let value = self.value(key)?;
        let json = self.json_of(value.get_ref());
        self.kept(key, json)
    }

    /// The keys that are present and that no getter has asked for.
    pub fn other_keys(&self) -> Vec<String> {
        let keys = self.content.iter().flat_map(|table| table.iter());
        keys.map(|(key, _)| key.get_ref().to_string())
            .filter(|key| !self.known.iter().any(|known| known == key))
            .collect()
    }

    /// Reports a fault at `key`, or at the table's head where the key is absent.
    pub fn fault(&self, key: &str, what: &str) {
        self.document.report(self.place(key).fault(what));
    }

    /// Where `key` stands, or the table's head where the key is absent.
    pub fn place(&self, key: &str) -> Location {
        let entry = self.content.and_then(|table| table.get_key_value(key));
        let span = entry.map_or_else(|| self.span.clone(), |(key, _)| key.span());
        Location {
            file: self.document.name.to_owned(),
            line: (span != (0..0) || self.path.is_empty()).then(|| self.document.line(&span)),
            key: self.path_of(key),
        }
    }

    /// A file, looked for in `folder`.
    pub fn file(&mut self, key: &'static str, folder: &Path) -> Option<Named> {
        let path = folder.join(self.text(key)?);
        Some(Named { path, place: self.place(key) })
    }

    /// Reports each key that no getter has asked for.
    pub fn close(self) {
        for key in self.other_keys() {
            let known = self.known.join(", ");
            self.fault(&key, &format!("unknown key; known here: {known}"));
        }
    }

    /// What surrounds the document.
    pub fn environment(&self) -> Environment<'d> {
        self.document.environment()
    }

    /// The line on which this table begins, from 1.
    pub fn line(&self) -> usize {
        self.document.line(&self.span)
    }

    fn value(&mut self, key: &'static str) -> Option<&'d Spanned<DeValue<'d>>> {
        // A key may be looked at twice, as a file's name and as what is in the file.
        if !self.known.contains(&key) {
            self.known.push(key);
        }
        self.content?.get(key)
    }

    fn kept<T>(&self, key: &str, result: Result<T, String>) -> Option<T> {
        result.map_err(|what| self.fault(key, &what)).ok()
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    fn json_of(&self, value: &DeValue<'_>) -> Result<serde_json::Value, String> {
        match value {
            DeValue::String(text) => {
                let expanded = self.document.expand(text)?;
                let is_variable = text.starts_with("${") && expanded != **text;
                let typed = is_variable.then(|| serde_json::from_str(&expanded).ok()).flatten();
                Ok(typed.unwrap_or(serde_json::Value::String(expanded)))
            }
            DeValue::Boolean(truth) => Ok((*truth).into()),
            DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix())
                .map(Into::into)
                .map_err(|_| "the number is too large".to_owned()),
            DeValue::Array(items) => {
                items.iter().map(|item| self.json_of(item.get_ref())).collect()
            }
            other => Err(format!(
                "expected a string, a whole number, true or false, or an array of them, found {}",
                kind(other)
            )),
        }
    }
}

/// What `value` is, for a fault: a number as it is, anything else by its kind, as a string may have come from
/// an environment variable and be secret.
pub fn found(value: &serde_json::Value) -> String {
    let kind = match value {
        serde_json::Value::Number(number) => return number.to_string(),
        serde_json::Value::String(_) => "a string",
        serde_json::Value::Bool(_) => "a boolean",
        serde_json::Value::Array(_) => "an array",
        serde_json::Value::Object(_) => "a table",
        serde_json::Value::Null => "nothing",
    };
    kind.to_owned()
}

fn kind(value: &DeValue<'_>) -> String {
    let kind = value.type_str();
    if kind.starts_with(['a', 'i']) { format!("an {kind}") } else { format!("a {kind}") }
}
