//! The file of the shared token, read again when it changes.

use std::sync::Arc;

use super::files::read_file;
use crate::auth::credential::Shared;
use crate::file_identity::Files;
use crate::file_identity::watched::{Occasion, Source, Watched};
use crate::toml_reader::Named;
use crate::user::secret::ApiToken;

struct TokenFile {
    file: Named,
    shared: Arc<Shared>,
}

/// `file`, in which the `shared` token is, as something to be looked at.
pub(super) fn watched(file: Named, shared: Arc<Shared>) -> Watched {
    let path = file.path.clone();
    Watched::new(Box::new(TokenFile { file, shared }), [path])
}

impl Source for TokenFile {
    fn take(&self, files: &Files, _occasion: Occasion) -> Result<(), Vec<String>> {
        let Named { path, place } = &self.file;
        let token = ApiToken::of_file(path, |path| read_file(path, files));
        let token = token.map_err(|what| vec![place.fault(what).to_string()])?;
        if self.shared.replace(token) {
            log::info!("{}: the new token is in use", path.display());
        }
        Ok(())
    }

    fn refused(&self, faults: &[String]) {
        log::error!("{}; the old token stays in use", faults.join("; "));
    }
}
