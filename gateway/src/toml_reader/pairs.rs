//! What is rarely asked of a table: keys that are not known beforehand, and where a string comes from.

use toml::de::DeValue;

use super::table::Table;
use super::variables;

impl Table<'_> {
    /// Whether the string `key` is that of environment variables, in part at least.
    pub fn is_of_the_environment(&self, key: &str) -> bool {
        let value = self.content.and_then(|table| table.get(key));
        let text = value.and_then(|value| value.get_ref().as_str());
        text.is_some_and(|text| !variables::names_in(text).is_empty())
    }

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
