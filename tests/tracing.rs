//! Spans, as an OpenTelemetry collector gets them.

use std::collections::BTreeMap;
use std::io::Read;
use std::net::SocketAddr;
use std::path::Path;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

use crate::secure::{Authority, SecureGateway};
use crate::support::*;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";

/// A collector that takes everything.
fn collector() -> Upstream {
    Upstream::behaving(|_, stream| answer(stream, "200 OK", ""))
}

/// The configuration for a collector at this address, with these keys besides, and with a listener for operators.
fn tracing(collector: SocketAddr, keys: &str) -> String {
    let endpoint = format!("endpoint = \"http://{collector}/v1/traces\"");
    format!("[tracing]\n{endpoint}\n{keys}\n[admin]\nlisten = \"127.0.0.1:0\"\n")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// Attributes as text.
fn texts(attributes: &[KeyValue]) -> BTreeMap<&str, String> {
    let text = |value: &Value| match value {
        Value::StringValue(text) => text.clone(),
        Value::IntValue(number) => number.to_string(),
        other => panic!("{other:?}"),
    };
    let text = |it: &KeyValue| text(it.value.as_ref().unwrap().value.as_ref().unwrap());
    attributes.iter().map(|it| (&*it.key, text(it))).collect()
}

/// The spans in what a collector has got, by their requests' ids.
fn spans(got: &[Seen]) -> BTreeMap<String, Span> {
    let mut spans = BTreeMap::new();
    for seen in got {
        assert_eq!(seen.line(), "POST /v1/traces HTTP/1.1");
        assert_eq!(seen.header("content-type"), Some("application/x-protobuf"));
        let request = ExportTraceServiceRequest::decode(&*seen.body).unwrap();
        for resource in request.resource_spans {
            let about = texts(&resource.resource.as_ref().unwrap().attributes);
            assert_eq!(about["service.name"], "influx-gateway");
            assert_eq!(about["service.version"], env!("CARGO_PKG_VERSION"));
            for span in resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
                let id = texts(&span.attributes)["influx_gateway.request_id"].clone();
                assert!(spans.insert(id, span).is_none(), "two spans of one request");
            }
        }
    }
    spans
}

/// How many spans `/metrics` says were dropped.
fn dropped(admin: SocketAddr) -> u64 {
    let request = get("/metrics", &[]).replace("gateway.test", "127.0.0.1");
    let text = Client::connect(admin).send(&request).text();
    let mut lines = text.lines();
    let count = lines.find_map(|line| line.strip_prefix("influx_gateway_spans_dropped_total "));
    count.unwrap().parse().unwrap()
}

