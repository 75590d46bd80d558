//! Exchanges as `conformance/*.http` has them: read, asked, compared. `conformance/README.md` says how
//! such a file is written.

use std::fmt::Write as _;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::support::*;

/// A file: its configuration and its exchanges.
pub(crate) struct Script {
    /// The file's name.
    pub(crate) file: String,
    pub(crate) config: String,
    pub(crate) exchanges: Vec<Exchange>,
}

/// One request, and what is expected of whom.
#[derive(Default)]
pub(crate) struct Exchange {
    pub(crate) title: String,
    request: Vec<String>,
    body: Option<String>,
    /// What is expected of the gateway.
    pub(crate) gateway: Expected,
    /// What the upstream must have seen: first the line, then headers.
    pub(crate) upstream: Vec<String>,
    /// What is said of InfluxDB, where it is not what is expected of the gateway.
    pub(crate) influxdb: Option<Otherwise>,
}

/// An answer as it must be.
#[derive(Clone, Default)]
pub(crate) struct Expected {
    pub(crate) status: u16,
    pub(crate) headers: Vec<String>,
    /// The body; none: any.
    pub(crate) body: Option<String>,
}

/// How InfluxDB answers otherwise, and why.
pub(crate) struct Otherwise {
    pub(crate) answer: Expected,
    pub(crate) why: String,
}

impl Script {
    /// Every file, by name.
    pub(crate) fn all() -> Vec<Self> {
        let folder = repository().join("tests/conformance");
        let mut paths: Vec<PathBuf> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "http"));
        paths.sort();
        let read = |path: &PathBuf| {
            let file = path.file_name().unwrap().to_str().unwrap().to_owned();
            Self::parse(file, &std::fs::read_to_string(path).unwrap())
        };
        paths.iter().map(read).collect()
    }

    fn parse(file: String, text: &str) -> Self {
        let text = format!("\n{text}");
        let mut parts = text.split("\n### ");
        let head = parts.next().unwrap();
        let config: Vec<_> = head.lines().filter_map(|line| line.strip_prefix("conf ")).collect();
        let exchanges = parts.map(Exchange::parse).collect();
        Self { file, config: config.join("\n") + "\n", exchanges }
    }
}

impl Exchange {
    fn parse(text: &str) -> Self {
        let (title, rest) = text.split_once('\n').unwrap();
        let mut exchange = Self { title: title.to_owned(), ..Self::default() };
        let (request, answer) =
            rest.split_once("\n\n").unwrap_or_else(|| panic!("{title}: no answer"));
        for line in request.lines() {
            match line.strip_prefix("<<< ") {
                Some(body) => exchange.body = Some(body.to_owned()),
                None => exchange.request.push(line.to_owned()),
            }
        }
        let (head, body) = answer.split_once("\n\n").unwrap_or((answer.trim_end(), ""));
        let body = body.trim_end_matches('\n');
        exchange.gateway.body = (!body.is_empty()).then(|| body.to_owned());
        let mut lines = head.lines();
        let status = lines.next().unwrap().trim().parse();
        exchange.gateway.status = status.unwrap_or_else(|_| panic!("{title}: no status"));
        for line in lines {
            if let Some(upstream) = line.strip_prefix("^ ") {
                exchange.upstream.push(upstream.to_owned());
            } else if let Some(otherwise) = line.strip_prefix("influxdb ") {
                exchange.say_of_influxdb(otherwise);
            } else {
                exchange.gateway.headers.push(line.to_owned());
            }
        }
        exchange
    }

    /// First the status and why it is another; then a header, or `<<<` and the body.
    fn say_of_influxdb(&mut self, line: &str) {
        let Some(Otherwise { answer, .. }) = &mut self.influxdb else {
            let (status, why) = line.split_once(' ').unwrap_or_else(|| panic!("{line}: no reason"));
            let status = status.parse().unwrap_or_else(|_| panic!("{line}: no status"));
            let answer = Expected { status, ..Expected::default() };
            self.influxdb = Some(Otherwise { answer, why: why.to_owned() });
            return;
        };
        match line.strip_prefix("<<< ") {
            Some(body) => answer.body = Some(body.to_owned()),
            None => answer.headers.push(line.to_owned()),
        }
    }
}

impl Expected {
    /// Says what of `answer` is not as expected, if anything is. `expand` replaces what stands in braces.
    pub(crate) fn check(
        &self,
        answer: &Answer,
        expand: impl Fn(&str) -> String,
    ) -> Result<(), String> {
        if answer.status != self.status {
            return Err(format!("{} instead of {}: {answer:?}", answer.status, self.status));
        }
        let found = |name: &str| owned(answer.all(&name.to_lowercase()));
        let headers: Vec<_> = self.headers.iter().map(|line| expand(line)).collect();
        check_headers(&headers, found)?;
        let Some(body) = self.body.as_deref().map(expand) else { return Ok(()) };
        if !matches(&body, &answer.text()) {
            return Err(format!("the body is {:?}, not {body:?}", answer.text()));
        }
        Ok(())
    }
}

