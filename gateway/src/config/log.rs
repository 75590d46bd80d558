//! `[log]`.

use std::path::Path;

use log::LevelFilter;

use crate::process_log::line::Format;
use crate::toml_reader::{Named, Table};

/// `[log]`: what is written of all that the process says, how and where.
#[derive(Debug)]
pub struct Log {
    /// How lines are written.
    pub format: Format,
    /// The file that they go to; `None`: standard error.
    pub file: Option<Named>,
    /// What is more detailed is not written, unless `RUST_LOG` asks for it.
    pub level: LevelFilter,
    /// Whether there is a line for each request.
    pub access: bool,
}

const FORMATS: [(&str, Format); 2] = [("text", Format::Text), ("json", Format::Json)];

const LEVELS: [(&str, LevelFilter); 5] = [
    ("off", LevelFilter::Off),
    ("error", LevelFilter::Error),
    ("warn", LevelFilter::Warn),
    ("info", LevelFilter::Info),
    ("debug", LevelFilter::Debug),
];

/// Reads the table; the file is looked for in `folder`.
pub(super) fn read(mut table: Table<'_>, folder: &Path) -> Log {
    let log = Log {
        format: table.choice("format", &FORMATS).unwrap_or(Format::Text),
        file: table.file("file", folder),
        level: table.choice("level", &LEVELS).unwrap_or(LevelFilter::Info),
        access: table.boolean("access").unwrap_or(true),
    };
    table.close();
    log
}
