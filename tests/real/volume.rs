use std::fmt::Write as _;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use sha2::Digest as _;

use crate::influxd::{BUCKET, Influxd, OPERATOR_TOKEN, ORG};
use crate::modes::Mode;
use crate::programs::python;
use crate::support::*;

const MEBIBYTE: usize = 1 << 20;

/// How long the answer of the largest request may take.
const LONG: Duration = Duration::from_secs(600);

/// How long the silent query says nothing.
const SILENCE: Duration = Duration::from_secs(90);

/// Text that looks random, and is the same each time: digits of a linear congruential generator.
fn text(seed: u64, length: usize) -> String {
    let (mut state, mut text) = (seed, String::with_capacity(length + 16));
    while text.len() < length {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        write!(text, "{:08x}", state >> 32).unwrap();
    }
    text.truncate(length);
    text
}

/// What `client` prints, which must be all it prints.
fn said(client: &mut Command) -> String {
    let output = client.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && stderr.is_empty(), "{stderr}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// The Python client that downloads the answer to `query` from there.
fn download(address: std::net::SocketAddr, query: &str, encoding: &str) -> Command {
    let mut client = python("python_volume.py");
    client.env("GATEWAY_URL", format!("http://{address}"));
    client.env("QUERY", query).env("ANSWER", encoding);
    client
}

#[test]
fn a_large_answer_is_the_same_through_the_gateway() {
    let influxd = Influxd::start();
    let ada = influxd.add_user("ada");
    let target = format!("/api/v2/write?org={ORG}&bucket={BUCKET}&precision=s");
    let token = format!("Authorization: Token {OPERATOR_TOKEN}");
    for batch in 0..20 {
        let mut lines = String::new();
        for point in batch * 8..(batch + 1) * 8 {
            writeln!(lines, "large text=\"{}\" {}", text(point, MEBIBYTE), 1_700_000_000 + point)
                .unwrap();
        }
        assert_eq!(influxd.send(&with_body("POST", &target, &[&token], &lines)).status, 204);
    }
    let query = "from(bucket: \"weather\") |> range(start: 2023-11-14T00:00:00Z, stop: 2023-11-15T00:00:00Z)";

    let mut direct = download(influxd.address, query, "plain");
    let direct = said(direct.env("GATEWAY_TOKEN", OPERATOR_TOKEN));
    let (size, digest) = direct.strip_prefix("plain, ").unwrap().split_once(" bytes, ").unwrap();
    assert!(size.parse::<usize>().unwrap() > 150_000_000, "{direct}");
    let gateway = Mode::InfluxdbUsers.gateway(&influxd, &[&ada]);
    for encoding in ["plain", "gzip"] {
        let mut client = download(gateway.address, query, encoding);
        client.env("GATEWAY_USER", &ada.name).env("GATEWAY_PASSWORD", PASSWORD);
        assert_eq!(said(&mut client), format!("{encoding}, {size} bytes, {digest}"));
    }
}

#[test]
fn a_query_may_be_silent_for_long() {
    let influxd = Influxd::start();
    let ada = influxd.add_user("ada");
    // Flux has no sleep; but it can ask others, and has to wait for them.
    let slow = Upstream::behaving(|_, stream| {
        let start = Instant::now();
        while start.elapsed() < SILENCE {
            thread::park_timeout(SILENCE.saturating_sub(start.elapsed()));
        }
        answer(stream, "200 OK", "late")
    });
    let query = format!(
        "import \"array\"\nimport \"http/requests\"\n\
         answer = requests.get(url: \"http://{}/\", config: {{timeout: 5m, insecureSkipVerify: false}})\n\
         array.from(rows: [{{answer: string(v: answer.body)}}])",
        slow.address
    );
    let gateway = Mode::InfluxdbUsers.gateway(&influxd, &[&ada]);
    let credential = Mode::InfluxdbUsers.credential(&gateway, &ada);
    let csv = ",result,table,answer\r\n,_result,0,late\r\n\r\n";
    thread::scope(|scope| {
        let mut client = download(gateway.address, &query, "plain");
        client.env("GATEWAY_USER", &ada.name).env("GATEWAY_PASSWORD", PASSWORD);
        let client = scope.spawn(move || said(&mut client));

        let start = Instant::now();
        let mut raw = gateway.connect();
        raw.stream.set_read_timeout(Some(LONG)).unwrap();
        let headers = [credential.as_str(), "Content-Type: application/vnd.flux"];
        raw.write(
            with_body("POST", &format!("/api/v2/query?org={ORG}"), &headers, &query).as_bytes(),
        );
        // Both have been asked; others go on meanwhile.
        slow.next();
        slow.next();
        let me = gateway.connect().send(&get("/api/v2/me", &[&credential]));
        assert_eq!(me.status, 200, "{me:?}");

        let mut first = [0];
        assert_eq!(raw.stream.peek(&mut first).unwrap(), 1);
        assert!(start.elapsed() >= SILENCE, "it was not silent: {:?}", start.elapsed());
        let answer = raw.read();
        assert_eq!((answer.status, answer.text().as_str()), (200, csv));
        let line = client.join().unwrap();
        // This client asks for annotations.
        let annotated = "#datatype,string,long,string\r\n#group,false,false,false\r\n\
                         #default,_result,,\r\n,result,table,answer\r\n,,0,late\r\n\r\n";
        let mut digest = String::new();
        for byte in sha2::Sha256::digest(annotated) {
            write!(digest, "{byte:02x}").unwrap();
        }
        assert_eq!(line, format!("plain, {} bytes, {digest}", annotated.len()));
    });
}

/// So many KiB, of a line of `/proc/PID/status`.
fn memory(pid: u32, line: &str) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|text| text.strip_prefix(line)).unwrap();
    line.trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap()
}

