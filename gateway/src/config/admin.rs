//! `[admin]`: the listener for operators.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;

use super::Listen;
use super::listen::{address, free};
use crate::toml_reader::{Location, Named, Table};
use crate::user::secret::ApiToken;

/// The listener for operators.
pub struct Admin {
    /// Where it is.
    pub listen: AdminAddress,
    /// Where the configuration says so.
    pub place: Location,
    /// What has to be shown there, and the file that it is in.
    pub token: Option<(ApiToken, Named)>,
    /// Whether the gateway is not ready while the upstream is down.
    pub ready_needs_upstream: bool,
}

/// Where the listener for operators is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdminAddress {
    /// At an address.
    Tcp(SocketAddr),
    /// At a path.
    Unix(String),
}

impl fmt::Display for AdminAddress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(out),
            Self::Unix(path) => write!(out, "unix:{path}"),
        }
    }
}

/// The least characters of a token.
const SHORTEST: usize = 16;

/// Reads the table; files are looked for in `folder`. `None` if nothing is to listen.
pub(super) fn read(mut table: Table<'_>, folder: &Path, others: &Listen) -> Option<Admin> {
    let listen = table.parsed("listen", |text| match text.strip_prefix("unix:") {
        Some(path) => unix(&folder.join(path)),
        None => address(text)
            .map_err(|what| format!("{what}, or \"unix:/run/influx-gateway/admin.sock\""))
            .and_then(|address| free(address, others.addresses()))
            .map(AdminAddress::Tcp),
    });
    let files = table.environment().file;
    let token = table.parsed("token_file", |path| token(&folder.join(path), files));
    let token_file = table.file("token_file", folder);
    let ready_needs_upstream = table.boolean("ready_needs_upstream").unwrap_or(false);
    if let Some(AdminAddress::Tcp(address)) = &listen
        && !address.ip().is_loopback()
        && token_file.is_none()
    {
        let what = format!(
            "{address} can be reached from other machines, so requests must show a token: set \
             token_file, or listen on 127.0.0.1"
        );
        table.fault("listen", &what);
    }
    let place = table.place("listen");
    table.close();
    Some(Admin { listen: listen?, place, token: token.zip(token_file), ready_needs_upstream })
}

/// The token in the file at `path`: one that nobody guesses.
pub fn token(
    path: &Path,
    read: impl Fn(&Path) -> Result<String, String>,
) -> Result<ApiToken, String> {
    let token = ApiToken::of_file(path, read)?;
    if token.length() < SHORTEST {
        return Err(format!(
            "{}: the token has less than {SHORTEST} characters; make one with `openssl rand -hex 32`",
            path.display()
        ));
    }
    Ok(token)
}

fn unix(path: &Path) -> Result<AdminAddress, String> {
    let text = path.to_str().filter(|text| !text.ends_with('/'));
    let text = text
        .ok_or("expected the path of a socket, such as \"unix:/run/influx-gateway/admin.sock\"")?;
    Ok(AdminAddress::Unix(text.to_owned()))
}
