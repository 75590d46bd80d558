//! The paths of the listener: each as it stands here, and no other spelling of it.

use http::Method;

use super::response::Refusal;

/// Where a path leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route<'a> {
    /// `/health/live`.
    Live,
    /// `/health/ready`.
    Ready,
    /// `/metrics`.
    Metrics,
    /// `/status`.
    Status,
    /// `/config`.
    Config,
    /// `/sessions`.
    Sessions,
    /// `/sessions/{fingerprint}`.
    Session(&'a str),
    /// `/bans`.
    Bans,
    /// `/bans/{id}`.
    Ban(&'a str),
    /// `/reload`.
    Reload,
}

impl<'a> Route<'a> {
    /// The route of `path`, which is not decoded.
    pub(super) fn of(path: &'a str) -> Option<Self> {
        match path {
            "/health/live" => Some(Self::Live),
            "/health/ready" => Some(Self::Ready),
            "/status" => Some(Self::Status),
            "/config" => Some(Self::Config),
            "/sessions" => Some(Self::Sessions),
            "/reload" => Some(Self::Reload),
            "/bans" => Some(Self::Bans),
            "/metrics" => Some(Self::Metrics),
            _ => {
                let session = path.strip_prefix("/sessions/").and_then(name);
                let ban = || path.strip_prefix("/bans/").and_then(name);
                session.map(Self::Session).or_else(|| ban().map(Self::Ban))
            }
        }
    }

    /// Whether no token is asked for: probes have none.
    pub(super) fn is_public(self) -> bool {
        matches!(self, Self::Live | Self::Ready)
    }

    /// Refuses other methods than the route has.
    pub(super) fn check_method(self, method: &Method) -> Result<(), Refusal> {
        let allow = self.methods();
        if allow.split(", ").any(|allowed| allowed == method.as_str()) {
            Ok(())
        } else {
            Err(Refusal::method_not_allowed(allow))
        }
    }

    /// As `Allow` has them.
    fn methods(self) -> &'static str {
        match self {
            Self::Live | Self::Ready | Self::Metrics | Self::Status | Self::Config | Self::Bans => {
                "GET"
            }
            Self::Sessions => "GET, DELETE",
            Self::Session(_) | Self::Ban(_) => "DELETE",
            Self::Reload => "POST",
        }
    }
}

/// The last part of a path, if it is one in which nothing can be meant but itself.
fn name(text: &str) -> Option<&str> {
    let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_plain.then_some(text)
}
