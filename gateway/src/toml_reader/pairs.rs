//! Tables whose keys are not known beforehand.

use toml::de::DeValue;

use super::table::Table;

impl Table<'_> {
    /// The keys of the table `key` with their values, each a string, a whole number or a truth value, as text; empty
    /// where it is absent.
    pub fn pairs(&mut self, key: &'static str) -> Vec<(String, String)> {
        let table = self.table(key);
        let mut pairs = Vec::new();
        for (name, value) in table.content.into_iter().flatten() {
            let name = name.get_ref().to_string();
            let text = match value.get_ref() {
                DeValue::String(text) => table.document.expand(text),
                DeValue::Boolean(truth) => Ok(truth.to_string()),
                DeValue::Integer(number) => Ok(number.as_str().to_owned()),
                other => Err(format!(
                    "expected a string, a whole number, or true or false, found a {}",
                    other.type_str()
                )),
            };
            match text {
                Ok(text) => pairs.push((name, text)),
                Err(what) => table.fault(&name, &what),
            }
        }
        pairs
    }
}
