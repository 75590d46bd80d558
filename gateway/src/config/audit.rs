//! `[audit]`: the file of the audit trail, if there is one.

use std::path::Path;

use crate::toml_reader::{Named, Table};

/// Reads the table.
pub(super) fn read(mut table: Table<'_>, folder: &Path) -> Option<Named> {
    let file = table.file("file", folder);
    table.close();
    file
}
