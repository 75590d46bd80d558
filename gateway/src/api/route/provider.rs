//! What is asked of a provider that signs users in, by path.

/// Something that is asked of a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProviderRoute<'a> {
    /// What the path calls the provider. There may be none that is called so.
    pub provider: &'a str,
    /// What is asked.
    pub step: ProviderStep,
}

/// A step of a sign-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProviderStep {
    /// `GET /gateway/oidc/{id}/login`: a browser wants to be sent there.
    Login,
    /// `GET /gateway/oidc/{id}/callback`: it comes back.
    Callback,
    /// `POST /gateway/oidc/{id}/backchannel-logout`: the provider says that somebody has signed out there.
    BackchannelLogout,
}

impl<'a> ProviderRoute<'a> {
    /// What is asked by what follows `/gateway`.
    pub(super) fn of(below: &'a str) -> Option<Self> {
        let (provider, step) = below.strip_prefix("/oidc/")?.split_once('/')?;
        let step = match step {
            "login" => ProviderStep::Login,
            "callback" => ProviderStep::Callback,
            "backchannel-logout" => ProviderStep::BackchannelLogout,
            _ => return None,
        };
        Some(Self { provider, step })
    }
}

impl ProviderStep {
    /// The method that it has, as `Allow` has it.
    pub fn methods(self) -> &'static str {
        match self {
            Self::Login | Self::Callback => "GET",
            Self::BackchannelLogout => "POST",
        }
    }

    /// How many bytes of a body are read at least, whatever the limit on others is.
    pub fn body_bytes(self) -> usize {
        match self {
            Self::Login | Self::Callback => 0,
            // A token may have a long list of audiences, or a long signature.
            Self::BackchannelLogout => 8 * 1024,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_of_one_provider_and_nothing_is_below_them() {
        let of = |below| ProviderRoute::of(below).map(|it| (it.provider, it.step));
        assert_eq!(of("/oidc/corp/login"), Some(("corp", ProviderStep::Login)));
        assert_eq!(of("/oidc/corp/callback"), Some(("corp", ProviderStep::Callback)));
        let step = ProviderStep::BackchannelLogout;
        assert_eq!(of("/oidc/a/backchannel-logout"), Some(("a", step)));
        for other in [
            "",
            "/oidc",
            "/oidc/",
            "/oidc/corp",
            "/oidc/corp/",
            "/oidc/a/b/login",
            "/oidc/a/login/",
            "/oidcs/a/login",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
