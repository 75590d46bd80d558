//! What a client is answered through the gateway, in each of the five modes, is what InfluxDB answers it:
//! status, headers and body. What differs is in `tests/compatibility/differences.jsonl`, and all that
//! claims to differ there does.
//!
//! Each way to ask has an InfluxDB of its own, and all are asked the same questions in the same order, so
//! questions may change and delete what they like. Two are asked directly: with everybody's own token,
//! and with the operator's for everybody, as the gateway does in one mode.

mod intended;
mod plain;
mod questions;
mod way;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::thread;

use self::intended::Intended;
use self::plain::Plain;
use self::questions::Questions;
use self::way::Way;

/// How many differences that nobody intends are printed in full.
const PRINTED: usize = 40;

#[test]
fn the_gateway_answers_as_influxdb_does() {
    let Questions { made, asked } = Questions::all();
    assert!(asked.len() >= 400, "{} questions", asked.len());
    let ask_all = |way: Way| -> Vec<Plain> {
        let world = way.begin(&made);
        asked.iter().map(|question| world.ask(question)).collect()
    };
    let answers: BTreeMap<Way, Vec<Plain>> = thread::scope(|scope| {
        let ways = Way::all().into_iter();
        let asking: Vec<_> = ways.map(|way| (way, scope.spawn(move || ask_all(way)))).collect();
        asking.into_iter().map(|(way, asking)| (way, asking.join().unwrap())).collect()
    });

    let mut intended = Intended::read();
    let (mut compared, mut faults) = (0, Vec::new());
    for (&way, found) in &answers {
        let Some(model) = way.model() else { continue };
        for (question, (expected, found)) in asked.iter().zip(answers[&model].iter().zip(found)) {
            if way.is_direct() && question.by == "ada" {
                continue; // She is the operator in one of the two.
            }
            compared += 1;
            let differences = expected.differences(found);
            let unintended: Vec<_> = differences
                .iter()
                .filter(|difference| !intended.covers(way, question, found, difference))
                .collect();
            if !unintended.is_empty() {
                let mut text = format!("{question}, {}:", way.name());
                for difference in unintended {
                    write!(text, "\n    {difference}").unwrap();
                }
                faults.push(text);
            }
        }
    }
    let all = Path::new(env!("CARGO_TARGET_TMPDIR")).join("differences.txt");
    std::fs::write(&all, faults.join("\n")).unwrap();
    let questions = asked.len();
    eprintln!("{questions} requests, {compared} comparisons, {}", intended.summary());
    assert!(
        faults.is_empty(),
        "{} of {compared} answers differ from InfluxDB's, all in {}:\n{}",
        faults.len(),
        all.display(),
        faults.iter().take(PRINTED).cloned().collect::<Vec<_>>().join("\n")
    );
    let stale = intended.unseen();
    assert!(stale.is_empty(), "listed as intended, and seen nowhere:\n{}", stale.join("\n"));
}
