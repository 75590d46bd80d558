//! `[page]`: the gateway's own page.

use super::{OidcProvider, Providers, Users};
use crate::api::page::{Page, Provider};
use crate::toml_reader::Table;

/// The most characters of a title.
const LONGEST: usize = 60;

/// Reads the table; `None` if there is to be no page. Where providers sign users in, there is one unless it is said
/// otherwise.
pub(super) fn read(mut table: Table<'_>, users: &Users, providers: &Providers) -> Option<Page> {
    let is_enabled = table.boolean("enabled").unwrap_or(!providers.oidc.is_empty());
    let title = table.parsed("title", |text| {
        let is_fine = !text.trim().is_empty()
            && text.chars().count() <= LONGEST
            && !text.chars().any(char::is_control);
        let fault = || format!("expected 1 to {LONGEST} characters on one line, found {text:?}");
        if is_fine { Ok(text.to_owned()) } else { Err(fault()) }
    });
    table.close();
    let title = title.unwrap_or_else(|| "InfluxDB".to_owned());
    let provider = |it: &OidcProvider| Provider {
        id: it.id.clone(),
        name: it.name.clone(),
        auto: it.auto,
        sign_out: it.sign_out,
    };
    let list = providers.oidc.iter().map(provider).collect();
    is_enabled.then_some(Page { title, passwords: !users.are_of_providers(), providers: list })
}
