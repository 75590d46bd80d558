//! The line from the gateway to a provider: whoever has sockets is behind it.

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderValue, StatusCode, Uri};

/// Asks a provider.
#[async_trait]
pub trait ProviderClient: Send + Sync {
    /// Sends a form `to` one of its endpoints: status and body of the answer; or why there is none, for people to read.
    async fn post(
        &self,
        to: &Uri,
        authorization: Option<HeaderValue>,
        form: &str,
    ) -> Result<(StatusCode, Bytes), String>;
}
