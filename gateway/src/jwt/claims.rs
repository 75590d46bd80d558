//! Claims, found by the paths that the configuration names.

use std::fmt;

use serde_json::{Map, Value};

/// Where a claim stands: a name, or names with points between them, for example `realm_access.roles`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimPath(String);

impl ClaimPath {
    /// A path of visible ASCII.
    pub fn parse(text: &str) -> Result<Self, String> {
        let is_right = (1..=255).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic())
            && text.split('.').all(|name| !name.is_empty());
        if is_right {
            Ok(Self(text.to_owned()))
        } else {
            Err("not the name of a claim; write for example \"sub\", or \"realm_access.roles\" \
                 for one within another"
                .to_owned())
        }
    }

    /// The path as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands there. A claim of just this name goes first: some have points in them.
    pub fn find<'a>(&self, claims: &'a Map<String, Value>) -> Option<&'a Value> {
        if let Some(value) = claims.get(&self.0) {
            return Some(value);
        }
        let mut names = self.0.split('.');
        let first = claims.get(names.next()?)?;
        names.try_fold(first, |value, name| value.as_object()?.get(name))
    }

    /// Whether Entra leaves the claim out because it would be too long, and names a place to ask instead.
    pub(super) fn is_left_out(&self, claims: &Map<String, Value>) -> bool {
        let names = claims.get("_claim_names").and_then(Value::as_object);
        names.is_some_and(|names| names.contains_key(&self.0))
    }
}

impl fmt::Display for ClaimPath {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// So many groups are looked at; whoever has more has none.
pub const MOST_GROUPS: usize = 1000;

/// The groups of a user.
#[derive(Debug, PartialEq, Eq)]
pub enum Groups {
    /// These.
    Of(Vec<String>),
    /// None that could be read, and why. It is never "all".
    Unread(&'static str),
}

impl Groups {
    /// Those at `path`: a list of strings, or one string.
    pub(super) fn of(path: &ClaimPath, claims: &Map<String, Value>) -> Self {
        match path.find(claims) {
            None if path.is_left_out(claims) => {
                Self::Unread("the provider leaves them out, as there are too many of them")
            }
            None => Self::Unread("there is no such claim"),
            Some(Value::String(group)) => Self::Of(vec![group.clone()]),
            Some(Value::Array(groups)) if groups.len() > MOST_GROUPS => {
                Self::Unread("there are more of them than are looked at")
            }
            Some(Value::Array(groups)) => {
                let texts = groups.iter().map(|group| group.as_str().map(str::to_owned));
                let all: Option<Vec<_>> = texts.collect();
                all.map_or(Self::Unread("not all of them are strings"), Self::Of)
            }
            Some(_) => Self::Unread("the claim is neither a list nor a string"),
        }
    }

    /// Why there are none, if they could not be read.
    pub fn why_unread(&self) -> Option<&'static str> {
        match self {
            Self::Of(_) => None,
            Self::Unread(why) => Some(why),
        }
    }

    /// Whether `group` is one of them.
    pub fn has(&self, group: &str) -> bool {
        matches!(self, Self::Of(groups) if groups.iter().any(|it| it == group))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn paths_lead_into_objects_and_an_exact_name_goes_first() {
        let claims = map(json!({ "a": { "b": { "c": 1 } }, "x.y": 2, "x": { "y": 3 } }));
        for (path, expected) in [
            ("a.b.c", Some(json!(1))),
            ("x.y", Some(json!(2))),
            ("a.c", None),
            ("a.b.c.d", None),
            ("z", None),
        ] {
            let found = ClaimPath::parse(path).unwrap();
            assert_eq!(found.find(&claims), expected.as_ref(), "{path}");
        }
        for wrong in ["", ".", "a.", ".a", "a..b", "a b", "é"] {
            assert!(ClaimPath::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn groups_that_cannot_be_read_are_none_and_never_all() {
        let path = ClaimPath::parse("groups").unwrap();
        let of = |value| Groups::of(&path, &map(value));
        assert!(of(json!({ "groups": ["a", "b"] })).has("b"));
        assert!(of(json!({ "groups": "a" })).has("a"));
        assert_eq!(of(json!({ "groups": [] })), Groups::Of(vec![]));
        let many: Vec<String> = (0..10_000).map(|number| number.to_string()).collect();
        for value in [
            json!({}),
            json!({ "groups": many }),
            json!({ "groups": ["a", 1] }),
            json!({ "groups": { "a": ["a"] } }),
            json!({ "groups": [["a"]] }),
            json!({ "groups": true }),
            json!({ "groups": null }),
            json!({ "_claim_names": { "groups": "src1" }, "a": 1 }),
        ] {
            let groups = of(value);
            assert!(matches!(groups, Groups::Unread(_)) && !groups.has("a"), "{groups:?}");
        }
        let left_out = of(json!({ "_claim_names": { "groups": "src1" } }));
        assert_eq!(
            left_out,
            Groups::Unread("the provider leaves them out, as there are too many of them")
        );
    }
}
