//! Why a token is no good.

use std::fmt;

/// Why a token is refused. The words are for the operator's log; they repeat nothing of the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It was good once.
    Expired,
    /// It will be good, as far as it can be told: the clock of who has issued it is ahead.
    Early(&'static str),
    /// It is not signed by the issuer, or in a way that is not allowed.
    Signature(&'static str),
    /// It is for somebody else.
    Audience,
    /// The issuer has no such key.
    UnknownKey,
    /// It does not say what it has to.
    Claims(&'static str),
}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Expired => "it has ended, or was issued longer ago than jwt.max_age allows",
            Self::Early(what) | Self::Signature(what) | Self::Claims(what) => what,
            Self::Audience => "none of jwt.audience is in aud",
            Self::UnknownKey => "the issuer has no such key",
        })
    }
}