/// A gateway whose environment has OpenTelemetry's variables, none of which is read.
fn start_beside_variables(upstream: SocketAddr, config: &str) -> Gateway {
    let folder = Gateway::prepare(&format!("http://{upstream}"), config, &users(&["ada"]));
    let mut command = program();
    command.env("OTEL_EXPORTER_OTLP_HEADERS", "authorization=hidden-1");
    command.env("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "authorization=hidden-2");
    command.env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:1/");
    command.env("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip");
    command.env("OTEL_RESOURCE_ATTRIBUTES", "service.name=hidden-3");
    command.env("OTEL_SDK_DISABLED", "true");
    command.env("OTEL_TRACES_SAMPLER", "always_off");
    Gateway::start_by(command, folder)
}

/// Nothing that the collector has got is secret: what is called hidden, the password, the token of the session.
fn assert_no_secret(got: &[Seen], session: &str) {
    for it in got {
        let text = it.head.clone() + &String::from_utf8_lossy(&it.body);
        let token = session.split_once('=').unwrap().1;
        for secret in ["hidden", "aGlkZGVu", PASSWORD, token] {
            assert!(!text.contains(secret), "{secret}: {text}");
        }
    }
}

/// The ids of a span are those in the log, and those that went upstream.
fn check_ids(id: &str, span: &Span, log: &str, upwards: Option<&Seen>) {
    let is_traced = ["write", "me"].contains(&id);
    assert_eq!(hex(&span.trace_id) == TRACE, is_traced, "{id}");
    assert_eq!(hex(&span.parent_span_id), if is_traced { PARENT } else { "" }, "{id}");
    assert_eq!((span.trace_id.len(), span.span_id.len(), span.flags & 1), (16, 8, 1), "{id}");
    let logged = format!("request_id={id} trace_id={} ", hex(&span.trace_id));
    assert!(log.contains(&logged), "{logged}");
    let value = format!("00-{}-{}-01", hex(&span.trace_id), hex(&span.span_id));
    if let Some(upwards) = upwards {
        assert_eq!(upwards.header("traceparent"), Some(&*value), "{id}");
    }
}

/// So many things happened, in their order.
fn check_phases(id: &str, span: &Span, phases: usize) {
    let names = ["upstream.asked", "upstream.connected", "upstream.answered"];
    let names = names.iter().filter(|name| match id {
        "fails" => **name != "upstream.answered",
        _ => true,
    });
    let events: Vec<_> = span.events.iter().map(|event| &*event.name).collect();
    assert_eq!(events, names.copied().take(phases).collect::<Vec<_>>(), "{id}");
    let mut times = vec![span.start_time_unix_nano];
    times.extend(span.events.iter().map(|event| event.time_unix_nano));
    times.push(span.end_time_unix_nano);
    assert!(times.is_sorted() && times[0] > 1_600_000_000_000_000_000, "{id}: {times:?}");
}

#[test]
fn each_request_leaves_one_span_with_its_ids_and_phases_and_no_secret() {
    let collector = collector();
    let upstream = Upstream::behaving(|seen, stream| {
        !seen.line().contains("/api/v2/tasks") && answer(stream, "200 OK", "four")
    });
    let config = tracing(collector.address, "");
    let gateway = start_beside_variables(upstream.address, &config);
    let session = gateway.sign_in("ada");
    let line = cookie(&session);
    let ask = |id: &str, request: &dyn Fn(&[&str]) -> String, headers: &[&str]| {
        let id = format!("X-Request-Id: {id}");
        gateway.connect().send(&request(&[headers, &[&*line, &id]].concat())).status
    };
    let traced = format!("traceparent: 00-{TRACE}-{PARENT}-01");
    let write = |headers: &[&str]| {
        with_body("POST", "/api/v2/write?bucket=hidden-4", headers, "hidden-5 f=1")
    };
    assert_eq!(ask("write", &write, &[&traced]), 200);
    assert_eq!(ask("me", &|headers| get("/api/v2/me", headers), &[&traced]), 200);
    let zap = "zap-trace-span: {\"trace_id\":\"1a2b\"}";
    assert_eq!(ask("public", &|headers| get("/health?hidden-6", headers), &[zap]), 200);
    assert_eq!(ask("fails", &|headers| get("/api/v2/tasks", headers), &["traceparent: odd"]), 502);
    let headers = ["Authorization: Basic aGlkZGVuOmhpZGRlbi03"];
    assert_eq!(ask("refused", &|headers| post("/api/v2/signin", headers), &headers), 401);
    assert_eq!(ask("odd", &|headers| request("BREW", "/a", headers), &[]), 405);
    let seen = upstream.seen_by_clients();
    let log = gateway.stop();

    let got = collector.seen_by_clients();
    assert_no_secret(&got, &session);
    let spans = spans(&got);
    let upwards = |id| seen.iter().find(|seen| seen.header("x-request-id") == Some(id));
    // With the sign-in.
    assert_eq!(spans.len(), 7, "{:?}", spans.keys());
    for (id, name, status, user, phases) in [
        ("write", "POST write", "200", Some("ada"), 3),
        ("me", "GET me", "200", Some("ada"), 0),
        ("public", "GET public", "200", None, 3),
        ("fails", "GET api", "502", Some("ada"), 2),
        ("refused", "POST signin", "401", None, 0),
        ("odd", "HTTP other", "405", None, 0),
    ] {
        let span = &spans[id];
        let about = texts(&span.attributes);
        assert_eq!((&*span.name, span.kind), (name, 2), "{id}");
        assert_eq!(about["http.response.status_code"], status, "{id}");
        assert_eq!(about.get("user.name").map(String::as_str), user, "{id}");
        assert_eq!(about["client.address"], "127.0.0.1");
        let is_error = about.contains_key("error.type");
        assert_eq!(
            (is_error, span.status.as_ref().unwrap().code == 2),
            (id == "fails", id == "fails")
        );
        assert_eq!(upwards(id).is_some(), phases > 0, "{id}");
        check_ids(id, span, &log, upwards(id));
        check_phases(id, span, phases);
    }
    let about = texts(&spans["write"].attributes);
    assert_eq!((&*about["url.path"], &*about["url.scheme"]), ("/api/v2/write", "http"));
    assert_eq!(
        (&*about["http.request.method"], &*about["influx_gateway.route"]),
        ("POST", "write")
    );
    assert_eq!(about["influx_gateway.upstream"], upstream.address.to_string());
    assert_eq!(
        (&*about["http.request.body.size"], &*about["http.response.body.size"]),
        ("12", "4")
    );
    assert_eq!(texts(&spans["odd"].attributes)["http.request.method"], "_OTHER");
}

#[test]
fn what_is_not_recorded_is_not_sent() {
    let upstream = Upstream::start();
    for ratio in ["0.0", "1.0"] {
        let collector = collector();
        let config = tracing(collector.address, &format!("ratio = {ratio}"));
        let gateway = Gateway::start_with(upstream.address, &config, &users(&["ada"]));
        let ask = |id: &str, headers: &[&str]| {
            let id = format!("X-Request-Id: {id}");
            let answer = gateway.connect().send(&get("/health", &[headers, &[&id]].concat()));
            assert_eq!(answer.status, 200);
        };
        ask("new", &[]);
        ask("unreadable", &["traceparent: 00-0-0-01"]);
        ask("unsampled", &[&format!("traceparent: 00-{TRACE}-{PARENT}-00")]);
        ask("sampled", &[&format!("traceparent: 00-{TRACE}-{PARENT}-01")]);
        gateway.stop();
        let mut expected = vec!["new", "sampled", "unreadable"];
        expected.retain(|id| ratio == "1.0" || *id == "sampled");
        let spans = spans(&collector.seen_by_clients());
        assert_eq!(spans.keys().collect::<Vec<_>>(), expected);
        for seen in upstream.seen_by_clients() {
            let id = seen.header("x-request-id").unwrap();
            let flags = if spans.contains_key(id) { "-01" } else { "-00" };
            assert!(seen.header("traceparent").unwrap().ends_with(flags), "{id}: {}", seen.head);
        }
    }
}

#[test]
fn without_an_endpoint_nothing_begins_a_trace() {
    let upstream = Upstream::start();
    let config = "[tracing]\nratio = 1.0\n";
    let gateway = Gateway::start_with(upstream.address, config, &users(&["ada"]));
    assert_eq!(gateway.connect().send(&get("/health", &[])).status, 200);
    assert_eq!(upstream.next().header("traceparent"), None);
    assert!(!gateway.stop().contains("trace_id="));
}

#[test]
fn what_the_collector_does_not_take_is_counted_and_costs_no_request() {
    let upstream = Upstream::start();
    let busy = Upstream::behaving(|_, stream| answer(stream, "503 Service Unavailable", "busy"));
    // One span of those that were sent is rejected.
    let partial = Upstream::behaving(|_, stream| answer(stream, "200 OK", "\n\u{2}\u{8}\u{1}"));
    for (collector, lost, said) in
        [(closed_port(), 2, true), (busy.address, 2, true), (partial.address, 1, false)]
    {
        let config = tracing(collector, "");
        let gateway = Gateway::start_with(upstream.address, &config, &users(&["ada"]));
        let admin = gateway.next_admin().parse().unwrap();
        for _ in 0..2 {
            assert_eq!(gateway.connect().send(&get("/health", &[])).status, 200);
        }
        // The two are sent together, or one after the other.
        wait_until("they are counted", || (lost..=2).contains(&dropped(admin)));
        let log = gateway.stop();
        assert_eq!(log.contains("does not take spans"), said, "{log}");
    }
}

#[test]
fn no_request_waits_for_a_collector_that_hangs_and_neither_does_the_end() {
    let upstream = Upstream::start();
    // Until the other side gives up.
    let collector = Upstream::behaving(|_, stream| stream.read(&mut [0]).is_err());
    let config = tracing(collector.address, "queue = 1\ntimeout = \"1h\"");
    let config = format!("{config}[server]\ngrace = \"100ms\"\n");
    let gateway = Gateway::start_with(upstream.address, &config, &users(&["ada"]));
    let admin = gateway.next_admin().parse().unwrap();
    let ask = || assert_eq!(gateway.connect().send(&get("/health", &[])).status, 200);
    ask();
    collector.next();
    // One of them has room.
    (0..3).for_each(|_| ask());
    wait_until("the others are counted", || dropped(admin) == 2);
    let (code, log) = {
        gateway.signal("TERM");
        gateway.wait()
    };
    assert_eq!(code, Some(0));
    assert!(log.contains("the last spans were not sent within server.grace"), "{log}");
}

#[test]
fn a_collector_over_tls_is_verified() {
    let (upstream, collector) = (Upstream::start(), collector());
    // It passes on what comes to /write, whoever asks.
    let front = SecureGateway::start_with(collector.address, "", "[forward]\nv1 = true\n");
    let stranger = Authority::new();
    let spans_by = |authority: &Authority| {
        let endpoint = format!("endpoint = \"https://{}/write\"", front.https);
        let config = format!("[tracing]\n{endpoint}\n");
        let url = format!("http://{}", upstream.address);
        let folder = Gateway::prepare(&url, &config, &users(&["ada"]));
        let roots: &Path = &folder.path().join("roots.pem");
        std::fs::write(roots, authority.certificate()).unwrap();
        let mut command = program();
        command.env("SSL_CERT_FILE", roots).env_remove("SSL_CERT_DIR");
        let gateway = Gateway::start_by(command, folder);
        assert_eq!(gateway.connect().send(&get("/health", &[])).status, 200);
        let log = gateway.stop();
        let count = collector.seen_by_clients().len();
        assert_eq!(log.contains("does not take spans"), count == 0, "{log}");
        count
    };
    assert_eq!((spans_by(&front.authority), spans_by(&stranger)), (1, 0));
}
