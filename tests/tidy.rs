use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::repository;

/// The floors of the house, from the top. A module uses itself and the floors below it; modules
/// on one floor are strangers.
const FLOORS: [&[&str]; 13] = [
    &["main"],
    &["internals"],
    &["cli"],
    &["app"],
    &["admin", "config", "proxy", "tasks"],
    &["net"],
    &["gateway"],
    &["api"],
    &["auth"],
    &["audit"],
    &["directory", "jwt", "session"],
    &["user"],
    &["process_log", "spans"],
];

/// What everybody may use, and uses nothing.
const GROUND: [&str; 13] = [
    "clock",
    "metrics",
    "hex",
    "limits",
    "toml_reader",
    "file_identity",
    "request_meta",
    "background_writer",
    "quiet_threads",
    "service_manager",
    "seal",
    "seeds",
    "server_address",
];

/// By which files a foreign crate comes in.
const DOORS: [(&str, &[&str]); 19] = [
    ("pingora", &["net", "proxy", "tasks", "admin/service", "config/server", "config"]),
    ("pingora_proxy", &["proxy"]),
    (
        "moka",
        &[
            "session/memory",
            "session/logged_out",
            "session/redis/near_cache",
            "session/redis/halves_at_hand",
            "auth/failures",
            "auth/jwt",
            "auth/tokens",
        ],
    ),
    ("futures_core", &["proxy/http2/stream"]),
    ("h2", &["proxy/upstream/silence"]),
    ("redis", &["session/redis"]),
    ("jsonwebtoken", &["jwt"]),
    ("ring", &["jwt/ring_provider", "jwt/tests/signing", "session/redis/agreement", "seal"]),
    ("argon2", &["user/password"]),
    ("opentelemetry_proto", &["spans/otlp"]),
    ("prost", &["spans/otlp"]),
    ("toml", &["toml_reader"]),
    ("toml_edit", &["directory/edit"]),
    ("clap", &["cli"]),
    ("env_filter", &["process_log/logger"]),
    ("rpassword", &["cli/password"]),
    ("rustls", &["proxy/upstream/tls", "net/tls"]),
    ("x509_parser", &["net/tls/pem"]),
    (
        "rustix",
        &[
            "cli/run",
            "cli/reload",
            "service_manager",
            "app/diagnose",
            "net/handed",
            "tasks/upgrade",
            "clock",
            "quiet_threads",
            "metrics/process",
            "session/redis/roster",
        ],
    ),
];

/// The cases that must have tests of their name, such as `fn s_08_…`: a group, from its first to its
/// last. Attacks on sessions, attacks by guessing, and what real use has found.
const CASES: [(&str, usize); 3] = [("s", 21), ("b", 14), ("f", 55)];

/// Sources below `folder` with their names, such as `proxy/upstream`.
fn sources(folder: &str) -> BTreeMap<String, String> {
    fn visit(path: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(path).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                visit(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let (root, mut found) = (repository().join(folder), Vec::new());
    visit(&root, &mut found);
    let name = |path: &PathBuf| {
        let path = path.strip_prefix(&root).unwrap().with_extension("");
        path.to_str().unwrap().to_owned()
    };
    found.iter().map(|path| (name(path), fs::read_to_string(path).unwrap())).collect()
}

/// A source without its unit tests.
fn code(text: &str) -> &str {
    ["mod tests", "pub(crate) mod tests"]
        .into_iter()
        .fold(text, |text, tests| text.split(&format!("#[cfg(test)]\n{tests}")).next().unwrap())
}

fn floor(module: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&module))
}

#[test]
fn modules_use_the_floors_below_them_only() {
    for (name, text) in sources("gateway/src") {
        let own = name.split('/').next().unwrap();
        if own == "lib" {
            continue;
        }
        let own_floor = floor(own);
        assert!(own_floor.is_some() || GROUND.contains(&own), "{name}: on no floor");
        for used in code(&text).split("crate::").skip(1) {
            let used: String =
                used.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            let allowed = used == own
                || match (own_floor, floor(&used)) {
                    (Some(own), Some(used)) => used > own,
                    (Some(_), None) => GROUND.contains(&used.as_str()),
                    (None, _) => false,
                };
            assert!(allowed, "{name}.rs: {own:?} may not use {used:?}");
        }
    }
}

/// The files of one folder, each with those that it names: `super::name`, or by the whole path.
fn uses_in(folder: &str, files: &BTreeMap<String, String>) -> BTreeMap<String, Vec<String>> {
    let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
    let here: Vec<&str> = files
        .keys()
        .filter_map(|name| name.strip_prefix(&prefix))
        .filter(|name| !name.contains('/'))
        .collect();
    let whole = format!("crate::{}", prefix.replace('/', "::"));
    let words = |text: &str, mark: &str| -> Vec<String> {
        let named = |rest: &str| {
            let list = rest.strip_prefix('{').and_then(|list| list.split('}').next());
            let items = list.unwrap_or(rest).split([',', ';']);
            let items = items.take(if list.is_some() { usize::MAX } else { 1 });
            let first = |item: &str| {
                item.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
            };
            items.map(first).collect::<Vec<String>>()
        };
        text.split(mark).skip(1).flat_map(named).collect()
    };
    let uses = |name: &str| {
        let own = code(&files[&format!("{prefix}{name}")]);
        let lines = own.lines().filter(|line| !line.trim_start().starts_with("//"));
        let own = lines.collect::<Vec<_>>().join("\n");
        let named = [words(&own, "super::"), words(&own, &whole)].concat();
        named.into_iter().filter(|it| it != name && here.contains(&&**it)).collect()
    };
    here.iter().map(|name| ((*name).to_owned(), uses(name))).collect()
}

