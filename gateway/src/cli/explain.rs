//! `influx-gateway explain`: what would become of a request, and why. Nothing is served for it.

use std::net::IpAddr;
use std::path::PathBuf;

use super::admin::plain;
use super::{ConfigFile, Failure, say};
use crate::app;
use crate::app::explain::{By, Explanation, Question, Unexplained};
use crate::user::name::Username;

#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    file: ConfigFile,
    /// The request's method, such as GET
    #[arg(value_name = "METHOD")]
    method: String,
    /// Its path, with the query if there is one: /api/v2/buckets
    #[arg(value_name = "PATH")]
    path: String,
    /// As this user, signed in
    #[arg(long, value_name = "NAME", conflicts_with = "token", value_parser = str::parse::<Username>)]
    user: Option<Username>,
    /// As a client with the API token in this file
    #[arg(long, value_name = "FILE")]
    token: Option<PathBuf>,
    /// With this header too; may be repeated
    #[arg(short = 'H', long = "header", value_name = "'NAME: VALUE'")]
    headers: Vec<String>,
    /// The address that the connection comes from
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    from: IpAddr,
    /// Over a connection with TLS
    #[arg(long)]
    tls: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: Arguments) -> Result<(), Failure> {
    let Arguments { file, method, path, user, token, headers, from, tls: over_tls, json } =
        arguments;
    let loaded = app::load(&file.config)?;
    let by = match (user, token) {
        (Some(name), _) => By::User(name),
        (None, Some(path)) => By::Token(app::explain::read_token(&path).map_err(Failure::File)?),
        (None, None) => By::Headers,
    };
    let question = Question { method, path, headers, by, from, over_tls };
    let told = app::explain::explain(loaded, &question).map_err(|error| match error {
        Unexplained::NoRequest(_) => Failure::usage(error),
        Unexplained::NoUser(_) => Failure::File(error.to_string()),
    })?;
    if json {
        let text = serde_json::to_string_pretty(&told).map_err(Failure::usage)?;
        return say::answer(&text);
    }
    say::answer(&table(&told))
}

/// The explanation, a line for each thing.
fn table(told: &Explanation) -> String {
    let one = |name: &str, value: &str| format!("{name:<16}{}\n", plain(value));
    let many = |name: &str, values: &[String]| match values {
        [] => one(name, "none"),
        [first, rest @ ..] => {
            let rest = rest.iter().map(|value| one("", value));
            one(name, first) + &rest.collect::<String>()
        }
    };
    let mut lines = one("request", &told.request);
    lines += &one("client", &told.client);
    lines += &one("route", told.route);
    lines += &one("caller", &told.caller);
    lines += &one("decision", &told.decision);
    lines += &one("why", &told.why);
    if let Some(credential) = told.credential {
        lines += &one("credential", credential);
        lines += &many("headers set", &told.headers_set);
        lines += &many("headers removed", &told.headers_removed);
    }
    lines.trim_end().to_owned()
}
