//! What is written of what was counted.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use super::*;

const FORMATS: [Format; 2] = [Format::Prometheus, Format::OpenMetrics];

/// With something in each of them.
fn filled() -> Metrics {
    let metrics = Metrics::new();
    metrics.answered(&Answered {
        route: RouteClass::Api,
        method: Method::of("GET"),
        status: StatusClass::of(204),
        whole: Duration::from_millis(3),
        own: Duration::from_micros(30),
        upstream: Some(Duration::from_millis(2)),
        received: 5,
        sent: 7,
    });
    metrics.sign_ins.count(SignIn::WrongPassword);
    metrics.users.count("a\"d\\a\n", 5, 7);
    metrics.certificates.watch("[::]:443".to_owned(), Arc::new(AtomicI64::new(1_800_000_000)));
    metrics
}

#[test]
fn a_request_is_counted_once_in_each_of_its_metrics() {
    let text = filled().render(Format::Prometheus);
    let line = |wanted: &str| assert!(text.lines().any(|line| line == wanted), "{wanted}\n{text}");
    line("influx_gateway_requests_total{route=\"api\",method=\"GET\",status=\"2xx\"} 1");
    // The others are there from then on, so that each is seen to begin at zero.
    line("influx_gateway_requests_total{route=\"api\",method=\"GET\",status=\"5xx\"} 0");
    assert_eq!(text.matches("influx_gateway_requests_total{").count(), StatusClass::COUNT);
    line("influx_gateway_request_duration_seconds_bucket{route=\"api\",le=\"0.0025\"} 0");
    line("influx_gateway_request_duration_seconds_bucket{route=\"api\",le=\"0.005\"} 1");
    line("influx_gateway_request_duration_seconds_bucket{route=\"api\",le=\"+Inf\"} 1");
    line("influx_gateway_request_duration_seconds_sum{route=\"api\"} 0.003000000");
    line("influx_gateway_request_duration_seconds_count{route=\"api\"} 1");
    line("influx_gateway_upstream_duration_seconds_sum 0.002000000");
    line("influx_gateway_own_duration_seconds_bucket{le=\"0.000025\"} 0");
    line("influx_gateway_own_duration_seconds_bucket{le=\"0.00005\"} 1");
    line("influx_gateway_received_bytes_total 5");
    line("influx_gateway_sent_bytes_total 7");
    line("influx_gateway_sign_ins_total{outcome=\"wrong_password\"} 1");
    line("influx_gateway_sign_ins_total{outcome=\"signed_in\"} 0");
    line("influx_gateway_user_sent_bytes_total{user=\"a\\\"d\\\\a\\n\"} 7");
    line("influx_gateway_certificate_expiry_timestamp_seconds{listener=\"[::]:443\"} 1800000000");
}

/// What `# TYPE` lines name.
fn families(text: &str) -> Vec<&str> {
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    types.map(|line| line.split(' ').next().unwrap()).collect()
}

#[test]
fn each_metric_is_written_once_and_in_one_piece() {
    for format in FORMATS {
        let text = filled().render(format);
        let names = families(&text);
        let distinct: BTreeSet<_> = names.iter().collect();
        assert_eq!(distinct.len(), names.len(), "{names:?}");
        let mut current = "";
        for line in text.lines() {
            if let Some(name) = line.strip_prefix("# TYPE ") {
                current = name.split(' ').next().unwrap();
            } else if !line.starts_with('#') {
                assert!(line.starts_with(current), "{line} below {current}");
            }
        }
        assert_eq!(text.ends_with("\n# EOF\n"), format == Format::OpenMetrics);
    }
}

#[test]
fn the_page_about_metrics_names_them_all_and_no_others() {
    let page = include_str!("../../../docs/metrics.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let documented: BTreeSet<_> = rows.map(|name| name.split('{').next().unwrap()).collect();
    let text = Metrics::new().render(Format::Prometheus);
    assert_eq!(documented, families(&text).into_iter().collect());
}
