use std::collections::BTreeSet;

use super::{Asker, Influxd, Mode, between};
use crate::influxd::OPERATOR;
use crate::support::*;

/// The ids of the users for whom InfluxDB's `/metrics` has `series`.
fn counted(influxd: &Influxd, series: &str) -> BTreeSet<String> {
    let metrics = influxd.send(&get("/metrics", &[])).text();
    let lines = metrics.lines().filter(|line| line.starts_with(&format!("{series}{{")));
    lines.map(|line| between(line, "user_id=\"", "\"").unwrap().to_owned()).collect()
}

#[test]
fn influxdbs_statistics_of_users_count_whose_credential_went_upstream() {
    let flags = ["--http-user-query-bytes-enabled", "--http-user-write-bytes-enabled"];
    for mode in Mode::ALL {
        let influxd = Influxd::start_with(&flags);
        let ada = influxd.add_user("ada");
        let operator = influxd.call("GET", "/api/v2/me", None)["id"].as_str().unwrap().to_owned();
        assert_eq!(influxd.call("GET", "/api/v2/me", None)["name"], OPERATOR);
        // A token of one's own goes before the shared one.
        let both = if mode == Mode::OwnToken { "token_file = \"shared.token\"\n" } else { "" };
        let gateway = mode.gateway_with(&influxd, &[&ada], both);
        let asker = Asker::new(mode, &gateway, &ada);
        assert_eq!(asker.write("m v=1").status, 204, "{mode:?}");
        let flux = "from(bucket: \"weather\") |> range(start: -1h)";
        let headers = [&*asker.credential, "Content-Type: application/vnd.flux"];
        let query = with_body("POST", "/api/v2/query?org=home", &headers, flux);
        assert_eq!(gateway.connect().send(&query).status, 200, "{mode:?}");

        let expected = if mode == Mode::SharedToken { operator } else { ada.id };
        for series in ["http_write_user_request_bytes", "http_query_user_response_bytes"] {
            wait_until("InfluxDB has counted somebody", || !counted(&influxd, series).is_empty());
            assert_eq!(counted(&influxd, series), [expected.clone()].into(), "{mode:?} {series}");
        }
    }
}
