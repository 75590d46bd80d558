//! Why a request counts as one of another site's page: what was compared, for the log.

use std::io::Write;

use http::header::{HOST, ORIGIN};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::escape::put_byte;
use super::fields::{Fields, name};
use crate::api::csrf::SEC_FETCH_SITE;

/// The headers that were compared.
pub struct Compared<'a> {
    pub headers: &'a HeaderMap,
    pub host: Option<&'a HeaderValue>,
}

/// So much of each value is logged.
const LOGGED: usize = 256;

impl Compared<'_> {
    pub(super) fn put<const JSON: bool>(&self, fields: &mut Fields<'_, JSON>) {
        let all = |name: HeaderName| {
            let values: Vec<_> =
                self.headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
            values.join(&b","[..])
        };
        let host = self.host.map_or_else(|| all(HOST), |host| host.as_bytes().to_vec());
        let told = [
            (name!("origin"), all(ORIGIN)),
            (name!("host"), host),
            (name!("sec_fetch_site"), all(SEC_FETCH_SITE)),
        ];
        for (name, value) in told {
            // Nothing in it can end the line, or begin another field.
            let mut escaped = Vec::new();
            for &byte in value.iter().take(LOGGED) {
                put_byte(&mut escaped, byte);
            }
            if value.len() > LOGGED {
                let _ = write!(escaped, "...({})", value.len());
            }
            let escaped = String::from_utf8_lossy(&escaped);
            fields.text(&name, (!value.is_empty()).then_some(&*escaped));
        }
    }
}
