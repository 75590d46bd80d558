//! The paths of the listener: each as it stands here, and no other spelling of it.

use http::Method;

use super::response::Refusal;

/// Where a path leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// `/health/live`.
    Live,
    /// `/health/ready`.
    Ready,
}

impl Route {
    /// The route of `path`, which is not decoded.
    pub(super) fn of(path: &str) -> Option<Self> {
        match path {
            "/health/live" => Some(Self::Live),
            "/health/ready" => Some(Self::Ready),
            _ => None,
        }
    }

    /// Whether no token is asked for: what probes have none.
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
            Self::Live | Self::Ready => "GET",
        }
    }
}