#[test]
fn files_of_a_folder_do_not_use_each_other_in_circles() {
    let files = sources("gateway/src");
    let folders: BTreeSet<&str> =
        files.keys().map(|name| name.rsplit_once('/').map_or("", |(folder, _)| folder)).collect();
    assert!(folders.len() > 10, "{folders:?}");
    let mut circles = BTreeMap::new();
    for folder in folders {
        let mut uses = uses_in(folder, &files);
        // What uses nothing that is left is on no circle.
        while let Some(name) = uses
            .iter()
            .find(|(_, used)| !used.iter().any(|it| uses.contains_key(it)))
            .map(|(name, _)| name.clone())
        {
            uses.remove(&name);
        }
        if !uses.is_empty() {
            circles.insert(folder, uses);
        }
    }
    assert!(circles.is_empty(), "{circles:#?}");
}

#[test]
fn foreign_crates_come_in_by_their_doors() {
    for (name, text) in sources("gateway/src") {
        for (foreign, doors) in DOORS {
            let used = code(&text).contains(&format!("use {foreign}::"))
                || code(&text).contains(&format!(" {foreign}::"));
            let is_door = |door: &&str| name == **door || name.starts_with(&format!("{door}/"));
            let is_door = doors.iter().any(is_door);
            assert!(!used || is_door, "{name}.rs: {foreign} comes in by {doors:?} only");
        }
    }
}

#[test]
fn files_hold_one_idea() {
    for (name, text) in sources("gateway/src") {
        let is_tests = name.split('/').any(|folder| folder == "tests");
        let lines = if is_tests { 0 } else { code(&text).lines().count() };
        assert!(lines <= 300, "{name}.rs: {lines} lines before its tests");
        let all = text.lines().count();
        assert!(all <= 350, "{name}.rs: {all} lines");
        assert!(text.starts_with("//! "), "{name}.rs: no first sentence");
    }
}

/// The type that a line such as `impl<T> Trait for Type<T> {` is about.
fn implementing(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("impl")?;
    let rest = rest.split_once(" for ").map_or(rest, |(_, rest)| rest);
    let rest = match rest.strip_prefix('<') {
        Some(generic) => generic.split_once("> ")?.1,
        None => rest,
    };
    let name = rest.trim_start().trim_start_matches("Arc<");
    let end = name.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(name.len());
    Some(&name[..end])
}

