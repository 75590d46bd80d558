//! What differs on purpose, and where: `covers` in `tests/compatibility/differences.jsonl`.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::plain::{Difference, Plain};
use super::questions::Question;
use super::way::Way;
use crate::exchanges::matches;
use crate::support::*;

/// What a row of the list covers: all of these answers may differ so. `*` stands for anything.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cover {
    /// The modes, by name; every one if there are none.
    #[serde(default)]
    modes: Vec<String>,
    /// Method and target.
    asked: Vec<String>,
    /// Who asks, if it matters.
    by: Option<String>,
    /// The gateway's status, if it matters.
    answered: Option<String>,
    /// The gateway's body, if it matters.
    said: Option<String>,
    /// For `status`, `body` and headers by name, `*` for all of them: what InfluxDB has, and what the gateway.
    differs: BTreeMap<String, (String, String)>,
}

/// The whole list, and what was seen of it.
pub(super) struct Intended {
    /// With the row's title.
    covers: Vec<(String, Cover)>,
    /// Which cover was seen to differ in which part and which mode.
    seen: BTreeSet<(usize, String)>,
    covered: usize,
}

impl Intended {
    pub(super) fn read() -> Self {
        let path = repository().join("tests/compatibility/differences.jsonl");
        let text = std::fs::read_to_string(path).unwrap();
        let mut covers = Vec::new();
        for line in text.lines() {
            let row: serde_json::Value = serde_json::from_str(line).unwrap();
            let title = row["what"].as_str().unwrap();
            for cover in row["covers"].as_array().into_iter().flatten() {
                let cover = serde_json::from_value(cover.clone());
                covers.push((title.to_owned(), cover.unwrap_or_else(|e| panic!("{e}: {line}"))));
            }
        }
        Self { covers, seen: BTreeSet::new(), covered: 0 }
    }

    /// Whether the list has this difference; remembers it.
    pub(super) fn covers(
        &mut self,
        way: Way,
        question: &Question,
        found: &Plain,
        difference: &Difference,
    ) -> bool {
        let mut is_covered = false;
        for (index, (_, cover)) in self.covers.iter().enumerate() {
            if way.is_direct() || !cover.concerns(way, question, found) {
                continue;
            }
            if let Some(part) = cover.part(difference) {
                is_covered = true;
                self.seen.insert((index, part.to_owned()));
                self.seen.insert((index, way.name().to_owned()));
            }
        }
        self.covered += usize::from(is_covered);
        is_covered
    }

    /// What no answer differed in, though the list says so.
    pub(super) fn unseen(&self) -> Vec<String> {
        let mut unseen = Vec::new();
        for (index, (title, cover)) in self.covers.iter().enumerate() {
            for what in cover.differs.keys().chain(&cover.modes) {
                if !self.seen.contains(&(index, what.clone())) {
                    unseen.push(format!("{title}: {what}, {:?}", cover.asked));
                }
            }
        }
        unseen
    }

    pub(super) fn summary(&self) -> String {
        format!("{} intended differences of {} kinds", self.covered, self.covers.len())
    }
}

impl Cover {
    fn concerns(&self, way: Way, question: &Question, found: &Plain) -> bool {
        let fits = |pattern: &Option<String>, text: &str| {
            pattern.as_ref().is_none_or(|pattern| matches(pattern, text))
        };
        (self.modes.is_empty() || self.modes.iter().any(|mode| mode == way.name()))
            && self.asked.iter().any(|pattern| matches(pattern, &question.ask))
            && fits(&self.by, &question.by)
            && fits(&self.answered, found.status())
            && fits(&self.said, found.body())
    }

    /// Which of what may differ `difference` is.
    fn part(&self, difference: &Difference) -> Option<&str> {
        let named = self.differs.get_key_value(&difference.part);
        let (part, (expected, found)) = named.or_else(|| self.differs.get_key_value("*"))?;
        let fits = matches(expected, &difference.expected) && matches(found, &difference.found);
        fits.then_some(part)
    }
}