#[test]
fn a_write_of_one_gigabyte_takes_no_memory() {
    // InfluxDB has ten seconds for a write, and 1 GiB for what is not in its files yet.
    let flags = ["--storage-write-timeout=10m", "--storage-cache-max-memory-size=4294967296"];
    let influxd = Influxd::start_with(&flags);
    let ada = influxd.add_user("ada");
    let gateway = Mode::InfluxdbUsers.gateway(&influxd, &[&ada]);
    let credential = Mode::InfluxdbUsers.credential(&gateway, &ada);
    let before = memory(gateway.pid(), "VmRSS:");

    let mut client = gateway.connect();
    client.stream.set_read_timeout(Some(LONG)).unwrap();
    let target = format!("/api/v2/write?org={ORG}&bucket={BUCKET}&precision=s");
    let headers = [credential.as_str(), "Transfer-Encoding: chunked"];
    client.write(request("POST", &target, &headers).as_bytes());
    let text = text(1, MEBIBYTE);
    for point in 0..1024 {
        let line = format!("large text=\"{text}\" {}\n", 1_700_000_000 + point);
        for piece in line.as_bytes().chunks(64 << 10) {
            client.write(format!("{:x}\r\n", piece.len()).as_bytes());
            client.write(piece);
            client.write(b"\r\n");
        }
    }
    client.write(b"0\r\n\r\n");
    let answer = client.read();
    assert_eq!(answer.status, 204, "{answer:?}");

    let peak = memory(gateway.pid(), "VmHWM:");
    assert!(peak - before < 64 << 10, "from {before} KiB to {peak} KiB");
    let query = "from(bucket: \"weather\") |> range(start: 0) |> count()";
    let token = format!("Authorization: Token {OPERATOR_TOKEN}");
    let headers = [token.as_str(), "Content-Type: application/vnd.flux"];
    let target = format!("/api/v2/query?org={ORG}");
    let count = influxd.send(&with_body("POST", &target, &headers, query)).text();
    assert!(count.contains(",1024,text,large"), "{count}");
}
