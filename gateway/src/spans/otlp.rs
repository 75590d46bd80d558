//! Spans as OTLP has them: protobuf, with the names of OpenTelemetry's semantic conventions for HTTP.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, SpanKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{self as otlp, ResourceSpans, ScopeSpans, SpanFlags};
use prost::Message;

use super::Span;
use crate::hex;

/// What the spans are of.
const SERVICE: &str = env!("CARGO_PKG_NAME");

/// The request that has `spans` exported.
pub fn request(spans: Vec<Span>) -> Vec<u8> {
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let resource = Resource {
        attributes: vec![
            text("service.name", SERVICE.to_owned()),
            text("service.version", version.clone()),
        ],
        ..Resource::default()
    };
    let scope = InstrumentationScope {
        name: SERVICE.to_owned(),
        version,
        ..InstrumentationScope::default()
    };
    let spans = spans.into_iter().map(span).collect();
    let scope_spans = ScopeSpans { scope: Some(scope), spans, ..ScopeSpans::default() };
    let resource_spans = ResourceSpans {
        resource: Some(resource),
        scope_spans: vec![scope_spans],
        ..ResourceSpans::default()
    };
    ExportTraceServiceRequest { resource_spans: vec![resource_spans] }.encode_to_vec()
}

/// How many spans the collector that gave this answer has not taken. What is no answer says nothing of it.
pub fn rejected(answer: &[u8]) -> u64 {
    let answer = ExportTraceServiceResponse::decode(answer).unwrap_or_default();
    let count = answer.partial_success.map_or(0, |partial| partial.rejected_spans);
    u64::try_from(count).unwrap_or_default()
}

fn span(span: Span) -> otlp::Span {
    let after = |time: Duration| nanos(span.started + time);
    let event = |(name, time): &(&'static str, Duration)| Event {
        time_unix_nano: after(*time),
        name: (*name).to_owned(),
        ..Event::default()
    };
    let is_remote = SpanFlags::ContextHasIsRemoteMask as u32
        | span.parent.map_or(0, |_| SpanFlags::ContextIsRemoteMask as u32);
    let code = if span.status >= 500 { StatusCode::Error } else { StatusCode::Unset };
    otlp::Span {
        trace_id: hex::decode(&span.trace_id).unwrap_or_default(),
        span_id: span.id.to_be_bytes().to_vec(),
        parent_span_id: span.parent.map_or(Vec::new(), |parent| parent.to_be_bytes().to_vec()),
        flags: u32::from(span.flags) | is_remote,
        name: format!("{} {}", span.method.unwrap_or("HTTP"), span.route),
        kind: SpanKind::Server.into(),
        start_time_unix_nano: nanos(span.started),
        end_time_unix_nano: after(span.took),
        events: span.phases.iter().map(event).collect(),
        status: Some(otlp::Status { code: code.into(), message: String::new() }),
        attributes: attributes(span),
        ..otlp::Span::default()
    }
}

fn attributes(span: Span) -> Vec<KeyValue> {
    let scheme = if span.over_tls { "https" } else { "http" };
    let mut attributes = vec![
        text("http.request.method", span.method.unwrap_or("_OTHER").to_owned()),
        text("url.scheme", scheme.to_owned()),
        text("url.path", span.path),
        number("http.request.body.size", span.received),
        number("http.response.body.size", span.sent),
        text("influx_gateway.route", span.route.to_owned()),
        text("influx_gateway.request_id", span.request_id),
    ];
    if span.status > 0 {
        attributes.push(number("http.response.status_code", span.status.into()));
    }
    if span.status >= 500 {
        attributes.push(text("error.type", span.status.to_string()));
    }
    attributes.extend(span.client.map(|client| text("client.address", client)));
    attributes.extend(span.user.map(|user| text("user.name", user)));
    let upstream =
        span.upstream.map(|address| text("influx_gateway.upstream", address.to_string()));
    attributes.extend(upstream);
    attributes
}

fn text(key: &str, value: String) -> KeyValue {
    attribute(key, Value::StringValue(value))
}

fn number(key: &str, value: u64) -> KeyValue {
    attribute(key, Value::IntValue(i64::try_from(value).unwrap_or(i64::MAX)))
}

fn attribute(key: &str, value: Value) -> KeyValue {
    let value = Some(AnyValue { value: Some(value) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

/// Nanoseconds since 1970.
fn nanos(time: SystemTime) -> u64 {
    let time = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
