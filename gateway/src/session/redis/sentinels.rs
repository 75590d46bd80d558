//! Redis behind Sentinels, which watch over a primary and its replicas and say which is the primary now.

use std::fmt;

use redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use redis::{
    ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion, RedisConnectionInfo,
    RedisResult, TlsCertificates, TlsMode, parse_redis_url,
};

/// Where the Sentinels are, and for whom they are asked.
#[derive(Clone)]
pub(super) struct Sentinels {
    addresses: Vec<ConnectionAddr>,
    /// What they call the primary with its replicas.
    name: String,
    /// As whom they are asked.
    credentials: RedisConnectionInfo,
    /// As whom, and for which database, the primary is spoken to.
    primary: RedisConnectionInfo,
}

/// What a URL looks like.
pub(super) const FORM: &str = "redis+sentinel://[user:password@]host[:port][,host[:port]]…/name[/database]\
     [?sentinel_username=…&sentinel_password=…], or the same with rediss+sentinel for TLS";

/// Where Sentinels listen, unless the URL says otherwise.
const PORT: u16 = 26_379;

impl Sentinels {
    /// Reads a URL of the form that most clients have agreed on; `None` if it is none.
    pub(super) fn parse(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("+sentinel://")?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/')?;
        let (name, database) = path.split_once('/').unwrap_or((path, ""));
        let is_name_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if !["redis", "rediss"].contains(&scheme)
            || name.is_empty()
            || !name.bytes().all(is_name_byte)
        {
            return None;
        }
        let hosts = authority.rsplit_once('@').map_or(authority, |(_, hosts)| hosts);
        let user = &authority[..authority.len() - hosts.len()];
        let server = |host| {
            let host = with_port(host);
            format!("{scheme}://{user}{host}/{database}").into_connection_info().ok()
        };
        let servers: Vec<ConnectionInfo> = hosts.split(',').map(server).collect::<Option<_>>()?;
        Some(Self {
            addresses: servers.iter().map(|server| server.addr().clone()).collect(),
            name: name.to_owned(),
            credentials: credentials(query)?,
            primary: servers.first()?.redis_settings().clone(),
        })
    }

    /// Whether the Sentinels and Redis are spoken to over TLS.
    pub(super) fn are_secure(&self) -> bool {
        self.addresses.iter().all(|address| matches!(address, ConnectionAddr::TcpTls { .. }))
    }

    /// What asks them, and connects to the primary they name, if that says that it is one. Certificates are
    /// checked against `authorities`; `None`: those of the system.
    pub(super) fn client(
        &self,
        authorities: Option<TlsCertificates>,
    ) -> RedisResult<SentinelClient> {
        let kind = SentinelServerType::Master;
        let mut client = SentinelClientBuilder::new(self.addresses.clone(), &self.name, kind)?
            .set_client_to_redis_protocol(ProtocolVersion::RESP3)
            .set_client_to_redis_db(self.primary.db());
        if let Some(user) = self.primary.username() {
            client = client.set_client_to_redis_username(user);
        }
        if let Some(password) = self.primary.password() {
            client = client.set_client_to_redis_password(password);
        }
        if let Some(user) = self.credentials.username() {
            client = client.set_client_to_sentinel_username(user);
        }
        if let Some(password) = self.credentials.password() {
            client = client.set_client_to_sentinel_password(password);
        }
        if self.are_secure() {
            client = client.set_client_to_redis_tls_mode(TlsMode::Secure);
        }
        if let Some(authorities) = authorities {
            client = client
                .set_client_to_sentinel_certificates(authorities.clone())
                .set_client_to_redis_certificates(authorities);
        }
        client.build()
    }
}

/// `host`, with a port in any case.
fn with_port(host: &str) -> String {
    let is_port = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    match host.rsplit_once(':') {
        Some((_, port)) if is_port(port) => host.to_owned(),
        // An address in brackets has colons of its own.
        _ => format!("{host}:{PORT}"),
    }
}

/// As whom the Sentinels are asked; `None` if something else is in `query`.
fn credentials(query: &str) -> Option<RedisConnectionInfo> {
    // In a query, a plus sign would be a blank; in a password it is more likely itself.
    let url = parse_redis_url(&format!("redis://sentinel/?{}", query.replace('+', "%2B")))?;
    url.query_pairs().try_fold(RedisConnectionInfo::default(), |known, (key, value)| match &*key {
        "sentinel_username" => Some(known.set_username(value)),
        "sentinel_password" => Some(known.set_password(value)),
        _ => None,
    })
}

impl fmt::Display for Sentinels {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} of the Sentinels", self.name)?;
        self.addresses.iter().try_for_each(|address| write!(out, " {address}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_sentinels() {
        let url = "redis+sentinel://ada:p%40ss@a:1,b,[::1]:2,[::1]/my-name.1/3\
                   ?sentinel_username=bob&sentinel_password=x+/y%3D=";
        let sentinels = Sentinels::parse(url).unwrap();
        assert_eq!(sentinels.to_string(), "my-name.1 of the Sentinels a:1 b:26379 ::1:2 ::1:26379");
        let Sentinels { primary, credentials, .. } = &sentinels;
        assert_eq!((primary.username(), primary.password()), (Some("ada"), Some("p@ss")));
        assert_eq!((credentials.username(), credentials.password()), (Some("bob"), Some("x+/y==")));
        assert_eq!((primary.db(), credentials.db(), sentinels.are_secure()), (3, 0, false));
        assert!(sentinels.client(None).is_ok());

        let sentinels = Sentinels::parse("rediss+sentinel://a/name").unwrap();
        assert!(sentinels.are_secure());
        assert_eq!((sentinels.primary.password(), sentinels.credentials.password()), (None, None));

        for wrong in [
            "redis+sentinel://a",
            "redis+sentinel://a/",
            "redis+sentinel:///name",
            "redis+sentinel://a,/name",
            "redis+sentinel://a:b/name",
            "redis+sentinel://a:99999/name",
            "redis+sentinel://a/na me",
            "redis+sentinel://a/name/first",
            "redis+sentinel://a/name/0/1",
            "redis+sentinel://a/name?password=x",
            "http+sentinel://a/name",
            "+sentinel://a/name",
        ] {
            assert!(Sentinels::parse(wrong).is_none(), "{wrong}");
        }
    }
}
