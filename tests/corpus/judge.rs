//! What a case says must come out, compared with what did.

use std::collections::BTreeSet;

use serde_json::Value;

use super::http::Head;
use super::upstream::{Request, Seen};
use crate::support::*;

/// Of this hop only: a proxy forwards none of them.
const HOP_BY_HOP: [&str; 9] = [
    "connection",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "upgrade",
];

/// Refusals of the request itself say a code and a message.
const WITH_CODE: [u16; 8] = [400, 413, 414, 417, 421, 431, 501, 505];

/// What came back to the client.
#[derive(Default)]
pub(super) struct Exchange {
    /// Final answers, but for that to the runner's own request.
    pub(super) answers: Vec<Answer>,
    /// Whether the connection has ended.
    pub(super) is_closed: bool,
    /// Whether the runner's own request was answered on it.
    pub(super) is_probed: bool,
}

impl Exchange {
    /// Reads answers until `is_enough`, or the connection ends or says nothing more.
    pub(super) fn read(
        &mut self,
        client: &mut Client,
        is_head: bool,
        is_enough: impl Fn(&[Answer]) -> bool,
    ) {
        while !is_enough(&self.answers) {
            let method = if is_head && self.answers.is_empty() { "HEAD" } else { "GET" };
            match client.next_final(method) {
                Ok(answer) => self.answers.push(answer),
                Err(error) => {
                    self.is_closed = !is_timeout(&error);
                    return;
                }
            }
        }
    }
}

pub(super) struct Judge<'a> {
    pub(super) is_plain: bool,
    pub(super) cookie: &'a str,
    pub(super) seen: &'a Seen,
}

impl Judge<'_> {
    /// All that is not as `case` says.
    pub(super) fn problems(
        &self,
        case: &Value,
        exchange: &Exchange,
        expand: &dyn Fn(&str) -> String,
    ) -> Vec<String> {
        let (expect, answers) = (&case["expect"], &exchange.answers);
        let mut problems = Vec::new();
        let first = answers.first().map(|answer| answer.status);
        let wanted = as_list(&expect["status"]);
        let is_wanted = first.is_some_and(|first| wanted.contains(&&Value::from(first)));
        let is_closed = exchange.is_closed && !exchange.is_probed;
        let is_refused = first.is_none_or(|first| first >= 400);
        let by_closing = is_closed && is_refused && wanted.contains(&&Value::from("close"));
        if !is_wanted && !by_closing {
            problems.push(format!("status {first:?}, not {}", expect["status"]));
        }
        let count = expect.get("answers").cloned().unwrap_or(1.into());
        if !by_closing && !as_list(&count).contains(&&Value::from(answers.len())) {
            let got: Vec<_> = answers.iter().map(|answer| answer.status).collect();
            problems.push(format!("answers {got:?}, not {count} of them"));
        }
        for (answer, status) in answers.iter().skip(1).zip(as_list(&expect["then"])) {
            if !as_list(status).contains(&&Value::from(answer.status)) {
                problems.push(format!("then status {}, not {status}", answer.status));
            }
        }
        if expect["closed"] == true && !is_closed {
            problems.push("the connection stays open".to_owned());
        }
        if let (Some(answer), false) = (answers.first(), self.is_plain) {
            problems.extend(judge_answer(expect, answer));
        }
        let upstream = &case["upstream"];
        let may_pass = wanted.contains(&&Value::from(200));
        problems.extend(match (is_refused && may_pass && (is_wanted || by_closing), by_closing) {
            // Where a refusal is allowed too, nothing complete may have been forwarded by it.
            (true, true) => self.judge_upstream(&serde_json::json!({ "count": 0 }), expand),
            (true, false) => self.judge_upstream(&Value::Null, expand),
            (false, _) => self.judge_upstream(upstream, expand),
        });
        problems
    }

    fn judge_upstream(&self, expected: &Value, expand: &dyn Fn(&str) -> String) -> Vec<String> {
        let (seen, mut problems) = (self.seen, Vec::new());
        if let Some(garbage) = seen.garbage.first() {
            problems.push(format!("no request, on a connection to the upstream: {garbage:.80?}"));
        }
        if expected.is_null() {
            if !seen.received.is_empty() {
                problems.push(format!("reached the upstream: {:.80?}", seen.received));
            }
            return problems;
        }
        let lines: Vec<_> = seen.requests.iter().map(|request| &*request.head.first).collect();
        if expected["count"] != lines.len() {
            problems.push(format!("upstream requests {lines:?}, not {}", expected["count"]));
        }
        problems.extend(seen.requests.iter().flat_map(|request| self.judge_request(request)));
        let wanted =
            if expected["line"].is_null() { &expected["lines"] } else { &expected["line"] };
        for (got, wanted) in lines.iter().zip(as_list(wanted)) {
            let wanted = wanted.as_str().unwrap();
            // The version of the upstream's connection is a plain proxy's to choose.
            let is_same_but_version = without_version(got) == without_version(wanted);
            if *got != wanted && !(self.is_plain && is_same_but_version) {
                problems.push(format!("upstream line {got:?}, not {wanted:?}"));
            }
        }
        if let Some(request) = seen.requests.first() {
            let body = expected["body"].as_str().map(expand);
            if body.is_some_and(|body| body != request.body) {
                problems.push(format!("upstream body {:.60?}", request.body));
            }
            if !self.is_plain {
                problems.extend(judge_headers("upstream", expected, &request.head.headers));
            }
        }
        let never = expected["never"].as_str().filter(|_| !self.is_plain);
        if let Some(never) = never.filter(|never| seen.received.contains(never)) {
            problems.push(format!("the upstream saw {never:?}"));
        }
        problems
    }

    /// What holds for every request that is forwarded.
    fn judge_request(&self, Request { head, .. }: &Request) -> Vec<String> {
        let mut problems = Vec::new();
        let count = |name| head.all(name).len();
        if count("content-length") + count("transfer-encoding") > 1 {
            problems.push("upstream framing is ambiguous".to_owned());
        }
        if count("host") != 1 {
            problems.push(format!("upstream has {} Host headers", count("host")));
        }
        for name in HOP_BY_HOP {
            let values = head.all(name);
            // A proxy may say of its own connection whether it goes on.
            let is_own = values == ["close"] || values == ["keep-alive"];
            let may_stay = self.is_plain && name == "connection" && is_own;
            if !values.is_empty() && !may_stay {
                problems.push(format!("upstream has {name}"));
            }
        }
        if !self.is_plain {
            problems.extend(self.judge_identity(head));
        }
        problems
    }

    fn judge_identity(&self, head: &Head) -> Vec<String> {
        let mut problems = Vec::new();
        let is_identity =
            |name: &str| name.replace(['_', '.'], "-").eq_ignore_ascii_case("x-forwarded-user");
        if head.headers.iter().filter(|(name, _)| is_identity(name)).count() > 1 {
            problems.push("upstream has more than one identity".to_owned());
        }
        let secret = self.cookie.split_once('=').unwrap().1;
        if head.headers.iter().any(|(_, value)| value.contains(secret)) {
            problems.push("the session cookie reached the upstream".to_owned());
        }
        problems
    }
}

