//! `[metrics]`: what is counted besides what always is.

use crate::toml_reader::Table;

/// What is counted besides.
#[derive(Clone, Copy, Debug)]
pub struct Metrics {
    /// Requests and bytes of each user.
    pub per_user: bool,
}

/// Reads the table.
pub(super) fn read(mut table: Table<'_>) -> Metrics {
    let per_user = table.boolean("per_user").unwrap_or(false);
    table.close();
    Metrics { per_user }
}
