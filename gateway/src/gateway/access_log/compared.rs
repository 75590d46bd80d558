//! Why a request counts as one of another site's page: what was compared, for the log.

use std::fmt::{self, Write};

use http::header::{HOST, ORIGIN};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::api::csrf::SEC_FETCH_SITE;

/// The headers that were compared.
pub struct Compared<'a> {
    pub headers: &'a HeaderMap,
    pub host: Option<&'a HeaderValue>,
}

/// So much of each value is logged.
const LOGGED: usize = 256;

impl fmt::Display for Compared<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = |name: HeaderName| {
            let values: Vec<_> =
                self.headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
            values.join(&b","[..])
        };
        let host = self.host.map_or_else(|| all(HOST), |host| host.as_bytes().to_vec());
        let told =
            [("origin", all(ORIGIN)), ("host", host), ("sec_fetch_site", all(SEC_FETCH_SITE))];
        for (name, value) in told {
            write!(out, " {name}=")?;
            if value.is_empty() {
                out.write_char('-')?;
            }
            for &byte in value.iter().take(LOGGED) {
                // Nothing in it can end the line, or begin another field.
                match byte {
                    b'!'..=b'~' => out.write_char(char::from(byte))?,
                    _ => write!(out, "%{byte:02X}")?,
                }
            }
            if value.len() > LOGGED {
                write!(out, "...({})", value.len())?;
            }
        }
        Ok(())
    }
}
