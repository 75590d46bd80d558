//! The checks of host and origin of a request, and the CORS headers of its answer.

use std::fmt::{self, Write};
use std::net::{IpAddr, SocketAddr};

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_ORIGIN, HOST, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use pingora::http::ResponseHeader;

use super::Downstream;
use super::decision::Asked;
use super::gateway::Gateway;
use super::origin::ClientInfo;
use crate::api::csrf::{AllowedOrigins, SEC_FETCH_SITE};
use crate::api::options;
use crate::api::rejection::Rejection;

impl Gateway {
    /// Refuses a request for a host that is not answered, before anything else is made of it.
    pub(super) fn check_host(
        &self,
        downstream: &Downstream,
        client: &ClientInfo,
    ) -> Result<(), Rejection> {
        if self.hosts.are_all() || self.hosts.answer(client.host.as_ref(), own_address(downstream))
        {
            Ok(())
        } else {
            Err(Rejection::Misdirected)
        }
    }

    /// Refuses what a page of another site would change.
    pub(super) fn check_site(&self, asked: Asked<'_>) -> Result<(), Rejection> {
        let host = asked.client.host.as_ref();
        self.origins.check(&asked.head.method, &asked.head.headers, host)
    }
}

/// The address at which the client has found us.
fn own_address(downstream: &Downstream) -> Option<IpAddr> {
    let socket = downstream.digest()?.socket_digest.as_deref()?;
    socket.local_addr()?.as_inet().map(SocketAddr::ip)
}

/// Has the upstream's `response` say to the page that asks, and to no other, that it may have what
/// a session gets; everything is said once.
pub(super) fn share(
    origins: &AllowedOrigins,
    request: &HeaderMap,
    response: &mut ResponseHeader,
) -> pingora::Result<()> {
    if !origins.are_none() {
        response.append_header(VARY, options::BY_ORIGIN)?;
    }
    if response.headers.contains_key(ACCESS_CONTROL_ALLOW_CREDENTIALS) {
        // The session is ours, so whom it serves is ours to say.
        response.remove_header(&ACCESS_CONTROL_ALLOW_CREDENTIALS);
    }
    if let Some(origin) = origins.allowed(request) {
        response.insert_header(ACCESS_CONTROL_ALLOW_ORIGIN, origin)?;
        response.insert_header(ACCESS_CONTROL_ALLOW_CREDENTIALS, options::TRUE)?;
        return Ok(());
    }
    let mut told = response.headers.get_all(ACCESS_CONTROL_ALLOW_ORIGIN).iter();
    if let (Some(first), Some(_)) = (told.next().cloned(), told.next()) {
        response.insert_header(ACCESS_CONTROL_ALLOW_ORIGIN, first)?;
    }
    Ok(())
}

/// Why a request counts as one of another site's page: what was compared, for the log.
pub(super) struct Compared<'a> {
    pub(super) headers: &'a HeaderMap,
    pub(super) host: Option<&'a HeaderValue>,
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
