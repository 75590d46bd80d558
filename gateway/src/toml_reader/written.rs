//! What a document says, key by key, to see in what another version of it differs.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use toml::de::{DeTable, DeValue};

/// The keys of a document, each with its tables, and a digest of what is written there: no value is kept, as it may be
/// secret. An array of tables counts as one key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written(BTreeMap<String, u64>);

impl Written {
    pub(super) fn of(root: &DeTable<'_>) -> Self {
        let mut keys = BTreeMap::new();
        enter(root, "", &mut keys);
        Self(keys)
    }

    /// The keys that `other` has otherwise, or that only one of the two has.
    pub fn differences(&self, other: &Self) -> BTreeSet<String> {
        let keys = self.0.keys().chain(other.0.keys());
        keys.filter(|key| self.0.get(*key) != other.0.get(*key)).cloned().collect()
    }
}

fn enter(table: &DeTable<'_>, path: &str, keys: &mut BTreeMap<String, u64>) {
    for (key, value) in table {
        let key = key.get_ref();
        let path = if path.is_empty() { key.to_string() } else { format!("{path}.{key}") };
        if let DeValue::Table(table) = value.get_ref() {
            enter(table, &path, keys);
        } else {
            let mut digest = DefaultHasher::new();
            add(value.get_ref(), &mut digest);
            keys.insert(path, digest.finish());
        }
    }
}

fn add(value: &DeValue<'_>, digest: &mut DefaultHasher) {
    value.type_str().hash(digest);
    match value {
        DeValue::String(text) => text.hash(digest),
        DeValue::Integer(integer) => integer.as_str().hash(digest),
        DeValue::Float(float) => float.as_str().hash(digest),
        DeValue::Boolean(truth) => truth.hash(digest),
        DeValue::Datetime(time) => time.to_string().hash(digest),
        DeValue::Array(items) => {
            items.len().hash(digest);
            items.iter().for_each(|item| add(item.get_ref(), digest));
        }
        DeValue::Table(table) => {
            table.len().hash(digest);
            for (key, value) in table {
                key.get_ref().hash(digest);
                add(value.get_ref(), digest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::toml_reader::Document;
    use crate::toml_reader::tests::BARE;

    #[test]
    fn differences_are_named_by_key_and_comments_and_order_are_none() {
        let written = |text| Document::parse("", text, BARE).written();
        let old = written("[a]\nx = 1\ny = [\"p\"]\n[[a.t]]\nk = \"v\"\n[b]\nz = true\n");
        for (new, expected) in [
            ("# c\n[b]\nz = true\n[a]\ny = [ \"p\" ]\nx = 1\n[[a.t]]\nk = \"v\" # c\n", vec![]),
            ("[a]\nx = 2\ny = [\"p\"]\n[[a.t]]\nk = \"v\"\n[b]\nz = true\n", vec!["a.x"]),
            (
                "[a]\nx = \"1\"\ny = [\"p\", \"q\"]\n[[a.t]]\nk = \"w\"\n",
                vec!["a.t", "a.x", "a.y", "b.z"],
            ),
        ] {
            let differences = old.differences(&written(new));
            assert_eq!(differences.iter().collect::<Vec<_>>(), expected, "{new}");
        }
    }
}
