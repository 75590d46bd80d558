use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::support::*;

#[test]
fn its_curl_lines_work_as_pasted() {
    let mut demo = program()
        .args(["demo", "--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(demo.stdout.take().unwrap()).lines().map_while(Result::ok);
    let (mut curl_lines, mut page) = (Vec::new(), None);
    while curl_lines.len() < 4 {
        let line = lines.next().unwrap();
        page =
            page.or_else(|| Some(line.strip_prefix("page ")?.trim().split(' ').next()?.to_owned()));
        curl_lines.extend(Some(line).filter(|line| line.starts_with("curl ")));
    }
    let folder = tempfile::tempdir().unwrap();
    let run = |line: &str| {
        let output = Command::new("sh").args(["-c", line]).current_dir(&folder).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let answers: Vec<_> = curl_lines.iter().map(|line| run(line)).collect();
    let again = run(&curl_lines[3]);
    let page = run(&format!("curl -s {}", page.unwrap()));
    demo.kill().unwrap();
    demo.wait().unwrap();

    assert!(page.contains("<title>Sign in · Demo</title>"), "{page}");
    assert!(answers[0].starts_with("HTTP/1.1 204 "), "{}", answers[0]);
    assert!(answers[1].contains("\"name\": \"demo\""), "{}", answers[1]);
    let (_, body) = answers[2].split_once("\r\n\r\n").unwrap();
    let seen: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(seen["method"], "GET");
    assert_eq!(seen["path"], "/api/v2/buckets");
    assert_eq!(seen["query"], "org=demo");
    assert_eq!(seen["headers"]["x-forwarded-user"], "demo");
    assert_eq!(seen["headers"].get("cookie"), None);
    assert_eq!(seen["body_bytes"], 0);
    assert!(answers[3].starts_with("HTTP/1.1 204 "), "{}", answers[3]);
    assert!(again.starts_with("HTTP/1.1 401 "), "{again}");
}
