//! What a document says, key by key, to see in what another version of it differs.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use toml::de::{DeArray, DeTable, DeValue};
use zeroize::Zeroizing;

/// The keys of a document, each with its tables, and a digest of what is written there. How many tables an array of tables
/// has counts as a key of its own, `[[array]]`, beside those of the tables.
#[derive(Clone)]
pub struct Written {
    keys: BTreeMap<String, u64>,
    /// Some of it may be secret.
    text: Zeroizing<String>,
}

impl Written {
    pub(super) fn of(root: &DeTable<'_>, text: &str) -> Self {
        let mut keys = BTreeMap::new();
        enter(root, "", &mut keys);
        Self { keys, text: Zeroizing::new(text.to_owned()) }
    }

    /// All of it, comments as well, and secrets.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The keys that `other` has otherwise, or that only one of the two has. Where there are more or fewer tables of an
    /// array, that is the difference, whatever is in them.
    pub fn differences(&self, other: &Self) -> BTreeSet<String> {
        let keys = self.keys.keys().chain(other.keys.keys());
        let mut all: BTreeSet<_> =
            keys.filter(|key| self.keys.get(*key) != other.keys.get(*key)).cloned().collect();
        let arrays: Vec<_> =
            all.iter().filter_map(|key| Some(format!("{}.", array_of(key)?))).collect();
        all.retain(|key| !arrays.iter().any(|array| key.starts_with(array.as_str())));
        all
    }
}

/// The name of the array of tables whose number is the key `[[name]]`.
pub fn array_of(key: &str) -> Option<&str> {
    key.strip_prefix("[[")?.strip_suffix("]]")
}

fn enter(table: &DeTable<'_>, path: &str, keys: &mut BTreeMap<String, u64>) {
    for (key, value) in table {
        let key = key.get_ref();
        let path = if path.is_empty() { key.to_string() } else { format!("{path}.{key}") };
        match value.get_ref() {
            DeValue::Table(table) => enter(table, &path, keys),
            DeValue::Array(items) if is_of_tables(items) => enter_tables(items, &path, keys),
            value => {
                let mut digest = DefaultHasher::new();
                add(value, &mut digest);
                keys.insert(path, digest.finish());
            }
        }
    }
}

fn is_of_tables(items: &DeArray<'_>) -> bool {
    !items.is_empty() && items.iter().all(|item| matches!(item.get_ref(), DeValue::Table(_)))
}

/// Each key with what all the tables have there, and which of them has it.
fn enter_tables(items: &DeArray<'_>, path: &str, keys: &mut BTreeMap<String, u64>) {
    let mut digests: BTreeMap<&str, DefaultHasher> = BTreeMap::new();
    for (number, item) in items.iter().enumerate() {
        for (key, value) in item.get_ref().as_table().into_iter().flatten() {
            let digest = digests.entry(key.get_ref()).or_default();
            number.hash(digest);
            add(value.get_ref(), digest);
        }
    }
    let of_keys = digests.iter().map(|(key, digest)| (format!("{path}.{key}"), digest.finish()));
    keys.extend(of_keys);
    let mut count = DefaultHasher::new();
    items.len().hash(&mut count);
    keys.insert(format!("[[{path}]]"), count.finish());
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
                vec!["a.t.k", "a.x", "a.y", "b.z"],
            ),
            (
                "[a]\nx = 1\ny = [\"p\"]\n[[a.t]]\nk = \"w\"\n[[a.t]]\nl = 1\n[b]\nz = true\n",
                vec!["[[a.t]]"],
            ),
            ("[a]\nx = 1\ny = [\"p\"]\n[b]\nz = true\n", vec!["[[a.t]]"]),
        ] {
            let differences = old.differences(&written(new));
            assert_eq!(differences.iter().collect::<Vec<_>>(), expected, "{new}");
        }
    }
}
