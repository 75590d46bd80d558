//! `compatibility/clients.jsonl`: which real clients are run. Each line says what `make test` runs of a client
//! (`test`), what `make test-influxdb` runs (`influxdb`), what nobody runs, where its version is pinned, and which page names it
//! `also`.
//!
//! `compatibility/differences.jsonl`: what the gateway does otherwise than InfluxDB on purpose. Each line says
//! what, how InfluxDB has it, how the gateway, and why; and where it can be, what shows it: `ask` is
//! a method, a target, who asks (`ada` with a session, `ada:` with a password, `nobody`) and perhaps
//! a header; `status` and `has` are what the gateway answers. `covers` says the same to the tests before real
//! InfluxDBs (`real/differential/intended.rs`), which look for it in all that is asked there.

use std::fmt::Write;
use std::path::Path;

use serde_json::Value;

use crate::exchanges::matches;
use crate::support::*;

fn differences() -> Vec<Value> {
    lines("differences.jsonl")
}

fn lines(name: &str) -> Vec<Value> {
    let path = repository().join("tests/compatibility").join(name);
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn text<'a>(difference: &'a Value, key: &str) -> &'a str {
    difference[key].as_str().unwrap_or_else(|| panic!("{key}: {difference}"))
}

/// The list as docs/compatibility.md has it.
fn page() -> String {
    let mut page = String::from(
        "# Compatibility\n\n\
         Which clients of InfluxDB were tried, and what the gateway does otherwise than InfluxDB.\n\
         `make compatibility` writes this page from `tests/compatibility/`.\n\n\
         ## Clients\n\
         `make test` runs real clients through the gateway. They write 10,000 points each into a real\n\
         VictoriaMetrics, whose `/api/v2/write` is InfluxDB's. `make test-influxdb` runs them in front of a\n\
         real InfluxDB 2.10. Those of InfluxDB 3 run before [stand-ins](influxdb3.md) alone. A test compares\n\
         these versions with the ones that are installed.\n\n\
         | client | version | `make test` | `make test-influxdb` | result | not run |\n|---|---|---|---|---|---|\n",
    );
    for client in lines("clients.jsonl") {
        let cells = ["client", "version", "test", "influxdb", "result", "not_run"];
        let cells = cells.map(|key| match text(&client, key) {
            "" => "–",
            cell => cell,
        });
        writeln!(page, "| {} |", cells.join(" | ")).unwrap();
    }
    page.push_str(
        "\n\
         ## What differs from InfluxDB\n\
         Clients of InfluxDB 2 work through the gateway as they work without it. What the gateway does\n\
         otherwise, it does on purpose, and it is all here. Tests ask the gateway\n\
         (`tests/compatibility/differences.jsonl`). `make test-influxdb` asks a real\n\
         InfluxDB each operation of its OpenAPI, and odder things, with and without the gateway: whatever\n\
         differs in status, headers or body is here, for everything but `Date`.\n\n\
         | what | InfluxDB | the gateway | why |\n|---|---|---|---|\n",
    );
    for difference in differences() {
        let [what, influxdb, gateway, why] =
            ["what", "influxdb", "gateway", "why"].map(|key| text(&difference, key));
        writeln!(page, "| {what} | {influxdb} | {gateway} | {why} |").unwrap();
    }
    page
}

#[test]
fn f_55_the_list_of_differences_is_as_documented() {
    let page = page();
    // Where `make compatibility` takes it from.
    let written = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compatibility.md");
    std::fs::write(written, &page).unwrap();
    let documented = std::fs::read_to_string(repository().join("docs/compatibility.md"));
    assert_eq!(documented.unwrap_or_default(), page, "`make compatibility` writes it anew");
}

#[test]
fn the_clients_have_the_versions_that_the_page_names() {
    let mut pinned = 0;
    for client in lines("clients.jsonl") {
        let Some(place) = client["pinned"].as_array() else { continue };
        let [file, mark] = [0, 1].map(|index| place[index].as_str().unwrap());
        let file = std::fs::read_to_string(repository().join(file)).unwrap();
        assert!(file.contains(mark), "{client}");
        let version = text(&client, "version").split([',', ' ']).next().unwrap();
        let is_in_mark = mark.contains(version.trim_start_matches('v'));
        assert!(is_in_mark || mark.contains("aiohttp"), "{client}");
        if let Some(page) = client["also"].as_str() {
            let page = std::fs::read_to_string(repository().join(page)).unwrap();
            assert!(page.contains(&format!(" | {version} |")), "{client}");
        }
        pinned += 1;
    }
    assert!(pinned > 11, "{pinned}");
}

#[test]
fn f_55_the_gateway_differs_as_the_list_says() {
    let gateway = Gateway::start(Upstream::start().address);
    let mut asked = 0;
    for difference in differences() {
        let Some(ask) = difference["ask"].as_array() else { continue };
        let ask: Vec<_> = ask.iter().map(|word| word.as_str().unwrap()).collect();
        let credentials = match ask[2] {
            "ada" => cookie(&gateway.sign_in("ada")),
            "ada:" => basic("ada", PASSWORD),
            _ => "X-A: 1".to_owned(),
        };
        let headers = [&[&*credentials, "Content-Length: 0"], &ask[3..]].concat();
        let answer = gateway.connect().send(&request(ask[0], ask[1], &headers));
        assert_eq!(Some(u64::from(answer.status)), difference["status"].as_u64(), "{difference}");
        for (name, pattern) in difference["has"].as_object().into_iter().flatten() {
            let found = answer.header(name).unwrap_or_else(|| panic!("{difference}: {answer:?}"));
            assert!(matches(pattern.as_str().unwrap(), found), "{difference}: {found}");
        }
        asked += 1;
    }
    assert!(asked > 8, "{asked}");
}
