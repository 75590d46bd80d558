use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;
use toml_edit::{DocumentMut, Item};

use crate::support::repository;

/// `.deny.toml`, in which `cargo deny` has its rules too.
struct Rules(DocumentMut);

impl Rules {
    fn read() -> Self {
        let text = std::fs::read_to_string(repository().join(".deny.toml")).unwrap();
        Self(text.parse().unwrap())
    }

    /// The texts in the array `key`, or the crates that its tables are about.
    fn all(&self, section: &str, key: &str) -> Vec<String> {
        let members =
            self.0[section][key].as_array().unwrap_or_else(|| panic!("no {section}.{key}"));
        let text = |member: &toml_edit::Value| {
            let text = member.as_str().or_else(|| member.as_inline_table()?.get("crate")?.as_str());
            text.unwrap_or_else(|| panic!("{section}.{key}: {member}")).to_owned()
        };
        members.iter().map(text).collect()
    }

    /// Whether `key` is `deny`, the only value that these tests know.
    fn denies(&self, section: &str, key: &str) -> bool {
        self.0[section].get(key).and_then(Item::as_str) == Some("deny")
    }
}

/// Every package that a build for the rules' platforms has in it, those of tests included.
fn metadata(rules: &Rules) -> Value {
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(repository()).args(["metadata", "--locked", "--format-version", "1"]);
    for target in rules.all("graph", "targets") {
        command.args(["--filter-platform", &target]);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn packages(metadata: &Value) -> &[Value] {
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 100, "only {} packages", packages.len());
    packages
}

fn name(package: &Value) -> &str {
    package["name"].as_str().unwrap()
}

/// Whether a licence expression of SPDX, or the older `A/B`, is met by these licences.
fn is_met(expression: &str, by: &[&str]) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut words = spaced.split_whitespace().peekable();
    let met = any(&mut words, by);
    assert!(words.next().is_none(), "{expression}: no licence expression");
    met
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn any(words: &mut Words<'_>, by: &[&str]) -> bool {
    let mut met = all(words, by);
    while words.next_if_eq(&"OR").is_some() {
        met |= all(words, by);
    }
    met
}

fn all(words: &mut Words<'_>, by: &[&str]) -> bool {
    let mut met = one(words, by);
    while words.next_if_eq(&"AND").is_some() {
        met &= one(words, by);
    }
    met
}

fn one(words: &mut Words<'_>, by: &[&str]) -> bool {
    if words.next_if_eq(&"(").is_some() {
        let met = any(words, by);
        assert_eq!(words.next(), Some(")"));
        return met;
    }
    let mut licence = words.next().unwrap().to_owned();
    if words.next_if_eq(&"WITH").is_some() {
        licence = format!("{licence} WITH {}", words.next().unwrap());
    }
    by.contains(&licence.as_str())
}

#[test]
fn expressions_of_licences_are_read() {
    for (expression, expected) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("GPL-3.0 OR MIT", true),
        ("GPL-3.0/MIT", true),
        ("MIT AND GPL-3.0", false),
        ("(MIT OR GPL-3.0) AND ISC", true),
        ("(MIT OR GPL-3.0) AND BSL-1.0", false),
        ("MIT AND ISC OR GPL-3.0", true),
        ("ISC WITH LLVM-exception", false),
        ("ISC WITH LLVM-exception OR MIT", true),
    ] {
        assert_eq!(is_met(expression, &["MIT", "ISC"]), expected, "{expression}");
    }
}

#[test]
fn licences_are_those_that_are_allowed() {
    let rules = Rules::read();
    let allowed = rules.all("licenses", "allow");
    let allowed: Vec<&str> = allowed.iter().map(String::as_str).collect();
    let metadata = metadata(&rules);
    let licence = |package: &Value| package["license"].as_str().unwrap_or("none").to_owned();
    for package in packages(&metadata) {
        let licence = licence(package);
        assert!(is_met(&licence, &allowed), "{}: {licence}", name(package));
    }
    for licence_in_question in &allowed {
        let mut others = allowed.clone();
        others.retain(|other| other != licence_in_question);
        let is_needed =
            packages(&metadata).iter().any(|package| !is_met(&licence(package), &others));
        assert!(is_needed, "nothing needs {licence_in_question}");
    }
}