#[test]
fn the_methods_of_a_type_are_in_two_files_at_most() {
    let sources = sources("gateway/src");
    let (mut defined, mut found) = (BTreeMap::new(), BTreeMap::<&str, BTreeSet<&str>>::new());
    for (name, text) in &sources {
        let lines = if name.contains("tests") { "" } else { code(text) }.lines();
        for line in lines {
            let bare = line.trim_start_matches("pub ").trim_start_matches("pub(super) ");
            if let Some(rest) = bare.strip_prefix("struct ").or_else(|| bare.strip_prefix("enum "))
            {
                let end = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
                *defined.entry(&rest[..end]).or_insert(0) += 1;
            }
            if let Some(of) = implementing(line) {
                found.entry(of).or_default().insert(name);
            }
        }
    }
    assert!(found.len() > 100 && found["Gateway"].len() == 2, "{found:?}");
    // Where two types have one name, their files are not told apart.
    found.retain(|of, files| defined.get(of) == Some(&1) && files.len() > 2);
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn tests_neither_sleep_nor_hide() {
    let sources = sources("tests").into_iter().chain(sources("gateway/src"));
    for (name, text) in sources.filter(|(name, _)| name != "tidy") {
        for mark in ["thread::sleep", "#[ignore", "#[should_panic", "#[allow(", "todo!(", "dbg!("] {
            assert!(!text.contains(mark), "{name}.rs: {mark}");
        }
    }
}

#[test]
fn every_case_has_a_test_of_its_name() {
    let all: String = ["tests", "gateway/src"]
        .into_iter()
        .flat_map(sources)
        .map(|(_, text)| text + "\n")
        .collect();
    let has_test = |name: &String| {
        let head = format!("fn {name}_");
        all.lines().any(|line| line.trim_start().starts_with(&head))
    };
    let numbered = |(group, last)| (1..=last).map(move |number| format!("{group}_{number:02}"));
    let wanted = CASES.into_iter().flat_map(numbered);
    let missing: Vec<_> = wanted.filter(|name| !has_test(name)).collect();
    assert!(missing.is_empty(), "no test is named after {missing:?}");
}

/// `make test-mutants` breaks the gateway at these places; they must be there, and so must the tests.
#[test]
fn every_mutant_has_its_place_and_its_test() {
    let read = |path: &str| fs::read_to_string(repository().join(path)).unwrap();
    let tests: String = sources("tests/real").into_values().collect();
    for line in read("tests/real/mutants.jsonl").lines() {
        let mutant: serde_json::Value = serde_json::from_str(line).unwrap();
        let text = |key: &str| mutant[key].as_str().unwrap();
        assert_eq!(read(text("file")).matches(text("find")).count(), 1, "{line}");
        assert!(tests.contains(&format!("fn {}(", text("seen_by"))), "{line}");
    }
}

/// The keys of conf/gateway.toml as `[section] key`, with the value of each that is not commented out.
fn shipped_keys() -> BTreeMap<String, Option<String>> {
    let text = fs::read_to_string(repository().join("conf/gateway.toml")).unwrap();
    let (mut section, mut keys) = (String::new(), BTreeMap::new());
    for line in text.lines() {
        let (line, is_set) = line.strip_prefix("# ").map_or((line, true), |line| (line, false));
        if line.starts_with('[') {
            line.split(" #").next().unwrap().trim().clone_into(&mut section);
        }
        let Some((key, rest)) = line.split_once(" = ") else { continue };
        if key.chars().all(|c| c.is_ascii_lowercase() || c == '_' || c.is_ascii_digit()) {
            let value = rest.split(" #").next().unwrap().trim().to_owned();
            keys.insert(format!("{section} {key}"), is_set.then_some(value));
        }
    }
    keys
}

/// The rows of the tables of docs/configuration.md below the heading of each section, in the same form.
fn documented_keys() -> BTreeMap<String, String> {
    let text = fs::read_to_string(repository().join("docs/configuration.md")).unwrap();
    let (mut section, mut is_table, mut keys) = (None, false, BTreeMap::new());
    for line in text.lines() {
        if line.starts_with('#') {
            let title = line.trim_start_matches(['#', ' ']).trim_matches('`');
            section = title.starts_with('[').then(|| title.to_owned());
        }
        is_table = line.starts_with("| key | default |") || is_table && line.starts_with('|');
        let (Some(section), true) = (&section, is_table) else { continue };
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        if let [_, key, default, text, ..] = cells[..]
            && let Some(key) = key.strip_prefix('`').and_then(|key| key.strip_suffix('`'))
        {
            assert!(text.len() > 5, "docs/configuration.md: {section} {key} is not explained");
            let double = keys.insert(format!("{section} {key}"), default.to_owned());
            assert_eq!(double, None, "docs/configuration.md: {section} {key} has two rows");
        }
    }
    keys
}

#[test]
fn every_configuration_key_is_explained() {
    let (shipped, mut documented) = (shipped_keys(), documented_keys());
    assert!(shipped.len() > 80, "{shipped:?}");
    for (key, value) in shipped {
        let default = documented.remove(&key);
        let default = default.unwrap_or_else(|| panic!("docs/configuration.md: no row for {key}"));
        if let Some(value) = value {
            assert_eq!(
                default,
                format!("`{value}`"),
                "docs/configuration.md: the default of {key}"
            );
        }
    }
    assert!(documented.is_empty(), "conf/gateway.toml has not: {documented:?}");
}

/// What `check` says needs a restart is a table or a key that there is.
#[test]
fn what_needs_a_restart_is_configurable() {
    let policy = fs::read_to_string(repository().join("gateway/src/app/policy.rs")).unwrap();
    let list = policy.split("const NEEDS_RESTART").nth(1).unwrap().split("];").next().unwrap();
    let listed: Vec<_> = list.split('"').skip(1).step_by(2).collect();
    assert!(listed.len() > 20, "{listed:?}");
    let shipped: Vec<_> =
        shipped_keys().into_keys().map(|key| key.replace(['[', ']'], "")).collect();
    for entry in listed {
        let entry = entry.trim_matches(['[', ']']);
        let is_shipped = match entry.split_once('.') {
            Some((table, key)) => shipped.iter().any(|it| {
                *it == format!("{table} {key}") || it.starts_with(&format!("{table}.{key} "))
            }),
            None => shipped.iter().any(|it| it.starts_with(&format!("{entry} "))),
        };
        assert!(is_shipped, "{entry}: not in conf/gateway.toml, which has {shipped:?}");
    }
}

/// How long something took says how busy the machine was. What must not take long is counted in work
/// done, and what must end gets all of `PATIENCE`; time that has to pass is passed by tests/clock.rs.
#[test]
fn f_45_no_test_asserts_that_something_was_fast() {
    for (name, text) in sources("tests").into_iter().filter(|(name, _)| name != "tidy") {
        for (number, line) in text.lines().enumerate() {
            let line = line.replace("< PATIENCE", "");
            let compares = ["elapsed() <", "took <", "waited <"].iter().any(|it| line.contains(it));
            assert!(!(line.contains("assert") && compares), "{name}.rs:{}: {line}", number + 1);
        }
    }
}
