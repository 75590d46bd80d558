mod http;
mod judge;
mod replay;
mod upstream;

use std::collections::BTreeSet;

use replay::Runner;
use serde_json::Value;
use upstream::Upstream;

use crate::support::*;

/// Every case with the name of its file, `framing` for example.
fn cases() -> Vec<(String, Value)> {
    let folder = repository().join("tests/corpus");
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "jsonl"))
        .flat_map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let text = std::fs::read_to_string(&path).unwrap();
            let case = |line: &str| (name.clone(), serde_json::from_str(line).unwrap());
            text.lines().map(case).collect::<Vec<_>>()
        })
        .collect()
}

/// Replays all cases; says what failed. A proxy that knows no users is spared those that are about users.
fn replay(runner: &mut Runner<'_>) -> Vec<String> {
    let mut failures = Vec::new();
    runner.sign_in();
    for (_, case) in cases() {
        if runner.is_plain && case["needs"] == "gateway" {
            continue;
        }
        let problems = runner.run(&case);
        if !problems.is_empty() {
            failures.push(format!("{}  {}", case["id"].as_str().unwrap(), problems.join("; ")));
        }
        if !problems.is_empty() || case["send"].as_str().unwrap().contains("/signout") {
            runner.sign_in();
        }
    }
    failures
}

/// With `CORPUS_PROXY`, the address of another proxy, and `CORPUS_UPSTREAM`, where it forwards to, that
/// one is judged in place of a gateway.
#[test]
fn no_attack_of_the_corpus_gets_through() {
    let variable = |name: &str| -> Option<String> { std::env::var_os(name)?.into_string().ok() };
    let upstream = variable("CORPUS_UPSTREAM").unwrap_or("127.0.0.1:0".to_owned());
    let upstream = Upstream::start(&upstream);
    let failures = if let Some(proxy) = variable("CORPUS_PROXY") {
        replay(&mut Runner::new(proxy.parse().unwrap(), &upstream, true))
    } else {
        // Gone before the assertion, so that the log of a thousand attacks is not printed besides.
        let gateway = Gateway::start(upstream.address);
        replay(&mut Runner::new(gateway.address, &upstream, false))
    };
    assert!(failures.is_empty(), "{} cases:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn every_case_says_what_it_is() {
    let cases = cases();
    assert!(cases.len() >= 300, "only {} cases", cases.len());
    let mut ids = BTreeSet::new();
    for (file, case) in &cases {
        let text = |member: &str| case[member].as_str().unwrap_or_default();
        let id = text("id");
        assert!(!id.is_empty() && ids.insert(id.to_owned()), "{file}: {id:?} is there twice");
        assert_eq!(text("class"), file, "{id}");
        assert!(!text("source").is_empty(), "{id}: no source");
        assert!(!text("send").is_empty(), "{id}: nothing to send");
        assert!(!case["expect"]["status"].is_null(), "{id}: no status");
        assert!(case.get("upstream").is_some(), "{id}: nothing about the upstream");
    }
}
