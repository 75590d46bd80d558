//! Opens the files that the gateway writes to, where the configuration says.

use std::path::Path;

use crate::audit::Audit;
use crate::config::Config;
use crate::process_log;
use crate::toml_reader::{Diagnostic, Named};

/// Opens the log and the audit trail where the configuration says; the faults of both.
pub fn open_log_and_audit(config: &Config) -> Result<Audit, Vec<Diagnostic>> {
    match (open_log(config), open_audit(config)) {
        (Ok(()), audit) => audit,
        (Err(faults), audit) => {
            Err(faults.into_iter().chain(audit.err().into_iter().flatten()).collect())
        }
    }
}

fn open_audit(config: &Config) -> Result<Audit, Vec<Diagnostic>> {
    let Some(Named { path, .. }) = &config.audit else { return Ok(Audit::to_log()) };
    Audit::to_file(path).map_err(|error| {
        let what = format!("cannot be written to: {error} (audit.file)");
        vec![Diagnostic::of_file(&path.display().to_string(), what)]
    })
}

/// Has the log written as the configuration says.
fn open_log(config: &Config) -> Result<(), Vec<Diagnostic>> {
    let log = &config.log;
    process_log::set_level(log.level, log.access);
    let file = log.file.as_ref().map(|file| &*file.path);
    process_log::write_to(file, log.format).map_err(|error| {
        let file = file.unwrap_or(Path::new("-")).display().to_string();
        vec![Diagnostic::of_file(&file, format!("cannot be written to: {error} (log.file)"))]
    })
}

/// Folders that the service manager makes when the gateway starts, by `conf/systemd`.
const MADE_AT_START: [&str; 3] =
    ["/run/influx-gateway", "/var/lib/influx-gateway", "/var/log/influx-gateway"];

/// The faults of files that the gateway is to make where there is no folder, or a folder instead. It would not start.
pub(super) fn missing_folders(made: &[Named]) -> Vec<Diagnostic> {
    let is_missing = |folder: &Path| {
        let is_made = MADE_AT_START.iter().any(|made| folder == Path::new(made));
        !is_made && folder != Path::new("") && !folder.is_dir()
    };
    let fault = |Named { path, place }: &Named| {
        if path.is_dir() {
            let what = format!("{}: is a folder: name a file in it", path.display());
            return Some(place.fault(what));
        }
        let folder = path.parent().filter(|folder| is_missing(folder))?;
        Some(place.fault(format!(
            "{}: there is no folder {}: make it, for whoever runs the gateway",
            path.display(),
            folder.display()
        )))
    };
    made.iter().filter_map(fault).collect()
}
