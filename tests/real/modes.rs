use std::fmt::Write as _;
use std::net::SocketAddr;

use crate::influxd::{Influxd, OPERATOR_TOKEN, User};
use crate::support::*;

/// How a gateway knows who asks, and by which credential InfluxDB does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mode {
    /// `users.source = "influxdb"`: a session of the gateway's, one of InfluxDB's upstream.
    InfluxdbUsers,
    /// A users file: a session of the gateway's, the user's own API token upstream.
    OwnToken,
    /// A users file: a session of the gateway's, `upstream.token_file` upstream.
    SharedToken,
    /// `users.tokens = "pass"`: the client's API token, as it came.
    TokenPassed,
    /// `users.tokens = "resolve"`: the same, and InfluxDB says whose it is.
    TokenResolved,
}

impl Mode {
    pub(crate) const ALL: [Self; 5] = [
        Self::InfluxdbUsers,
        Self::OwnToken,
        Self::SharedToken,
        Self::TokenPassed,
        Self::TokenResolved,
    ];

    /// Whether clients sign in.
    pub(crate) fn has_session(self) -> bool {
        matches!(self, Self::InfluxdbUsers | Self::OwnToken | Self::SharedToken)
    }

    /// Such a gateway before `influxd`, with `known`, whom InfluxDB knows by the same name, id and
    /// password.
    pub(crate) fn gateway(self, influxd: &Influxd, known: &[&User]) -> Gateway {
        self.gateway_with(influxd, known, "")
    }

    /// The same with more configuration, which consists of whole sections.
    pub(crate) fn gateway_with(self, influxd: &Influxd, known: &[&User], config: &str) -> Gateway {
        self.gateway_before(influxd.address, known, config)
    }

    /// The same before whatever listens at `upstream`.
    pub(crate) fn gateway_before(
        self,
        upstream: SocketAddr,
        known: &[&User],
        config: &str,
    ) -> Gateway {
        let own = match self {
            Self::InfluxdbUsers => "[users]\nsource = \"influxdb\"\n",
            Self::SharedToken => "token_file = \"shared.token\"\n",
            Self::OwnToken | Self::TokenPassed => "",
            Self::TokenResolved => "[users]\nsource = \"influxdb\"\ntokens = \"resolve\"\n",
        };
        let url = format!("http://{upstream}");
        let folder = Gateway::prepare(&url, &format!("{own}{config}"), &self.users_file(known));
        std::fs::write(folder.path().join("shared.token"), OPERATOR_TOKEN).unwrap();
        Gateway::start_in(folder)
    }

    /// [`users`] counts ids by itself; here they are InfluxDB's.
    fn users_file(self, known: &[&User]) -> String {
        let mut text = String::new();
        for user in known {
            let one = users(&[&user.name]).replace(&format!("{:016x}", 1), &user.id);
            text += &one;
            if self == Self::OwnToken {
                writeln!(text, "token = \"{}\"", user.token).unwrap();
            }
        }
        text
    }

    /// The header line by which `user` asks `gateway`: of a new session or of the token.
    pub(crate) fn credential(self, gateway: &Gateway, user: &User) -> String {
        if self.has_session() {
            cookie(&gateway.sign_in(&user.name))
        } else {
            format!("Authorization: Token {}", user.token)
        }
    }
}

#[test]
fn each_mode_lets_its_user_read_and_nobody_else() {
    let influxd = Influxd::start();
    let ada = influxd.add_user("ada");
    for mode in Mode::ALL {
        let gateway = mode.gateway(&influxd, &[&ada]);
        let credential = mode.credential(&gateway, &ada);
        let buckets = gateway.connect().send(&get("/api/v2/buckets", &[&credential]));
        assert_eq!(buckets.status, 200, "{mode:?}: {buckets:?}");
        assert!(buckets.text().contains("\"weather\""), "{mode:?}: {buckets:?}");
        let nobody = gateway.connect().send(&get("/api/v2/buckets", &["X-A: 1"]));
        assert_eq!(nobody.status, 401, "{mode:?}: {nobody:?}");
    }
}
