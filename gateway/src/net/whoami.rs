//! An upstream that answers every request with what it saw. For `demo` and for tests.

use std::collections::BTreeMap;

use async_trait::async_trait;
use bytes::Bytes;
use http::Response;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use pingora::apps::http_app::ServeHttp;
use pingora::protocols::http::ServerSession;
use serde_json::{Value, json};

/// Answers 200 with JSON `{method, path, query, headers, body_bytes}`. Header names are in lower
/// case; a header that came more than once is an array.
pub struct Whoami;

#[async_trait]
impl ServeHttp for Whoami {
    async fn response(&self, session: &mut ServerSession) -> Response<Vec<u8>> {
        let mut body_bytes = 0;
        while let Ok(Some(chunk)) = session.read_request_body().await {
            body_bytes += Bytes::len(&chunk);
        }
        let request = session.req_header();
        let mut headers: BTreeMap<&str, Value> = BTreeMap::new();
        for name in request.headers.keys() {
            let values = request.headers.get_all(name).iter();
            let mut values: Vec<_> = values
                .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
                .collect();
            let value = if values.len() == 1 { json!(values.pop()) } else { json!(values) };
            headers.insert(name.as_str(), value);
        }
        let seen = json!({
            "method": request.method.as_str(),
            "path": request.uri.path(),
            "query": request.uri.query().unwrap_or_default(),
            "headers": headers,
            "body_bytes": body_bytes,
        });
        let mut body = serde_json::to_vec_pretty(&seen).expect("JSON is written into memory");
        body.push(b'\n');
        Response::builder()
            .header(CONTENT_TYPE, "application/json")
            .header(CONTENT_LENGTH, body.len())
            .body(body)
            .expect("the headers are valid")
    }
}
