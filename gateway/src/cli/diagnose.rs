//! `influx-gateway diagnose`: one text to paste into a report. It holds no secret.

use std::path::Path;

use serde_json::Value;

use super::{Failure, admin, say};
use crate::app::diagnose;

pub(super) fn run(path: &Path) -> Result<(), Failure> {
    let running: Vec<_> = match admin::status_of(path) {
        Ok(status) => status.as_object().into_iter().flatten().map(pair).collect(),
        Err(failure) => vec![("not asked".to_owned(), failure.lines().join("; "))],
    };
    let report = diagnose::report(path, &running);
    say::answer(report.text())
}

fn pair((name, value): (&String, &Value)) -> (String, String) {
    (name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}
