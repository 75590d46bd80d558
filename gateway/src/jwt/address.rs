//! Where an identity provider may be asked: over TLS, or on this machine.

use std::net::IpAddr;

use http::Uri;
use http::uri::Scheme;

use crate::server_address;

/// The URL `text` of an identity provider: `https`, or `http` on this machine; without user, query and fragment.
pub fn of_provider(text: &str) -> Result<Uri, String> {
    // Not what was written: there may be a password in it.
    let wrong = || {
        "not a URL of an identity provider; write for example \"https://idp.example.com/realms/main\", without user, \
         query or fragment; http:// is for this machine alone"
            .to_owned()
    };
    for_browsers(text).ok().filter(|uri| uri.query().is_none()).ok_or_else(wrong)
}

/// The same for one that browsers are sent to, which may have a query.
pub fn for_browsers(text: &str) -> Result<Uri, String> {
    let wrong = || "not a URL that browsers could be sent to".to_owned();
    let uri: Uri = text.parse().map_err(|_| wrong())?;
    let is_host =
        uri.authority().is_some_and(|it| server_address::port(it, is_over_tls(&uri)).is_some());
    let is_private =
        is_over_tls(&uri) || (uri.scheme() == Some(&Scheme::HTTP) && is_loopback(&uri));
    if is_host && !text.contains('#') && is_private { Ok(uri) } else { Err(wrong()) }
}

/// Whether it is asked over TLS.
pub fn is_over_tls(uri: &Uri) -> bool {
    uri.scheme() == Some(&Scheme::HTTPS)
}

fn is_loopback(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default();
    let bare = server_address::bare(host);
    host == "localhost" || bare.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn providers_are_asked_over_tls_or_on_this_machine() {
        for right in [
            "https://idp.test",
            "https://idp.test/realms/influx",
            "https://idp.test:8443/",
            "http://127.0.0.1:8080/x",
            "http://localhost/x",
            "http://[::1]:80/x",
        ] {
            assert!(of_provider(right).is_ok(), "{right}");
        }
        for wrong in [
            "",
            "idp.test",
            "http://idp.test/x",
            "http://10.0.0.1/x",
            "http://127.0.0.1.evil.test/",
            "https://u:secret@idp.test/",
            "https://idp.test/?a=b",
            "https://idp.test/#a",
            "https://idp.test:0/",
            "file:///etc/passwd",
        ] {
            let fault = of_provider(wrong).unwrap_err();
            assert!(!fault.contains("secret"), "{wrong}");
        }
    }
}
