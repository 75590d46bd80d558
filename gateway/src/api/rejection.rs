//! All refusals: their status, error code and message, in one table.

mod answer;
mod step;

use std::time::Duration;

use http::{HeaderValue, StatusCode};

pub use step::Step;

/// A request the gateway refuses. What the client reads is in [`Rejection::table`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// Sign-in with anything but a user's name and password, or sign-out without a session.
    SignInOrOutRefused,
    /// No session and no token.
    Unauthorized,
    /// A session of a user who is not allowed in.
    UserInactive,
    /// The endpoint has other methods only: these.
    MethodNotAllowed(&'static str),
    /// Nothing below one of the local endpoints.
    NoSuchPage,
    /// A path that the gateway neither answers nor forwards.
    PathNotFound,
    /// The set-up of a fresh InfluxDB through the gateway.
    SetupClosed,
    /// A request for a new password that cannot be understood, and why.
    BadPasswordRequest(&'static str),
    /// The old password is wrong.
    WrongPassword,
    /// A new password of a length that InfluxDB does not accept.
    PasswordLength,
    /// The password of somebody else, or of the owner of a token.
    NotYourPassword,
    /// A new password by the session alone, where the old one is required.
    OldPasswordWanted,
    /// A new password for one that is no longer what it was when the change was asked for.
    PasswordChanged,
    /// A session that is none of the caller's.
    NoSuchSession,
    /// The sessions of a client that comes by an API token.
    NoSessionsByToken,
    /// A body that is longer than the endpoint reads.
    TooLarge,
    /// The request target is not a path, nor a URL with one.
    BadTarget,
    /// A page of another site has sent it.
    CrossSite,
    /// A host that the gateway does not serve.
    Misdirected,
    /// A path that could be read in two ways.
    BadPath,
    /// No host, two hosts, or a malformed one.
    BadHost,
    /// A head of too many bytes, or of too many fields.
    HeadTooLarge,
    /// A request target of too many bytes.
    TargetTooLong,
    /// Another protocol is asked for.
    UpgradeRefused,
    /// An `Expect` header with anything but `100-continue`.
    ExpectationFailed,
    /// The limit on connections is reached, of all clients or of this one.
    TooManyConnections,
    /// The limit on requests that use the upstream is reached.
    UpstreamBusy,
    /// This client has reached its limit on requests that use the upstream, or that wait on its connection.
    TooManyAtOnce,
    /// There were too many failed sign-ins; come back after so long.
    TooManyFailures(Duration),
    /// Too many sign-ins are waiting.
    TooManySignIns,
    /// There are as many sessions as there may be.
    TooManySessions,
    /// The session store could not be asked. Says nothing about a session.
    SessionsUnavailable,
    /// Whoever knows the users could not be asked. Says nothing about who asks.
    DirectoryUnavailable,
    /// A user of InfluxDB's whose name no header can carry.
    NameTooLong,
    /// The user's role does not allow the request.
    AccessDenied,
    /// A JWT of somebody for whom there is no grant.
    NotGranted,
    /// A JWT of somebody whose name is another's here.
    NameTaken,
    /// A request that makes or shows credentials, from a user without a token of their own.
    CredentialsClosed,
    /// The upstream was not reached, or broke off.
    UpstreamFailed(Step),
    /// The upstream took too long.
    UpstreamTimedOut(Step),
    /// The client took too long with its request.
    ClientTimedOut,
    /// The request could not be read.
    Unreadable,
    /// A call of gRPC of a method that there is not.
    Unimplemented,
    /// No call of gRPC, where there are only those.
    NoCall,
    /// A fault of the gateway itself.
    Internal,
}

/// One row of the table: status, error code, message.
type Row = (StatusCode, &'static str, &'static str);

fn unavailable(message: &'static str) -> Row {
    (StatusCode::SERVICE_UNAVAILABLE, "unavailable", message)
}

impl Rejection {
    /// Status, error code and message of each refusal. Codes and statuses are paired as InfluxDB does.
    #[expect(clippy::too_many_lines, reason = "one row for each way to say no")]
    pub fn table(self) -> Row {
        match self {
            Self::SignInOrOutRefused | Self::Unauthorized => {
                (StatusCode::UNAUTHORIZED, "unauthorized", "unauthorized access")
            }
            Self::UserInactive => (StatusCode::FORBIDDEN, "forbidden", "User is inactive"),
            Self::MethodNotAllowed(_) => {
                (StatusCode::METHOD_NOT_ALLOWED, "method not allowed", "method not allowed")
            }
            Self::NoSuchPage => (StatusCode::NOT_FOUND, "not found", "404 page not found\n"),
            Self::PathNotFound => (StatusCode::NOT_FOUND, "not found", "path not found"),
            Self::Unimplemented => (
                StatusCode::NOT_FOUND,
                "not found",
                "the gateway forwards no such method of gRPC: those of Arrow Flight only, where its \
                 configuration has upstream.grpc = true",
            ),
            Self::NoCall => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "invalid",
                "only gRPC is spoken here: Content-Type: application/grpc",
            ),
            Self::SetupClosed => (
                StatusCode::FORBIDDEN,
                "forbidden",
                "set-up is closed at the gateway; forward.setup = true in its configuration opens it",
            ),
            Self::BadPasswordRequest(why) => (StatusCode::BAD_REQUEST, "invalid", why),
            Self::WrongPassword => {
                (StatusCode::FORBIDDEN, "forbidden", "your username or password is incorrect")
            }
            Self::PasswordLength => (
                StatusCode::BAD_REQUEST,
                "invalid",
                "passwords must be between 8 and 72 characters long",
            ),
            Self::NotYourPassword => (
                StatusCode::FORBIDDEN,
                "forbidden",
                "the gateway changes only the password of the user who is signed in",
            ),
            Self::OldPasswordWanted => (
                StatusCode::FORBIDDEN,
                "forbidden",
                "the gateway requires the old password for a new one: \
                 PUT /api/v2/me/password with the old one as Basic",
            ),
            Self::PasswordChanged => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "conflict",
                "the password was changed in the meantime; it stays as it is now",
            ),
            Self::NoSuchSession => {
                (StatusCode::NOT_FOUND, "not found", "none of your sessions is called so")
            }
            Self::NoSessionsByToken => (
                StatusCode::FORBIDDEN,
                "forbidden",
                "an API token has no sessions; sign in to see yours",
            ),
            Self::CrossSite => (StatusCode::FORBIDDEN, "forbidden", "cross-site request blocked"),
            Self::Misdirected => {
                (StatusCode::MISDIRECTED_REQUEST, "invalid", "the gateway does not serve this host")
            }
            Self::SessionsUnavailable => {
                unavailable("sessions cannot be looked up at the moment; try again later")
            }
            Self::DirectoryUnavailable => {
                unavailable("users cannot be verified at the moment; try again later")
            }
            Self::NameTooLong => (
                StatusCode::FORBIDDEN,
                "forbidden",
                "the name of this user is too long to be passed on",
            ),
            Self::AccessDenied => (
                StatusCode::FORBIDDEN,
                "forbidden",
                "your access at the gateway does not allow this",
            ),
            Self::NotGranted => (StatusCode::FORBIDDEN, "forbidden", "no access is granted to you"),
            Self::NameTaken => {
                (StatusCode::FORBIDDEN, "forbidden", "your name belongs to somebody else here")
            }
            Self::CredentialsClosed => (
                StatusCode::FORBIDDEN,
                "forbidden",
                "credentials are closed at the gateway; forward.credentials = true in its \
                 configuration opens them",
            ),
            Self::UpstreamFailed(_) => {
                (StatusCode::BAD_GATEWAY, "unavailable", "the upstream cannot be reached")
            }
            Self::UpstreamTimedOut(_) => {
                (StatusCode::GATEWAY_TIMEOUT, "unavailable", "the upstream took too long")
            }
            Self::Internal => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal error",
                "An internal error has occurred - check server logs",
            ),
            Self::TooManyFailures(_) => (
                StatusCode::TOO_MANY_REQUESTS,
                "too many requests",
                "too many sign-ins have failed; try again later",
            ),
            Self::TooManySignIns => (
                StatusCode::TOO_MANY_REQUESTS,
                "too many requests",
                "too many sign-ins are under way; try again later",
            ),
            Self::TooManySessions => unavailable("too many sessions are open; try again later"),
            Self::TooManyConnections => {
                unavailable("too many connections are open; try again later")
            }
            Self::UpstreamBusy => {
                unavailable("too many requests use the upstream; try again later")
            }
            Self::TooManyAtOnce => (
                StatusCode::TOO_MANY_REQUESTS,
                "too many requests",
                "too many requests of yours use the upstream; try again later",
            ),
            Self::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "request too large",
                "the request body is too large",
            ),
            Self::BadTarget => {
                (StatusCode::BAD_REQUEST, "invalid", "the request target must be a path")
            }
            Self::BadPath => {
                (StatusCode::BAD_REQUEST, "invalid", "the path could be read in more than one way")
            }
            Self::BadHost => (
                StatusCode::BAD_REQUEST,
                "invalid",
                "exactly one Host header is required: a name or an address, with or without a port",
            ),
            Self::HeadTooLarge => (
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "request too large",
                "the request's headers are too large, or too many",
            ),
            Self::TargetTooLong => {
                (StatusCode::URI_TOO_LONG, "request too large", "the request target is too long")
            }
            Self::UpgradeRefused => (
                StatusCode::BAD_REQUEST,
                "invalid",
                "switching to another protocol is not supported",
            ),
            Self::ExpectationFailed => (
                StatusCode::EXPECTATION_FAILED,
                "invalid",
                "the only supported expectation is 100-continue",
            ),
            Self::ClientTimedOut => {
                (StatusCode::REQUEST_TIMEOUT, "invalid", "the request took too long to arrive")
            }
            Self::Unreadable => {
                (StatusCode::BAD_REQUEST, "invalid", "the request could not be read")
            }
        }
    }
}

/// The media type of every JSON body, as InfluxDB writes it.
pub const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

#[cfg(test)]
mod tests;