pub(crate) fn owned(values: Vec<&str>) -> Vec<String> {
    values.into_iter().map(str::to_owned).collect()
}

/// Whether `text` is as `pattern` says, where `*` stands for anything.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('*');
    let Some(mut rest) = text.strip_prefix(pieces.next().unwrap()) else { return false };
    let mut last = None;
    for piece in pieces {
        last = Some(piece);
        let Some(at) = rest.find(piece) else { return false };
        rest = &rest[at + piece.len()..];
    }
    rest.is_empty() || last.is_some_and(|last| text.ends_with(last))
}

/// Checks `Name: pattern` and `- Name` lines against the values that `all` finds of a name.
pub(crate) fn check_headers(
    lines: &[String],
    all: impl Fn(&str) -> Vec<String>,
) -> Result<(), String> {
    for line in lines {
        if let Some(absent) = line.strip_prefix("- ") {
            let found = all(absent);
            if !found.is_empty() {
                return Err(format!("{absent} is there: {found:?}"));
            }
            continue;
        }
        let (name, pattern) = line.split_once(':').ok_or(format!("{line:?} is no header"))?;
        let found = all(name);
        if found.len() != 1 || !matches(pattern.trim(), &found[0]) {
            return Err(format!("{name} is {found:?}, not {:?}", pattern.trim()));
        }
    }
    Ok(())
}

/// Who is asked.
pub(crate) trait Asked {
    /// Sends `request` on a connection of its own.
    fn send(&self, request: &str) -> Answer;
    /// Signs `name` in and returns the cookie, `name=value`.
    fn sign_in(&self, name: &str) -> String;
    /// What is written for all in the exchanges, and what it is with whom is asked.
    fn words(&self) -> Vec<(&str, String)>;
}

/// The exchanges of one file, asked one after the other.
pub(crate) struct Replay<'a, A> {
    asked: &'a A,
    words: Vec<(&'a str, String)>,
    /// The session cookie that was given last.
    last: String,
}

impl<'a, A: Asked> Replay<'a, A> {
    pub(crate) fn new(asked: &'a A) -> Self {
        Self { asked, words: asked.words(), last: String::new() }
    }

    /// Replaces what stands in braces, and what is another with each who is asked.
    pub(crate) fn expand(&self, line: &str) -> String {
        let mut expanded = line.to_owned();
        for (word, meaning) in &self.words {
            expanded = expanded.replace(word, meaning);
        }
        let value = self.last.split_once('=').map_or("", |(_, value)| value);
        expanded = expanded.replace("{last}", &self.last).replace("{last value}", value);
        expanded = each(&expanded, "{x ", |count| "x".repeat(count.parse().unwrap()));
        expanded = each(&expanded, "{basic ", |pair| format!("Basic {}", STANDARD.encode(pair)));
        each(&expanded, "{session ", |name| self.asked.sign_in(name))
    }

    /// Asks `exchange`, and remembers the cookie that comes.
    pub(crate) fn ask(&mut self, exchange: &Exchange) -> Answer {
        let mut lines = exchange.request.iter().map(|line| self.expand(line));
        let (method_and_target, mut head) = (lines.next().unwrap(), String::new());
        for line in lines {
            write!(head, "{line}\r\n").unwrap();
        }
        let method = method_and_target.split(' ').next().unwrap();
        let body = exchange.body.as_deref().map(|body| self.expand(body));
        if let Some(body) = &body {
            write!(head, "Content-Length: {}\r\n", body.len()).unwrap();
        } else if method == "POST" || method == "PUT" {
            head += "Content-Length: 0\r\n";
        }
        let host = if head.contains("Host:") { "" } else { "Host: gateway.test\r\n" };
        let body = body.unwrap_or_default();
        let request = format!("{method_and_target} HTTP/1.1\r\n{host}{head}\r\n{body}");
        let answer = self.asked.send(&request);
        // A cookie without a value is a cookie deleted.
        if answer.header("set-cookie").is_some() && !answer.cookie().ends_with("session=") {
            self.last = answer.cookie();
        }
        answer
    }
}

/// Replaces every `{opening…}` by what `make` makes of its inside.
fn each(text: &str, opening: &str, make: impl Fn(&str) -> String) -> String {
    let mut text = text.to_owned();
    while let Some((before, rest)) = text.split_once(opening) {
        let (inside, after) = rest.split_once('}').unwrap();
        text = format!("{before}{}{after}", make(inside));
    }
    text
}

#[test]
fn patterns() {
    for (pattern, text, expected) in [
        ("abc", "abc", true),
        ("a*c", "abbbc", true),
        ("a*", "a", true),
        ("*", "", true),
        ("a*c", "abcd", false),
        ("abc", "abcd", false),
        ("a*b*c", "axbxc", true),
        ("a*c", "acbc", true),
    ] {
        assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
    }
}