#[test]
fn everything_comes_from_the_registry() {
    let rules = Rules::read();
    assert!(rules.denies("sources", "unknown-registry") && rules.denies("sources", "unknown-git"));
    assert!(rules.denies("bans", "wildcards"));
    let metadata = metadata(&rules);
    for package in packages(&metadata) {
        let Some(source) = package["source"].as_str() else {
            assert!(
                package["manifest_path"]
                    .as_str()
                    .unwrap()
                    .starts_with(&*repository().to_string_lossy())
            );
            for dependency in package["dependencies"].as_array().unwrap() {
                assert_ne!(dependency["req"], "*", "any version of {}", dependency["name"]);
            }
            continue;
        };
        let is_registry = source.starts_with("registry+") && source.ends_with("/crates.io-index");
        assert!(is_registry, "{} comes from {source}", name(package));
    }
}

#[test]
fn nothing_is_there_that_is_banned_or_that_is_there_already() {
    let rules = Rules::read();
    let metadata = metadata(&rules);
    let banned = rules.all("bans", "deny");
    for package in packages(&metadata) {
        assert!(
            !banned.iter().any(|banned| banned == name(package)),
            "{} is banned",
            name(package)
        );
    }
    assert!(rules.denies("bans", "multiple-versions"));
    let skipped = below(&metadata, &rules.all("bans", "skip-tree"));
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for package in packages(&metadata) {
        if !skipped.contains(package["id"].as_str().unwrap()) {
            versions.entry(name(package)).or_default().push(package["version"].as_str().unwrap());
        }
    }
    versions.retain(|_, versions| versions.len() > 1);
    assert!(versions.is_empty(), "more than one version of {versions:?}");
}

/// The packages of these names, and all that they depend on.
fn below<'a>(metadata: &'a Value, names: &[String]) -> BTreeSet<&'a str> {
    let nodes = metadata["resolve"]["nodes"].as_array().unwrap();
    let dependencies = |id: &str| {
        let node = nodes.iter().find(|node| node["id"] == id).unwrap();
        node["dependencies"].as_array().unwrap().iter().map(|id| id.as_str().unwrap())
    };
    let is_named = |package: &&Value| names.iter().any(|other| other == name(package));
    let mut next: Vec<&str> = packages(metadata)
        .iter()
        .filter(is_named)
        .map(|package| package["id"].as_str().unwrap())
        .collect();
    assert_eq!(next.len(), names.len(), "not all of {names:?} are there");
    let mut found = BTreeSet::new();
    while let Some(id) = next.pop() {
        if found.insert(id) {
            next.extend(dependencies(id));
        }
    }
    found
}

/// Of code that it knows by other names, a profile says nothing, and the compiler does not say so: releases would just be
/// slower. In the names are all dependencies and their features.
#[test]
fn the_profile_of_releases_is_of_these_dependencies() {
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(repository()).args(["tree", "--locked", "-p", "influx-gateway"]);
    command.args(["-e", "normal,build", "--prefix", "none", "--format", "{p} {f}"]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let without_remarks = |line: &str| {
        let mut parts = line.split(" (");
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |line, part| line + part.split_once(')').map_or("", |(_, rest)| rest))
    };
    let now: BTreeSet<_> =
        text.lines().map(|line| without_remarks(line).trim().to_owned()).collect();
    let known = std::fs::read_to_string(repository().join("gateway/release.crates")).unwrap();
    let known: BTreeSet<_> = known.lines().map(str::to_owned).collect();
    let differ: Vec<_> = known.symmetric_difference(&now).collect();
    assert!(
        differ.is_empty(),
        "gateway/release.profdata was made with other dependencies, so that releases are slower; \
         `make profile` makes it anew (some ten minutes): {differ:#?}"
    );
}
