//! Where Redis is: a URL of the client library's, which may hold a password.

use std::fmt;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, ConnectionInfo, IntoConnectionInfo, ProtocolVersion, RedisResult,
};

/// The address of a Redis. Printed without what it holds of credentials.
#[derive(Clone)]
pub struct Address(ConnectionInfo);

impl Address {
    /// Reads a URL. The error does not repeat it: there may be a password in it.
    pub fn parse(url: &str) -> Result<Self, String> {
        let wrong = || {
            "expected \"memory\" or the URL of a Redis; write for example \
             \"redis://127.0.0.1:6379\" or \"rediss://user:${PASSWORD}@redis.example.com/0\""
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
        if !["redis", "rediss", "redis+unix", "unix"].contains(&scheme) || url.contains('#') {
            return Err(wrong());
        }
        let info = url.into_connection_info().map_err(|_| wrong())?;
        let redis = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        Ok(Self(info.set_redis_settings(redis)))
    }

    /// A new connection.
    pub(super) async fn connect(
        &self,
        config: &AsyncConnectionConfig,
    ) -> RedisResult<MultiplexedConnection> {
        let client = Client::open(self.0.clone())?;
        client.get_multiplexed_async_connection_with_config(config).await
    }
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.addr().fmt(out)
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
        ] {
            let address = Address::parse(right).unwrap();
            assert_eq!(address.to_string(), printed);
            assert!(!format!("{address:?}").contains("secret"));
        }
        for wrong in
            ["", "disk", "redis", "http://h", "redis://", "rediss://h/#insecure", "redis://h/x"]
        {
            let fault = Address::parse(wrong).map(|_| ()).unwrap_err();
            assert!(fault.contains("redis://127.0.0.1:6379"), "{wrong}: {fault}");
        }
        assert!(Address::parse("redis-cluster://h").unwrap_err().contains("not supported"));
        assert!(!Address::parse("redis://:secret@h/x").unwrap_err().contains("secret"));
    }
}
