//! The values of a document as JSON, for people to read.

use serde_json::{Map, Value};
use toml::de::{DeTable, DeValue};

use super::Document;

impl Document<'_> {
    /// All values, environment variables put in. Secrets are among them.
    pub fn values(&self) -> Value {
        table(self, self.root.get_ref())
    }
}

fn table(document: &Document<'_>, content: &DeTable<'_>) -> Value {
    let entry =
        |(key, value): (&toml::Spanned<std::borrow::Cow<'_, str>>, &toml::Spanned<DeValue<'_>>)| {
            (key.get_ref().to_string(), value_of(document, value.get_ref()))
        };
    Value::Object(content.iter().map(entry).collect::<Map<_, _>>())
}

fn value_of(document: &Document<'_>, value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => {
            let expanded = document.expand(text).unwrap_or_default();
            // As a number or a truth value may come from a variable.
            let is_variable = text.starts_with("${") && expanded != **text;
            let plain = || {
                serde_json::from_str(&expanded)
                    .ok()
                    .filter(|it: &Value| it.is_number() || it.is_boolean())
            };
            let typed = is_variable.then(plain).flatten();
            typed.unwrap_or(Value::String(expanded))
        }
        DeValue::Boolean(truth) => (*truth).into(),
        DeValue::Integer(integer) => {
            i64::from_str_radix(integer.as_str(), integer.radix()).map_or(Value::Null, Value::from)
        }
        DeValue::Float(float) => float.as_str().parse::<f64>().map_or(Value::Null, Value::from),
        DeValue::Datetime(time) => Value::String(time.to_string()),
        DeValue::Array(items) => {
            items.iter().map(|item| value_of(document, item.get_ref())).collect()
        }
        DeValue::Table(content) => table(document, content),
    }
}
