//! Opens the files that the gateway writes to, where the configuration says.

use std::path::Path;

use crate::audit::Audit;
use crate::config::Config;
use crate::process_log;
use crate::toml_reader::Diagnostic;

/// Opens the audit trail where the configuration says.
pub fn open_audit(config: &Config) -> Result<Audit, Vec<Diagnostic>> {
    let Some(path) = &config.audit else { return Ok(Audit::to_log()) };
    Audit::to_file(path).map_err(|error| {
        let what = format!("cannot be written to: {error} (audit.file)");
        vec![Diagnostic::of_file(&path.display().to_string(), what)]
    })
}

/// Has the log written as the configuration says.
pub fn open_log(config: &Config) -> Result<(), Vec<Diagnostic>> {
    let log = &config.log;
    process_log::set_level(log.level, log.access);
    process_log::write_to(log.file.as_deref(), log.format).map_err(|error| {
        let file = log.file.as_deref().unwrap_or(Path::new("-")).display().to_string();
        vec![Diagnostic::of_file(&file, format!("cannot be written to: {error} (log.file)"))]
    })
}
