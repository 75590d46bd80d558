//! The line to a provider that signs users in, over HTTP.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, StatusCode, Uri};
use pingora::http::RequestHeader;

use super::remote::Remote;
use crate::auth::oidc::client::ProviderClient;

/// How long it may take for an answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The longest answer that is read.
const MOST_BYTES: usize = 256 * 1024;

/// So many endpoints are remembered with their connections: a provider has two or three.
const MOST_PLACES: usize = 8;

/// The endpoints of a provider, each with its connections.
pub struct Line {
    ca_file: Option<PathBuf>,
    places: Mutex<HashMap<Uri, Arc<Remote>>>,
}

impl Line {
    /// To a provider whose certificate is verified by those in `ca_file`, or by the system's.
    pub fn new(ca_file: Option<PathBuf>) -> Self {
        Self { ca_file, places: Mutex::default() }
    }

    /// Has certificates be read again: by the next connection.
    pub fn reconnect(&self) {
        self.places.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn place(&self, to: &Uri) -> Arc<Remote> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if places.len() >= MOST_PLACES && !places.contains_key(to) {
            places.clear();
        }
        // A code and a refresh token are good once.
        let remote = || Remote::new(to.clone(), TIMEOUT, self.ca_file.clone());
        let new = || Arc::new(remote().for_single_requests());
        Arc::clone(places.entry(to.clone()).or_insert_with(new))
    }
}

#[async_trait]
impl ProviderClient for Line {
    async fn post(
        &self,
        to: &Uri,
        authorization: Option<HeaderValue>,
        form: &str,
    ) -> Result<(StatusCode, Bytes), String> {
        let place = self.place(to);
        let head = RequestHeader::build(Method::POST, place.path().as_bytes(), Some(6));
        let head = head.and_then(|mut head| {
            head.insert_header(ACCEPT, "application/json")?;
            head.insert_header(CONTENT_TYPE, "application/x-www-form-urlencoded")?;
            if let Some(authorization) = authorization {
                head.insert_header(AUTHORIZATION, authorization)?;
            }
            Ok(head)
        });
        let head = head.map_err(|error| error.to_string())?;
        let body = Bytes::copy_from_slice(form.as_bytes());
        Ok(place.ask(head, body, MOST_BYTES).await?)
    }
}
