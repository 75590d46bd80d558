//! The questions: what `openapi.py` makes of InfluxDB's `OpenAPI`, and `odd.jsonl`.

use std::fmt::{self, Write as _};
use std::io::Write as _;
use std::process::Command;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Deserialize;

use super::plain::Sameness;
use crate::support::*;

/// Something that there is before any question is asked; its id has a name in the questions.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Made {
    #[serde(rename = "make")]
    pub(super) name: String,
    pub(super) path: String,
    pub(super) body: String,
}

/// A request that each way is asked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Question {
    /// Method and target.
    pub(super) ask: String,
    /// Who asks: `root` and `ada`, as the way has it; `eve`, with a new session; `nobody`.
    #[serde(default = "root")]
    pub(super) by: String,
    #[serde(default)]
    headers: Vec<String>,
    body: Option<String>,
    /// How often the body is said.
    #[serde(default = "once")]
    times: usize,
    #[serde(default, rename = "gzip")]
    is_gzip: bool,
    #[serde(default, rename = "chunked")]
    is_chunked: bool,
    /// How much is the same when another InfluxDB is asked.
    #[serde(default)]
    pub(super) same: Sameness,
}

fn root() -> String {
    "root".to_owned()
}

fn once() -> usize {
    1
}

pub(super) struct Questions {
    pub(super) made: Vec<Made>,
    pub(super) asked: Vec<Question>,
}

impl Questions {
    /// The odd ones first: the others end with deleting everything.
    pub(super) fn all() -> Self {
        let folder = repository().join("tests/real/differential");
        let python = Command::new(repository().join(".venv/bin/python"))
            .arg("-B")
            .arg(folder.join("openapi.py"))
            .arg(contract())
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        assert!(python.status.success(), "{}", text(python.stderr));
        let (made, asked) =
            (text(python.stdout), std::fs::read_to_string(folder.join("odd.jsonl")));
        let (made, generated): (Vec<_>, Vec<_>) =
            made.lines().partition(|line| line.starts_with("{\"make\""));
        let asked = asked.unwrap();
        let asked = asked.lines().chain(generated);
        Self { made: made.into_iter().map(parsed).collect(), asked: asked.map(parsed).collect() }
    }
}

fn parsed<'a, T: Deserialize<'a>>(line: &'a str) -> T {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

/// InfluxDB's `OpenAPI`, which comes with its Go client.
fn contract() -> String {
    let output = Command::new("go")
        .args(["mod", "download", "-json", "github.com/influxdata/influxdb-client-go/v2"])
        .current_dir(repository().join("tests/clients/go"))
        .output()
        .unwrap();
    let module: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let folder = module["Dir"].as_str().unwrap_or_else(|| panic!("{module}"));
    format!("{folder}/domain/oss.yml")
}

impl Question {
    pub(super) fn method(&self) -> &str {
        self.ask.split(' ').next().unwrap()
    }

    /// The bytes that are sent, where `fill` puts in the ids, with this header line for who asks.
    pub(super) fn bytes(&self, fill: impl Fn(&str) -> String, credential: &str) -> Vec<u8> {
        let mut head = format!("{} HTTP/1.1\r\nHost: influxdb.test\r\n", fill(&self.ask));
        for header in &self.headers {
            write!(head, "{}\r\n", fill(header)).unwrap();
        }
        if !credential.is_empty() {
            write!(head, "{credential}\r\n").unwrap();
        }
        let Some(body) = &self.body else { return (head + "\r\n").into_bytes() };
        let mut body = fill(body).repeat(self.times).into_bytes();
        if self.is_gzip {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(&body).unwrap();
            body = encoder.finish().unwrap();
        }
        if self.is_chunked {
            let mut bytes = (head + "Transfer-Encoding: chunked\r\n\r\n").into_bytes();
            for piece in body.chunks(1000) {
                bytes.extend(format!("{:x}\r\n", piece.len()).bytes());
                bytes.extend_from_slice(piece);
                bytes.extend(b"\r\n");
            }
            bytes.extend(b"0\r\n\r\n");
            return bytes;
        }
        let mut bytes = format!("{head}Content-Length: {}\r\n\r\n", body.len()).into_bytes();
        bytes.extend(body);
        bytes
    }
}

impl fmt::Display for Question {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} by {}", self.ask, self.by)?;
        for header in &self.headers {
            write!(formatter, ", {header}")?;
        }
        if let Some(body) = &self.body {
            write!(formatter, ", body {body:.200?}")?;
        }
        Ok(())
    }
}
