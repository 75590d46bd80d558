//! `[page]`: the gateway's own page.

use std::path::Path;

use super::{OidcProvider, Providers, Users};
use crate::api::page::{Page, Provider};
use crate::api::route;
use crate::toml_reader::{Named, Table};

/// The most characters of a title.
const LONGEST: usize = 60;

/// Reads the table: the page, `None` if there is to be none; and the picture at its head. Where providers sign users in,
/// there is a page unless it is said otherwise.
pub(super) fn read(
    mut table: Table<'_>,
    folder: &Path,
    users: &Users,
    providers: &Providers,
) -> (Option<Page>, Option<Named>) {
    let is_enabled = table.boolean("enabled").unwrap_or(!providers.oidc.is_empty());
    let path = table.parsed("path", |text| match route::why_not_page(text) {
        None => Ok(text.to_owned()),
        Some(why) => Err(format!("{text:?} {why}; write for example \"/account/\"")),
    });
    let title = table.parsed("title", |text| {
        let is_fine = !text.trim().is_empty()
            && text.chars().count() <= LONGEST
            && !text.chars().any(char::is_control);
        let fault = || format!("expected 1 to {LONGEST} characters on one line, found {text:?}");
        if is_fine { Ok(text.to_owned()) } else { Err(fault()) }
    });
    let logo = table.file("logo", folder);
    table.close();
    let title = title.unwrap_or_else(|| "InfluxDB".to_owned());
    let path = path.unwrap_or_else(|| "/gateway/".to_owned());
    let providers = buttons(providers);
    let passwords = !users.are_of_providers();
    let page = Page { title, path, logo: None, ui: false, passwords, providers };
    (is_enabled.then_some(page), logo)
}

/// The providers that sign users in, as the page has them.
fn buttons(providers: &Providers) -> Vec<Provider> {
    let provider = |it: &OidcProvider| Provider {
        id: it.id.clone(),
        name: it.name.clone(),
        auto: it.auto,
        sign_out: it.sign_out,
    };
    providers.oidc.iter().map(provider).collect()
}
