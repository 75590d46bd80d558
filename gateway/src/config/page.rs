//! `[page]`: the gateway's own page.

use crate::api::page::Page;
use crate::toml_reader::Table;

/// The most characters of a title.
const LONGEST: usize = 60;

/// Reads the table; `None` if there is to be no page.
pub(super) fn read(mut table: Table<'_>) -> Option<Page> {
    let is_enabled = table.boolean("enabled").unwrap_or(false);
    let title = table.parsed("title", |text| {
        let is_fine = !text.trim().is_empty()
            && text.chars().count() <= LONGEST
            && !text.chars().any(char::is_control);
        let fault = || format!("expected 1 to {LONGEST} characters on one line, found {text:?}");
        if is_fine { Ok(text.to_owned()) } else { Err(fault()) }
    });
    table.close();
    let title = title.unwrap_or_else(|| "InfluxDB".to_owned());
    is_enabled.then_some(Page { title, passwords: true })
}
