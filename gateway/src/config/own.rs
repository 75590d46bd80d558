//! The gateway's own listeners, which nothing that it sends may come back to.

use std::net::{IpAddr, SocketAddr};

use http::uri::Authority;

use super::{Admin, AdminAddress, Listen};
use crate::server_address;

/// The addresses of all listeners of the gateway: those for clients, and the one for operators.
pub(super) struct Own(Vec<SocketAddr>);

impl Own {
    /// Those of `listen` and of `admin`.
    pub(super) fn of(listen: &Listen, admin: Option<&Admin>) -> Self {
        let admin = admin.and_then(|admin| match admin.listen {
            AdminAddress::Tcp(address) => Some(address),
            AdminAddress::Unix(_) => None,
        });
        Self(listen.addresses().chain(admin).collect())
    }

    /// What is wrong with asking the server at `authority`: it would be the gateway itself. `whose` address should stand
    /// there instead.
    pub(super) fn why_not(
        &self,
        authority: &Authority,
        is_tls: bool,
        whose: &str,
    ) -> Option<String> {
        let port = server_address::port(authority, is_tls)?;
        self.takes(authority.host(), port).then(|| {
            format!(
                "{authority} is where the gateway listens itself, so it would ask itself: name the address of {whose}, \
                 and let only one of the two listen there"
            )
        })
    }

    /// Whether `host` is this machine, as far as its name says so, and one of the addresses takes what comes to
    /// `port` there.
    fn takes(&self, host: &str, port: u16) -> bool {
        let host = server_address::bare(host);
        let is_named = host.strip_suffix('.').unwrap_or(host).eq_ignore_ascii_case("localhost");
        let ip = host.parse::<IpAddr>().ok().map(|ip| ip.to_canonical());
        let is_here = |ip: IpAddr| ip.is_loopback() || ip.is_unspecified();
        self.0.iter().filter(|address| address.port() == port).any(|address| {
            let own = address.ip().to_canonical();
            match ip {
                // What is sent to no address in particular, goes to this machine.
                Some(ip) => {
                    own == ip || is_here(ip) && (own.is_unspecified() || ip.is_unspecified())
                }
                None => is_named && is_here(own),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_an_own_address_is_known() {
        for (own, server, expected) in [
            ("127.0.0.1:80", "127.0.0.1", true),
            ("127.0.0.1:80", "[::ffff:127.0.0.1]", true),
            ("127.0.0.1:80", "LOCALHOST.:80", true),
            ("0.0.0.0:80", "127.9.9.9", true),
            ("[::]:80", "127.0.0.1:080", true),
            ("10.0.0.1:80", "10.0.0.1", true),
            ("10.0.0.1:80", "localhost", false),
            ("127.0.0.1:80", "127.0.0.1:81", false),
            ("127.0.0.1:80", "localhost.test", false),
        ] {
            let own = Own(vec![own.parse().unwrap()]);
            let server: Authority = server.parse().unwrap();
            assert_eq!(own.why_not(&server, false, "it").is_some(), expected, "{server}");
        }
    }
}
