//! `[users]`.

use std::path::Path;
use std::time::Duration;

use super::{Identity, Providers, Upstream, UpstreamKind, duration};
use crate::auth::upstream_sessions::Pace;
use crate::toml_reader::{Named, Table};

/// Who may sign in, and what happens to requests with an API token.
#[derive(Debug)]
pub struct Users {
    source: Source,
    /// What happens to requests with a client's own API token.
    pub tokens: TokenPolicy,
    /// Whether a session alone may set a new password, without the old one.
    pub password_by_session: bool,
    /// How often InfluxDB is asked about sessions.
    pub pace: Pace,
}

/// The directory: where users are kept.
#[derive(Debug)]
enum Source {
    /// A users file.
    File(Named),
    /// InfluxDB itself.
    Influxdb,
    /// Nobody has a password: identity providers know all users.
    None,
}

/// A word for a [`Source`].
#[derive(Clone, Copy, PartialEq, Eq)]
enum Where {
    File,
    Influxdb,
    None,
}

/// What happens to requests with a client's own API token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenPolicy {
    /// They pass as they are.
    Pass,
    /// InfluxDB is asked whose the token is.
    Resolve,
    /// They are refused.
    Deny,
}

impl Users {
    /// The users file; `None` if there is none.
    pub fn file(&self) -> Option<&Named> {
        match &self.source {
            Source::File(file) => Some(file),
            Source::Influxdb | Source::None => None,
        }
    }

    /// Whether nobody has a password.
    pub fn are_of_providers(&self) -> bool {
        matches!(self.source, Source::None)
    }
}

/// The longest from one renewal to the next. InfluxDB renews a session for five minutes. The last half minute is for what a
/// renewal may be late by: it is looked for once a second, waits for its turn among others, and InfluxDB may take a while
/// (`limits.upstream_ask` is 10 seconds unless it is configured).
const MOST_RENEW: Duration = Duration::from_secs(300 - 30);

/// How often InfluxDB's own session is renewed: before it ends.
fn renew(text: &str) -> Result<Duration, String> {
    let renew = duration(text)?;
    let (found, most) = (humantime::format_duration(renew), humantime::format_duration(MOST_RENEW));
    let fault = || {
        format!(
            "{found} is too long: InfluxDB ends its session five minutes after it was renewed last, and a renewal \
             takes its time; write at most {most}"
        )
    };
    (renew <= MOST_RENEW).then_some(renew).ok_or_else(fault)
}

/// Reads the table. An InfluxDB 3 has neither users nor a way to ask whose a token is.
pub(super) fn read(
    mut table: Table<'_>,
    folder: &Path,
    upstream: &Upstream,
    (identity, providers): (&Identity, &Providers),
) -> Users {
    let words = [("file", Where::File), ("influxdb", Where::Influxdb), ("none", Where::None)];
    let place = table.choice("source", &words).unwrap_or(Where::File);
    let is_influxdb = place == Where::Influxdb;
    if place == Where::None && providers.are_none() {
        table.fault("source", "without an [[oidc]] or a [[jwt]], nobody could come in");
    }
    let named = table.file("file", folder);
    let file = named
        .unwrap_or_else(|| Named { path: folder.join("users.toml"), place: table.place("file") });
    let policies = [
        ("pass", TokenPolicy::Pass),
        ("resolve", TokenPolicy::Resolve),
        ("deny", TokenPolicy::Deny),
    ];
    let tokens = table.choice("tokens", &policies).unwrap_or(TokenPolicy::Pass);
    let password_by_session = table.boolean("password_by_session").unwrap_or(true);
    let renew = table.parsed("renew", renew).unwrap_or(Duration::from_secs(240));
    let refresh = table.parsed("refresh", duration).unwrap_or(Duration::from_secs(60));
    if upstream.kind == UpstreamKind::Influxdb3 {
        if is_influxdb {
            table.fault(
                "source",
                "InfluxDB 3 (upstream.kind) has no users and no sign-in that \
                                     could be asked; keep them in a file: source = \"file\"",
            );
        }
        if tokens == TokenPolicy::Resolve {
            table.fault(
                "tokens",
                "InfluxDB 3 (upstream.kind) does not tell whose a token is; \
                                     choose \"pass\" or \"deny\"",
            );
        }
    }
    if tokens == TokenPolicy::Resolve && !is_influxdb && !identity.has_token_prefix {
        table.fault(
            "tokens",
            "with \"resolve\" beside a users file, a user of InfluxDB could take the name of one of \
             the file; set identity.token_prefix, for example to \"influxdb:\", which their names \
             then begin with",
        );
    }
    table.close();
    let source = match place {
        Where::File => Source::File(file),
        Where::Influxdb => Source::Influxdb,
        Where::None => Source::None,
    };
    Users { source, tokens, password_by_session, pace: Pace { renew, refresh } }
}
