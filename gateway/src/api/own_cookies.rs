//! Which cookies are the gateway's own. None of them goes upstream, and the upstream sets none of them.

use super::cookie::{CookieRules, INFLUXDB};
use super::oidc::cookie::is_of_sign_in;
use super::session_cookies::HINT;

/// Whether the gateway sets cookies of this `name`, or InfluxDB: that would take one for its own, whoever has sent it.
///
/// Whoever sets a cookie of another name adds it here.
pub fn is_own(name: &[u8], rules: &CookieRules) -> bool {
    let sessions = [rules.name.as_bytes(), INFLUXDB.as_bytes(), HINT.as_bytes()];
    sessions.contains(&name) || is_of_sign_in(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::cookie::tests::rules;

    #[test]
    fn what_the_gateway_sets_is_its_own_and_what_is_called_nearly_so_is_not() {
        let rules = CookieRules { name: "gw".to_owned(), ..rules() };
        for own in [
            "gw",
            "influxdb-oss-session",
            "influx-gateway-signed-in",
            "influx-oidc-0123abcd",
            "__Host-influx-oidc-0123abcd",
        ] {
            assert!(is_own(own.as_bytes(), &rules), "{own}");
        }
        for other in ["", "gw2", "GW", "influx", "xinflux-oidc-0123abcd", "__Host-theme"] {
            assert!(!is_own(other.as_bytes(), &rules), "{other}");
        }
    }
}
