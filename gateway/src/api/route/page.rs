//! What the gateway's own page is made of, by path.

/// A file of the page, or what its form is sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageFile {
    /// The page itself.
    Index,
    /// `app.css` below it.
    Style,
    /// `app.js` below it.
    Script,
    /// `icon.svg` below it.
    Icon,
    /// `logo` below it: a picture of the operator's.
    Logo,
    /// `en.json` below it.
    English,
    /// `de.json` below it.
    German,
    /// `options` below it.
    Options,
    /// `signin`, where its form is sent to; whoever looks at it sees the page.
    SignIn,
}

impl PageFile {
    /// The file at what follows the place of the page.
    pub(super) fn of(below: &str) -> Option<Self> {
        Some(match below {
            "" | "/" => Self::Index,
            "/app.css" => Self::Style,
            "/app.js" => Self::Script,
            "/icon.svg" => Self::Icon,
            "/logo" => Self::Logo,
            "/en.json" => Self::English,
            "/de.json" => Self::German,
            "/options" => Self::Options,
            "/signin" => Self::SignIn,
            _ => return None,
        })
    }

    /// The methods that it has, as `Allow` has them.
    pub fn methods(self) -> &'static str {
        if self == Self::SignIn { "GET, HEAD, POST" } else { "GET, HEAD" }
    }
}
