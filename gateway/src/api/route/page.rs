//! What the gateway's own page is made of, by path.

/// A file of the page, or what its form is sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageFile {
    /// `/gateway/`.
    Index,
    /// `/gateway/app.css`.
    Style,
    /// `/gateway/app.js`.
    Script,
    /// `/gateway/icon.svg`.
    Icon,
    /// `/gateway/en.json`.
    English,
    /// `/gateway/de.json`.
    German,
    /// `/gateway/options`.
    Options,
    /// `/gateway/signin`.
    SignIn,
}

impl PageFile {
    /// The file at what follows `/gateway`.
    pub(super) fn of(below: &str) -> Option<Self> {
        Some(match below {
            "/" => Self::Index,
            "/app.css" => Self::Style,
            "/app.js" => Self::Script,
            "/icon.svg" => Self::Icon,
            "/en.json" => Self::English,
            "/de.json" => Self::German,
            "/options" => Self::Options,
            "/signin" => Self::SignIn,
            _ => return None,
        })
    }

    /// The methods that it has, as `Allow` has them.
    pub fn methods(self) -> &'static str {
        if self == Self::SignIn { "POST" } else { "GET, HEAD" }
    }
}
