//! A document in which some keys are as another one has them: what is in force of a file that was changed.

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::{Document, array_of};

/// What tells one table of an array from another.
const ID: &str = "id";

impl<'a> Document<'a> {
    /// The same, but with `keys`, each with its tables, as they are in the text `before`, which is TOML; `[[array]]` stands
    /// for how many tables there are, and which. In those that are here too, by their `id`, a key that does not `stay` is
    /// as it is here. Of what is as it was before, no line is told.
    #[must_use]
    pub fn keeping(
        mut self,
        keys: &[String],
        before: &'a str,
        stays: &dyn Fn(&str) -> bool,
    ) -> Self {
        let (before, _) = DeTable::parse_recoverable(before);
        for key in keys {
            let array = array_of(key);
            let stays = |key: &str| array.is_none_or(|array| stays(&format!("{array}.{key}")));
            keep(self.root.get_mut(), before.get_ref(), array.unwrap_or(key), &stays);
        }
        self
    }
}

/// Has what is at `path` in `now` as it is in `before`.
fn keep<'a>(now: &mut DeTable<'a>, before: &DeTable<'a>, path: &str, stays: &dyn Fn(&str) -> bool) {
    // A key may have dots of its own.
    let mut ends = path.match_indices('.').map(|(end, _)| end).chain([path.len()]);
    let is_key = |end: &usize| [&*now, before].iter().any(|it| it.contains_key(&path[..*end]));
    let Some(end) = ends.rfind(is_key) else { return };
    let (key, rest) = (&path[..end], path.get(end + 1..));
    let was = before.get(key).map(Spanned::get_ref);
    let Some(rest) = rest else {
        match (was, now.get_mut(key)) {
            (Some(was), Some(is)) => {
                let kept = merged(is.get_ref(), was, stays);
                *is = nowhere(kept);
            }
            (Some(was), None) => insert(now, key, without_places(was)),
            (None, _) => drop(now.remove(key)),
        }
        return;
    };
    if !now.contains_key(key) {
        insert(now, key, DeValue::Table(DeTable::new()));
    }
    let nothing = DeTable::new();
    match (now.get_mut(key).map(Spanned::get_mut), was) {
        (Some(DeValue::Array(is)), Some(DeValue::Array(was))) => {
            for (is, was) in is.iter_mut().zip(was.iter()) {
                if let (DeValue::Table(is), DeValue::Table(was)) = (is.get_mut(), was.get_ref()) {
                    keep(is, was, rest, stays);
                }
            }
        }
        (Some(DeValue::Table(is)), was) => {
            keep(is, was.and_then(DeValue::as_table).unwrap_or(&nothing), rest, stays);
            // A table that says nothing may mean something.
            if is.is_empty() && was.is_none() {
                now.remove(key);
            }
        }
        _ => {}
    }
}

/// What `was`; of tables that there are now as well, with what does not stay as it is now.
fn merged<'a>(is: &DeValue<'a>, was: &DeValue<'a>, stays: &dyn Fn(&str) -> bool) -> DeValue<'a> {
    let mut kept = without_places(was);
    let (Some(is), DeValue::Array(tables)) = (is.as_array(), &mut kept) else { return kept };
    for table in tables.iter_mut() {
        let DeValue::Table(table) = table.get_mut() else { continue };
        let Some(other) = with_id(is, id(table)) else { continue };
        let changing: Vec<_> = [&*table, other]
            .iter()
            .flat_map(|it| it.keys())
            .map(|key| key.get_ref().to_string())
            .filter(|key| !stays(key))
            .collect();
        for key in changing {
            table.remove(&*key);
            if let Some((place, value)) = other.get_key_value(&*key) {
                table.insert(place.clone(), value.clone());
            }
        }
    }
    kept
}

fn with_id<'t, 'a>(tables: &'t DeArray<'a>, wanted: Option<&str>) -> Option<&'t DeTable<'a>> {
    let mut tables = tables.iter().filter_map(|table| table.get_ref().as_table());
    tables.find(|table| wanted.is_some() && id(table) == wanted)
}

fn id<'t>(table: &'t DeTable<'_>) -> Option<&'t str> {
    table.get(ID)?.get_ref().as_str()
}

fn insert<'a>(table: &mut DeTable<'a>, key: &str, value: DeValue<'a>) {
    table.insert(nowhere(key.to_owned().into()), nowhere(value));
}

fn nowhere<T>(it: T) -> Spanned<T> {
    Spanned::new(0..0, it)
}

/// The same, said nowhere: lines of another text would mislead.
fn without_places<'a>(value: &DeValue<'a>) -> DeValue<'a> {
    match value {
        DeValue::Table(table) => {
            let mut copy = DeTable::new();
            for (key, value) in table {
                copy.insert(
                    nowhere(key.get_ref().clone()),
                    nowhere(without_places(value.get_ref())),
                );
            }
            DeValue::Table(copy)
        }
        DeValue::Array(items) => {
            let mut copy = DeArray::new();
            for item in items {
                copy.push(nowhere(without_places(item.get_ref())));
            }
            DeValue::Array(copy)
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use crate::toml_reader::Document;
    use crate::toml_reader::tests::BARE;

    fn check(now: &str, before: &str, expected: &str) {
        let parse = |text| Document::parse("f.toml", text, BARE);
        let stays = |key: &str| key.starts_with('k') || key == "t.k" || key.starts_with("s.");
        let differences = parse(before).written().differences(&parse(now).written());
        let keys: Vec<_> =
            differences.into_iter().filter(|key| stays(key) || key == "[[t]]").collect();
        let mixed = parse(now).keeping(&keys, before, &stays);
        assert_eq!(mixed.values(), parse(expected).values(), "{now} / {before}");
    }

    #[test]
    fn what_stays_is_as_it_was_and_all_else_as_it_is() {
        check("k = 1\na = 1\n", "k = 2\na = 2\n", "k = 2\na = 1\n");
        check("k = 1\n", "a = 2\n", "");
        check("a = 1\n", "k = 2\n", "a = 1\nk = 2\n");
        check("[s]\nx = 1\n", "a = 1\n", "");
        check(
            "a = 1\n",
            "[s]\nx = 1\n[s.'y.z']\n'v.w' = 1\n",
            "a = 1\n[s]\nx = 1\n[s.'y.z']\n'v.w' = 1\n",
        );
    }

    #[test]
    fn tables_of_an_array_that_are_there_no_more_stay_and_others_take_what_does_not() {
        check("[[t]]\nk = 1\na = 1\n", "[[t]]\nk = 2\na = 2\n", "[[t]]\nk = 2\na = 1\n");
        let before = "[[t]]\nid = 'x'\nk = 2\na = 2\n";
        check("", before, before);
        check(before, "", "");
        check(
            "[[t]]\nid = 'y'\nk = 1\n[[t]]\nid = 'x'\nk = 1\na = 1\nb = 1\n",
            before,
            "[[t]]\nid = 'x'\nk = 2\na = 1\nb = 1\n",
        );
    }

    #[test]
    fn faults_tell_lines_of_the_file_as_it_is_or_none() {
        let document = Document::parse("f.toml", "\na = 1\n", BARE);
        let document = document.keeping(&["k".to_owned()], "k = 1\n", &|_| true);
        let mut root = document.root();
        assert!(root.text("a").is_none() && root.table("k").text("x").is_none());
        root.close();
        let faults: Vec<_> = document.into_faults().iter().map(ToString::to_string).collect();
        assert_eq!(
            faults,
            [
                "f.toml:1: k: expected a table, found an integer",
                "f.toml:2: a: expected a string, found an integer"
            ]
        );
    }
}
