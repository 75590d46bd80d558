//! Where Redis is: a URL, which may hold a password.

use std::fmt;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo,
    ProtocolVersion, RedisResult, TlsCertificates,
};

use super::sentinels::{self, Sentinels};

/// The address of a Redis. Printed without what it holds of credentials.
#[derive(Clone)]
pub struct Address {
    place: Place,
    /// What certificates are checked against, in PEM; `None`: the authorities of the system.
    authorities: Option<Vec<u8>>,
}

#[derive(Clone)]
enum Place {
    /// Always the same server.
    Server(Box<ConnectionInfo>),
    /// The one that is the primary.
    PrimaryOf(Box<Sentinels>),
}

impl Address {
    /// Reads a URL. The error does not repeat it: there may be a password in it.
    pub fn parse(url: &str) -> Result<Self, String> {
        let wrong = || {
            "expected \"memory\" or the URL of a Redis; write for example \
             \"redis://127.0.0.1:6379\", \"rediss://user:${PASSWORD}@redis.example.com/0\" or \
             \"redis+sentinel://sentinel1:26379,sentinel2:26379/mymaster\""
                .to_owned()
        };
        let (scheme, _) = url.split_once("://").ok_or_else(wrong)?;
        if scheme.contains("cluster") {
            return Err(
                "a Redis Cluster is not supported: its client library does not pass on which \
                        keys have changed; name one Redis"
                    .to_owned(),
            );
        }
        if url.contains('#') {
            return Err(wrong());
        }
        let place = if scheme.ends_with("sentinel") {
            let sentinels = Sentinels::parse(url);
            let wrong = || format!("not the URL of Sentinels; expected {}", sentinels::FORM);
            Place::PrimaryOf(Box::new(sentinels.ok_or_else(wrong)?))
        } else if ["redis", "rediss", "redis+unix", "unix"].contains(&scheme) {
            let info = url.into_connection_info().map_err(|_| wrong())?;
            let redis = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
            Place::Server(Box::new(info.set_redis_settings(redis)))
        } else {
            return Err(wrong());
        };
        Ok(Self { place, authorities: None })
    }

    /// Whether it is spoken to over TLS.
    pub fn is_secure(&self) -> bool {
        match &self.place {
            Place::Server(info) => matches!(info.addr(), ConnectionAddr::TcpTls { .. }),
            Place::PrimaryOf(sentinels) => sentinels.are_secure(),
        }
    }

    /// Has certificates be checked against these `authorities`, in PEM, and no others. It must be
    /// [secure](Self::is_secure).
    pub fn trust(&mut self, authorities: Vec<u8>) {
        self.authorities = Some(authorities);
    }

    /// A new connection.
    pub(super) async fn connect(
        &self,
        config: &AsyncConnectionConfig,
    ) -> RedisResult<MultiplexedConnection> {
        let authorities = self.authorities.clone();
        let authorities =
            authorities.map(|pem| TlsCertificates { client_tls: None, root_cert: Some(pem) });
        let client = match (&self.place, authorities) {
            (Place::PrimaryOf(sentinels), authorities) => {
                sentinels.client(authorities)?.async_get_client().await?
            }
            (Place::Server(info), None) => Client::open((**info).clone())?,
            (Place::Server(info), Some(authorities)) => {
                Client::build_with_tls((**info).clone(), authorities)?
            }
        };
        client.get_multiplexed_async_connection_with_config(config).await
    }
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Server(info) => info.addr().fmt(out),
            Place::PrimaryOf(sentinels) => sentinels.fmt(out),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Address({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_redis() {
        for (right, printed) in [
            ("redis://127.0.0.1", "127.0.0.1:6379"),
            ("redis://ada:secret@127.0.0.1:7000/3", "127.0.0.1:7000"),
            ("rediss://:secret@redis.example.com", "redis.example.com:6379"),
            ("redis+unix:///run/redis.sock", "/run/redis.sock"),
            (
                "redis+sentinel://:secret@a,b/name?sentinel_password=secret",
                "name of the Sentinels a:26379 b:26379",
            ),
        ] {
            let address = Address::parse(right).unwrap();
            assert_eq!(address.to_string(), printed);
            assert!(!format!("{address:?}").contains("secret"));
            assert_eq!(address.is_secure(), right.starts_with("rediss"));
        }
        for wrong in
            ["", "disk", "redis", "http://h", "redis://", "rediss://h/#insecure", "redis://h/x"]
        {
            let fault = Address::parse(wrong).map(|_| ()).unwrap_err();
            assert!(fault.contains("redis://127.0.0.1:6379"), "{wrong}: {fault}");
        }
        assert!(Address::parse("redis-cluster://h").unwrap_err().contains("not supported"));
        for wrong in ["redis+sentinel://:secret@h", "redis-sentinel://:secret@h/name"] {
            let fault = Address::parse(wrong).map(|_| ()).unwrap_err();
            assert!(fault.contains(sentinels::FORM) && !fault.contains("secret"), "{fault}");
        }
        assert!(!Address::parse("redis://:secret@h/x").unwrap_err().contains("secret"));
    }
}
