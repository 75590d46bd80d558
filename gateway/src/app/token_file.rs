//! Files of tokens, read again when they change.

use std::path::Path;
use std::sync::Arc;

use super::outside::read_file;
use crate::admin::guard::Guard;
use crate::auth::credential::Shared;
use crate::config::admin_token;
use crate::file_identity::Files;
use crate::file_identity::watched::{Occasion, Source, Watched};
use crate::toml_reader::Named;
use crate::user::secret::ApiToken;

struct TokenFile {
    file: Named,
    read: fn(&Path, &Files) -> Result<ApiToken, String>,
    /// Has it be used; false if it already is.
    take: Box<dyn Fn(ApiToken) -> bool + Send + Sync>,
}

/// `file`, in which the `shared` token is if it is in one, as something to be looked at.
pub(super) fn watched(file: Option<Named>, shared: &Arc<Shared>) -> Option<Watched> {
    let (file, shared) = (file?, Arc::clone(shared));
    let path = file.path.clone();
    let read = |path: &Path, files: &Files| ApiToken::of_file(path, |path| read_file(path, files));
    let take = Box::new(move |token| shared.replace(Some(token)));
    Some(Watched::new(Box::new(TokenFile { file, read, take }), [path]))
}

/// `file`, in which the token of the listener for operators is, in the same way.
pub(super) fn watched_for_admin(file: Named, guard: Arc<Guard>) -> Watched {
    let path = file.path.clone();
    let read = |path: &Path, files: &Files| admin_token(path, |path| read_file(path, files));
    let take = Box::new(move |token: ApiToken| guard.replace(&token));
    Watched::new(Box::new(TokenFile { file, read, take }), [path])
}

impl Source for TokenFile {
    fn take(&self, files: &Files, _occasion: Occasion) -> Result<(), Vec<String>> {
        let Named { path, place } = &self.file;
        let token = (self.read)(path, files).map_err(|what| vec![place.fault(what).to_string()])?;
        if (self.take)(token) {
            log::info!("{}: the new token is in use", path.display());
        }
        Ok(())
    }

    fn refused(&self, faults: &[String]) {
        log::error!("{}; the old token stays in use", faults.join("; "));
    }
}
