//! What things are counted by. Closed lists: a label never is a client's own words.

/// One of a closed list of words.
pub trait Label: Copy {
    /// What the label is called.
    const NAME: &'static str;
    /// Its values, in their order.
    const WORDS: &'static [&'static str];

    /// Which of [`Label::WORDS`] it is.
    fn index(self) -> usize;
}

macro_rules! labels {
    ($($(#[doc = $doc:literal])+ $name:ident, $label:literal { $($variant:ident $word:literal,)+ })+) => {$(
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $(#[doc = concat!("`", $word, "`")] $variant,)+ }

        impl $name {
            /// How many there are.
            pub const COUNT: usize = Self::WORDS.len();
        }

        impl Label for $name {
            const NAME: &'static str = $label;
            const WORDS: &'static [&'static str] = &[$($word,)+];

            fn index(self) -> usize {
                self as usize
            }
        }
    )+};
}

labels! {
    /// What a request asks for.
    RouteClass, "route" {
        SignIn "signin",
        Me "me",
        SignOut "signout",
        Password "password",
        Write "write",
        Query "query",
        Api "api",
        Public "public",
        Ui "ui",
        V1 "v1",
        Grpc "grpc",
        Health "health",
        Other "other",
    }

    /// The method of a request.
    Method, "method" {
        Get "GET",
        Head "HEAD",
        Post "POST",
        Put "PUT",
        Patch "PATCH",
        Delete "DELETE",
        Options "OPTIONS",
        Other "other",
    }

    /// The first digit of the status of an answer.
    StatusClass, "status" {
        None "none",
        Informational "1xx",
        Success "2xx",
        Redirection "3xx",
        ClientError "4xx",
        ServerError "5xx",
    }

    /// The status of a call of gRPC.
    GrpcStatus, "grpc_status" {
        Ok "0",
        Cancelled "1",
        Unknown "2",
        InvalidArgument "3",
        DeadlineExceeded "4",
        NotFound "5",
        AlreadyExists "6",
        PermissionDenied "7",
        ResourceExhausted "8",
        FailedPrecondition "9",
        Aborted "10",
        OutOfRange "11",
        Unimplemented "12",
        Internal "13",
        Unavailable "14",
        DataLoss "15",
        Unauthenticated "16",
        None "none",
    }

    /// What came of a sign-in.
    SignIn, "outcome" {
        SignedIn "signed_in",
        UnknownUser "unknown_user",
        WrongPassword "wrong_password",
        WrongCredentials "wrong_credentials",
        Malformed "malformed",
        Throttled "throttled",
        Busy "busy",
        Full "full",
        NameTooLong "name_too_long",
        Unavailable "unavailable",
        PasswordChangeRequired "password_change_required",
        OidcState "oidc_state",
        OidcIssuer "oidc_issuer",
        OidcDenied "oidc_denied",
        OidcProvider "oidc_provider",
        OidcCode "oidc_code",
        OidcToken "oidc_token",
        NoGrant "no_grant",
        NameTaken "name_taken",
    }

    /// What came of a JWT.
    JwtOutcome, "outcome" {
        Verified "verified",
        Remembered "remembered",
        Expired "expired",
        Signature "signature",
        Audience "audience",
        UnknownKey "unknown_key",
        Claims "claims",
        NoGrant "no_grant",
        NameTaken "name_taken",
        Unavailable "unavailable",
        Throttled "throttled",
    }

    /// Why the keys of an identity provider cannot be read.
    ProviderFault, "reason" {
        Unreachable "unreachable",
        Tls "tls",
        Timeout "timeout",
        Answer "answer",
        Status "status",
        Discovery "discovery",
        Keys "keys",
        File "file",
    }

    /// What came of a gateway token.
    GatewayTokenOutcome, "outcome" {
        Accepted "accepted",
        Unknown "unknown",
        Expired "expired",
        Malformed "malformed",
        Throttled "throttled",
        Unavailable "unavailable",
    }

    /// Who has to wait after failed sign-ins.
    BanScope, "scope" {
        Pair "pair",
        Client "client",
        User "user",
    }

    /// Why a session has ended.
    EndCause, "cause" {
        SignedOut "signed_out",
        Expired "expired",
        Evicted "evicted",
        Revoked "revoked",
    }

    /// What came of a call of the session store.
    StoreOutcome, "outcome" {
        Answered "answered",
        TimedOut "timed_out",
        Unavailable "unavailable",
    }

    /// Where a session was found, or looked for.
    LookUp, "place" {
        NearCache "near_cache",
        Store "store",
    }

    /// Why a TLS handshake with a client has failed.
    HandshakeFailure, "reason" {
        Failed "failed",
        Timeout "timeout",
    }

    /// Whether a connection to the upstream was there before.
    Connection, "connection" {
        New "new",
        Reused "reused",
    }

    /// At which step a request has failed at the upstream.
    UpstreamStep, "step" {
        Resolve "resolve",
        Connect "connect",
        Handshake "handshake",
        Send "send",
        Receive "receive",
    }

    /// What came of reading the users file again.
    Reload, "outcome" {
        Taken "taken",
        Refused "refused",
    }
}

impl Method {
    /// The method of this name. What is not known to the gateway is all one.
    pub fn of(name: &str) -> Self {
        match name {
            "GET" => Self::Get,
            "POST" => Self::Post,
            "HEAD" => Self::Head,
            "PUT" => Self::Put,
            "PATCH" => Self::Patch,
            "DELETE" => Self::Delete,
            "OPTIONS" => Self::Options,
            _ => Self::Other,
        }
    }
}

impl GrpcStatus {
    /// The status of this number; `None` if there was none, or none of gRPC's.
    pub fn of(number: Option<u8>) -> Self {
        const ALL: [GrpcStatus; 17] = [
            GrpcStatus::Ok,
            GrpcStatus::Cancelled,
            GrpcStatus::Unknown,
            GrpcStatus::InvalidArgument,
            GrpcStatus::DeadlineExceeded,
            GrpcStatus::NotFound,
            GrpcStatus::AlreadyExists,
            GrpcStatus::PermissionDenied,
            GrpcStatus::ResourceExhausted,
            GrpcStatus::FailedPrecondition,
            GrpcStatus::Aborted,
            GrpcStatus::OutOfRange,
            GrpcStatus::Unimplemented,
            GrpcStatus::Internal,
            GrpcStatus::Unavailable,
            GrpcStatus::DataLoss,
            GrpcStatus::Unauthenticated,
        ];
        number.and_then(|number| ALL.get(usize::from(number)).copied()).unwrap_or(Self::None)
    }
}

impl StatusClass {
    /// The class of `status`; 0 if there was no answer.
    pub fn of(status: u16) -> Self {
        match status / 100 {
            1 => Self::Informational,
            2 => Self::Success,
            3 => Self::Redirection,
            4 => Self::ClientError,
            5 => Self::ServerError,
            _ => Self::None,
        }
    }
}
