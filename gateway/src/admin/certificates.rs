//! The certificates that the gateway shows, and until when they are valid.

use std::path::PathBuf;
use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use crate::metrics::Expiry;
use crate::session::UnixMillis;

/// A certificate that is in use.
pub struct CertificateInUse {
    /// To whom it is shown.
    pub shown_to: ShownTo,
    /// The file that it was read from.
    pub file: PathBuf,
    /// Until when it is valid. Whoever reads it again keeps that up to date.
    pub expiry: Expiry,
}

/// To whom a certificate is shown.
pub enum ShownTo {
    /// To clients, at this address.
    Clients(String),
    /// To the upstream.
    Upstream,
}

/// What is said of `certificates`.
pub(super) fn list(certificates: &[CertificateInUse]) -> Value {
    let all = certificates.iter().map(|certificate| {
        let (to, listener) = match &certificate.shown_to {
            ShownTo::Clients(listener) => ("clients", Some(listener)),
            ShownTo::Upstream => ("upstream", None),
        };
        let ends = u64::try_from(certificate.expiry.load(Ordering::Relaxed)).unwrap_or(0);
        json!({
            "shown_to": to,
            "listener": listener,
            "file": certificate.file.display().to_string(),
            "not_after": UnixMillis(ends.saturating_mul(1000)).to_string(),
        })
    });
    all.collect()
}
