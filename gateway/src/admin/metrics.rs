//! `GET /metrics`.

use http::header::{ACCEPT, CONTENT_TYPE, HeaderValue, VARY};
use http::{HeaderMap, Response as Answer};

use crate::api::Response;
use crate::metrics::METRICS;
use crate::metrics::text::Format;

/// All metrics, in the format that the client would rather have.
pub(super) fn get(headers: &HeaderMap) -> Response {
    let format = wanted(headers);
    let mut response = Answer::new(METRICS.render(format).into());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(format.media_type()));
    headers.insert(VARY, HeaderValue::from_static("accept"));
    response
}

/// `OpenMetrics` where the client knows the version that is written here and likes it better than text, or as much.
fn wanted(headers: &HeaderMap) -> Format {
    let texts = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let (mut open, mut text) = (0.0_f32, 0.0_f32);
    for range in texts.flat_map(|value| value.split(',')) {
        let mut parts = range.split(';').map(str::trim);
        let media_type = parts.next().unwrap_or_default().to_ascii_lowercase();
        let (mut quality, mut version) = (1.0, "1.0.0");
        for (name, value) in parts.filter_map(|part| part.split_once('=')) {
            match name.trim() {
                "q" => quality = weight(value.trim()),
                "version" => version = value.trim().trim_matches('"'),
                _ => {}
            }
        }
        match &*media_type {
            "application/openmetrics-text" if version == "1.0.0" => open = open.max(quality),
            "text/plain" | "text/*" | "*/*" => text = text.max(quality),
            _ => {}
        }
    }
    if open > 0.0 && open >= text { Format::OpenMetrics } else { Format::Prometheus }
}

/// A quality, such as `0.75`; what is none counts as nothing.
fn weight(quality: &str) -> f32 {
    let quality = quality.parse().ok().filter(|quality| (0.0..=1.0).contains(quality));
    quality.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_the_one_that_the_client_likes_better() {
        for (accept, expected) in [
            ("", Format::Prometheus),
            ("*/*", Format::Prometheus),
            ("text/plain", Format::Prometheus),
            ("application/openmetrics-text", Format::OpenMetrics),
            ("Application/OpenMetrics-Text; Version=1.0.0", Format::OpenMetrics),
            (
                "application/openmetrics-text; version=1.0.0; charset=utf-8, */*",
                Format::OpenMetrics,
            ),
            ("application/openmetrics-text; version=0.0.1", Format::Prometheus),
            ("application/openmetrics-text;q=0", Format::Prometheus),
            ("application/openmetrics-text;q=0.5, text/plain", Format::Prometheus),
            ("application/openmetrics-text;q=nan, text/html", Format::Prometheus),
            // As Prometheus 2.42 and 3.5 ask.
            (
                "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                 text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                Format::OpenMetrics,
            ),
            (
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                 application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;\
                 escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
                Format::OpenMetrics,
            ),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_str(accept).unwrap());
            assert_eq!(wanted(&headers), expected, "{accept}");
        }
    }
}
