use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};

use crate::support::*;

/// Every case with the name of its file, `framing` for example.
fn cases() -> Vec<(String, serde_json::Value)> {
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

#[test]
fn no_attack_of_the_corpus_gets_through() {
    // The upstream is part of the runner: it says where it listens, and is told of the gateway.
    let mut runner = Command::new("python3")
        .arg(repository().join("tests/corpus/run.py"))
        .args(["--target", "-", "--upstream-listen", "0"])
        .args(["--user", &format!("ada:{PASSWORD}")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(runner.stdout.take().unwrap());
    let mut port = String::new();
    output.read_line(&mut port).unwrap();
    let gateway = Gateway::start(format!("127.0.0.1:{}", port.trim()).parse().unwrap());
    writeln!(runner.stdin.take().unwrap(), "{}", gateway.address).unwrap();
    let mut report = String::new();
    output.read_to_string(&mut report).unwrap();
    let passed = runner.wait().unwrap().success();
    // Before the assertion, so that the log of a thousand attacks is not printed besides.
    drop(gateway);
    assert!(passed, "{report}");
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