fn judge_answer(expect: &Value, answer: &Answer) -> Vec<String> {
    let mut problems = Vec::new();
    if WITH_CODE.contains(&answer.status) {
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let (code, message) = (&body["code"], &body["message"]);
        if !code.is_string() || !message.is_string() {
            let body = String::from_utf8_lossy(&answer.body);
            problems.push(format!("body {body:.60?}, not code and message"));
        } else if expect["status"] == answer.status
            && expect.get("code").is_some_and(|it| it != code)
        {
            problems.push(format!("code {code}, not {}", expect["code"]));
        }
        if !answer.all("server").is_empty() {
            problems.push("the answer names the server".to_owned());
        }
    }
    problems.extend(judge_headers("the answer", expect, &answer.headers));
    let body = String::from_utf8_lossy(&answer.body);
    if let Some(never) = expect["never"].as_str().filter(|never| body.contains(never)) {
        problems.push(format!("the answer repeats {never:?}"));
    }
    problems
}

/// Compares with `has` and `hasnt`.
fn judge_headers(place: &str, expected: &Value, headers: &[(String, String)]) -> Vec<String> {
    let mut problems = Vec::new();
    let values = |name: &str| -> Vec<&str> {
        let named = headers.iter().filter(|(other, _)| other == name);
        named.map(|(_, value)| value.as_str()).collect()
    };
    for (name, wanted) in expected["has"].as_object().into_iter().flatten() {
        let got = values(name);
        let wanted: Vec<_> = as_list(wanted).into_iter().filter_map(Value::as_str).collect();
        let mut pairs = got.iter().zip(&wanted);
        if got.len() != wanted.len() || !pairs.all(|(got, wanted)| matches(got, wanted)) {
            problems.push(format!("{place} has {name} {got:?}, not {wanted:?}"));
        }
    }
    let unwanted: BTreeSet<_> =
        as_list(&expected["hasnt"]).into_iter().filter_map(Value::as_str).collect();
    for name in unwanted.into_iter().filter(|name| !values(name).is_empty()) {
        problems.push(format!("{place} has {name} {:?}", values(name)));
    }
    problems
}

/// Whether `got` is as wanted, where `*` stands for anything.
fn matches(got: &str, wanted: &str) -> bool {
    let Some((head, rest)) = wanted.split_once('*') else { return got == wanted };
    let Some(got) = got.strip_prefix(head) else { return false };
    (0..=got.len()).any(|at| got.is_char_boundary(at) && matches(&got[at..], rest))
}

fn without_version(line: &str) -> &str {
    line.rsplit_once(' ').map_or(line, |(line, _version)| line)
}

/// A list, or the one thing that stands for it; none for nothing.
pub(super) fn as_list(value: &Value) -> Vec<&Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(list) => list.iter().collect(),
        one => vec![one],
    }
}
