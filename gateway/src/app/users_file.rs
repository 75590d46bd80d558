//! The users file, as the configuration and the environment have it understood.

use super::names;
use super::outside::{environment, folder_of, read_file};
use crate::directory::parse;
use crate::directory::users::{ReadUsers, Users};
use crate::file_identity::Files;
use crate::toml_reader::{Diagnostic, Named, variables};
use crate::user::name::TokenPrefix;

/// A users file and its users.
pub struct UsersFile {
    /// How it is read.
    pub reader: UsersReader,
    /// Who is in it.
    pub users: Users,
}

/// Reads a users file, and the tokens that it names.
pub struct UsersReader {
    /// Where the file is.
    pub file: Named,
    /// What no name in it may begin with.
    pub prefix: Option<TokenPrefix>,
}

impl UsersFile {
    /// Reads `file`, in which are `least` users at least.
    pub(super) fn load(
        file: Named,
        prefix: Option<TokenPrefix>,
        files: &Files,
        least: usize,
    ) -> Result<Self, Vec<Diagnostic>> {
        let reader = UsersReader { file, prefix };
        let users = reader.read(files)?;
        if users.count() >= least {
            return Ok(Self { reader, users });
        }
        let what =
            "no [[user]] in it, so nobody could sign in; add one with `influx-gateway user add`";
        Err(vec![Diagnostic::of_file(&reader.file.path.display().to_string(), what)])
    }
}

impl ReadUsers for UsersReader {
    fn read(&self, files: &Files) -> Result<Users, Vec<Diagnostic>> {
        let text = files.read_text(&self.file.path);
        self.parse(&text.map_err(|error| vec![self.file.fault(error)])?, files)
    }

    fn parse(&self, text: &str, files: &Files) -> Result<Users, Vec<Diagnostic>> {
        let path = &self.file.path;
        let read = |path: &std::path::Path| read_file(path, files);
        let name = path.display().to_string();
        let users = parse::parse(&name, text, folder_of(path), environment(&read))?;
        names::apart(users, self.prefix.as_ref(), path)
    }

    fn meant(&self, text: &str) -> Option<String> {
        let no_file = |_: &std::path::Path| Err(String::new());
        variables::expand(text, environment(&no_file).variable).ok()
    }
}
