//! Tables for people: aligned, and nothing in them that a terminal obeys.

use serde_json::Value;

/// A table of so many columns.
pub struct Table<const N: usize> {
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    /// With these heads.
    pub fn new(heads: [&str; N]) -> Self {
        Self { rows: vec![heads.map(str::to_owned)] }
    }

    /// Adds the values of these keys as a row.
    pub fn add(&mut self, row: &Value, keys: [&str; N]) {
        self.rows.push(keys.map(|key| plain(&cell(&row[key]))));
    }

    /// The table.
    pub fn text(&self) -> String {
        let width = |column: usize| self.rows.iter().map(|row| row[column].chars().count()).max();
        let widths: Vec<_> = (0..N).map(|column| width(column).unwrap_or(0)).collect();
        let line = |row: &[String; N]| {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        self.rows.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

/// A value as it stands in a table.
pub(super) fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// `text` with everything escaped that is neither a letter, a digit, nor visible ASCII: no control character reaches a
/// terminal, and no mark turns text around.
pub(in crate::cli) fn plain(text: &str) -> String {
    let is_plain = |c: char| c == ' ' || c.is_ascii_graphic() || c.is_alphanumeric();
    text.chars()
        .map(|c| if is_plain(c) { c.to_string() } else { c.escape_unicode().to_string() })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn o_01_columns_are_aligned_and_nothing_reaches_the_terminal() {
        let mut table = Table::new(["USER", "N"]);
        table.add(&json!({ "user": "l\u{f6}we", "n": 7 }), ["user", "n"]);
        table.add(&json!({ "user": "\u{1b}[2J\u{202e}", "n": null }), ["user", "n"]);
        let expected = "USER               N\nl\u{f6}we               7\n\\u{1b}[2J\\u{202e}  -";
        assert_eq!(table.text(), expected);
    }
}
