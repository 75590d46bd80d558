//! What is said about a decision, for people.

use http::request::Parts;

use crate::api::forward::Forward;
use crate::api::rejection::Rejection;
use crate::api::route::{PasswordProof, Route};
use crate::auth::credential::{Caller, JwtCaller, UpstreamCredential};
use crate::auth::gateway_tokens::Worthless;
use crate::auth::jwt::Supposed;
use crate::auth::jwt::error::JwtError;
use crate::config::TokenPolicy;
use crate::directory::client_tokens::Holder;
use crate::jwt::grants::{Grant, Who};
use crate::session::Session;
use crate::user::User;
use crate::user::access::Right;

/// Where a path leads.
pub(super) fn of_route(route: &Route<'_>) -> &'static str {
    match route {
        Route::SignIn(_) => "sign-in, answered by the gateway",
        Route::SignOut(_) => "sign-out, answered by the gateway",
        Route::Me => "who am I, answered by the gateway for a session",
        Route::MyProvider => "one's own sign-in provider, answered by the gateway",
        Route::Sessions(_) => "one's own sessions, answered by the gateway",
        Route::SessionsPage => "a page of one's own sessions, answered by the gateway",
        Route::Password(_, PasswordProof::OldPassword) => "new password, by the old one",
        Route::Password(_, PasswordProof::Session) => "new password, by the session",
        Route::Options(_) => "OPTIONS of one of the gateway's endpoints",
        Route::WrongMethod(..) => "one of the gateway's endpoints, which has other methods",
        Route::NoSuchPage => "below one of the gateway's endpoints, where there is nothing",
        Route::SetupClosed => "set-up of a fresh InfluxDB",
        Route::Page(_) => "the gateway's own page",
        Route::Provider(_) => "signing in by a provider, answered by the gateway",
        Route::Health => "the gateway's own health",
        Route::Api => "InfluxDB's API, forwarded for whoever may use it",
        Route::OnItsOwn(_) => "InfluxDB 1's API, forwarded with the credentials that it brings",
        Route::OnItsOwnOrApi(_) => "InfluxDB 3's API, with credentials of its own or a session",
        Route::Ui => "InfluxDB's own pages, forwarded for whoever has a session",
        Route::Public(_) => "public, forwarded for nobody",
        Route::Flight => "a call of Arrow Flight, forwarded over HTTP/2 for whoever may make it",
        Route::NotImplemented => "a call of gRPC of a method that is not forwarded",
        Route::NoCall => "for calls of gRPC only",
        Route::Elsewhere => "neither the gateway's nor the upstream's",
    }
}

/// Whose a session is.
pub(super) fn of_session(session: &Session) -> String {
    let user = session.user();
    let (status, access) = (user.status.word(), user.access.word());
    format!("{}, by a session; status {status}, access {access}", user.name)
}

/// On whose behalf something is forwarded.
pub(super) fn of_caller(caller: Option<&Caller>, tokens: TokenPolicy) -> String {
    match (caller, tokens) {
        (None, _) => "nobody".to_owned(),
        (Some(Caller::Session(session)), _) => of_session(session),
        (Some(Caller::Jwt(jwt)), _) => format!("{}, by a JWT", jwt.user.name),
        (Some(Caller::Holder(holder)), _) => of_holder(holder),
        (Some(Caller::Token(_)), TokenPolicy::Resolve) => {
            "the owner of an API token, whom InfluxDB would be asked for (users.tokens = \"resolve\"); \
             401 if it is nobody's"
                .to_owned()
        }
        (Some(Caller::Token(_)), _) => "a client with an API token of its own".to_owned(),
    }
}

/// Whose a gateway token is.
pub(super) fn of_holder(holder: &Holder) -> String {
    let Holder { user, token } = holder;
    let label = token.label.as_ref().map(|label| format!(" ({label})")).unwrap_or_default();
    let (mark, status, access) = (token.digest.mark(), user.status.word(), user.access.word());
    format!("{}, by the gateway token {mark}{label}; status {status}, access {access}", user.name)
}

/// Why a gateway token is worth nothing.
pub(super) fn why_worthless(worthless: &Worthless) -> String {
    match worthless {
        Worthless::Malformed => {
            "what begins with igw_ is a gateway token; this one is not whole, or not alone, or not as `Bearer` or \
             `Token`"
                .to_owned()
        }
        Worthless::Unknown(_) => {
            "the gateway token is no user's of the users file: removed, or never there".to_owned()
        }
        Worthless::Expired(holder) => {
            let expires = holder.token.expires.map(|expires| expires.to_string());
            let (mark, expires) = (holder.token.digest.mark(), expires.unwrap_or_default());
            format!("the gateway token {mark} of {} ended at {expires}", holder.user.name)
        }
    }
}

/// Whose a JWT is, and what is granted to them.
pub(super) fn of_jwt(supposed: &Supposed) -> String {
    let signature =
        if supposed.is_verified { "" } else { " (signature not looked at: no keys are asked for)" };
    match &supposed.caller {
        Ok(jwt) => format!(
            "{}, by a JWT{signature}; {}, access {}",
            jwt.user.name,
            of_grant(&jwt.grant),
            jwt.user.access.word()
        ),
        Err(_) => format!("nobody who is let in, by a JWT{signature}"),
    }
}

fn of_grant(grant: &Grant) -> String {
    let whom = match &grant.who {
        Who::Everybody => "everybody".to_owned(),
        Who::User(user) => format!("user {user}"),
        Who::Group(group) => format!("group {group}"),
    };
    format!("the [[grant]] in line {} for {whom}", grant.line)
}

/// Why a JWT is refused.
pub(super) fn why_jwt(error: &JwtError) -> String {
    match error {
        JwtError::Refused(refusal) => format!("the JWT: {refusal}"),
        JwtError::NoGrant(name) => format!("no [[grant]] is for {name}, or for a group in the JWT"),
        JwtError::NameTaken(name) => {
            format!(
                "{name} is a name of the users file, of another [[jwt]], or begins with identity.token_prefix"
            )
        }
        JwtError::Unavailable => "the provider's keys are not known".to_owned(),
        JwtError::Throttled(_) => "too many JWTs of the client had a wrong signature".to_owned(),
    }
}

/// Why a grant does not allow something.
pub(super) fn why_not_granted(caller: &JwtCaller, head: &Parts) -> String {
    let needed = needed(head);
    let (word, grant) = (caller.user.access.word(), of_grant(&caller.grant));
    format!("access = \"{word}\" of {grant}; it needs {needed}")
}

/// Why something may go upstream.
pub(super) fn why_forwarded(forward: &Forward) -> String {
    match forward.caller() {
        None => "the path is public: it needs neither session nor token (forward.public, forward.ui, \
                 and what InfluxDB answers to anybody)"
            .to_owned(),
        Some(Caller::Token(_)) => {
            "the request brings credentials of its own (users.tokens); InfluxDB decides what they may".to_owned()
        }
        Some(Caller::Jwt(jwt)) => format!(
            "access = \"{}\" of {} allows it",
            jwt.user.access.word(),
            of_grant(&jwt.grant)
        ),
        Some(Caller::Session(session)) => why_user_may(&session.user()),
        Some(Caller::Holder(holder)) => why_user_may(&holder.user),
    }
}

fn why_user_may(user: &User) -> String {
    format!("access = \"{}\" of the user allows it", user.access.word())
}

/// Which credential goes upstream, by name.
pub(super) fn of_credential(credential: &UpstreamCredential, forward: &Forward) -> &'static str {
    match credential {
        UpstreamCredential::Token(_) if forward.user().is_some_and(|user| user.token.is_some()) => {
            "the user's own API token, of the users file"
        }
        UpstreamCredential::Token(_) if is_granted(forward) => {
            "the API token of the grant (grant.token_file)"
        }
        UpstreamCredential::Token(_) => "the shared API token (upstream.token_file)",
        UpstreamCredential::Cookie { .. } => "InfluxDB's own session of the user, as a cookie",
        UpstreamCredential::Nothing => "none",
        UpstreamCredential::AsItCame => "that of the client, as it came",
    }
}

fn is_granted(forward: &Forward) -> bool {
    matches!(forward.caller(), Some(Caller::Jwt(jwt)) if jwt.grant.token.is_some())
}

/// Why something is rejected: the rule, and where it is configured. Of a user's request, `of` has both.
pub(super) fn why_rejected(rejection: Rejection, of: Option<(&User, &Parts)>) -> String {
    let rule = match rejection {
        Rejection::SignInOrOutRefused => {
            "a sign-in needs `Authorization: Basic` with name and password, a sign-out a session"
        }
        Rejection::Unauthorized => {
            "there is no live session in the cookie (cookie.name), and no token that is wanted (users.tokens)"
        }
        Rejection::NotGranted => {
            "no [[grant]] is for the user of the JWT, or there is no token for the upstream: grant.token_file, \
             upstream.token_file"
        }
        Rejection::NameTaken => {
            "the name in the JWT is one of the users file, of another [[jwt]], or begins with identity.token_prefix"
        }
        Rejection::UserInactive => "status = \"inactive\" of the user, in the users file",
        Rejection::MethodNotAllowed(_) => "the endpoint has other methods only",
        Rejection::PathNotFound => {
            "the path is not of the API and not opened: forward.public, forward.ui, forward.v1"
        }
        Rejection::Unimplemented => {
            "only Arrow Flight's own methods are forwarded, by POST, and only with upstream.grpc"
        }
        Rejection::SetupClosed => "forward.setup = false",
        Rejection::OldPasswordWanted => "users.password_by_session = false",
        Rejection::CredentialsClosed => {
            "forward.credentials = false, and the user has no API token of their own (users file)"
        }
        Rejection::CrossSite => {
            "a page of another site has sent it (Sec-Fetch-Site, Origin), which listen.allowed_origins \
             does not name"
        }
        Rejection::Misdirected => "listen.hosts does not name this host",
        Rejection::TooLarge => {
            "limits.body_bytes, or limits.local_body_bytes of what the gateway reads"
        }
        Rejection::HeadTooLarge => "limits.head_bytes, limits.head_fields",
        Rejection::TargetTooLong => "limits.target_bytes",
        Rejection::AccessDenied => return why_denied(of),
        _ => "a rule of the gateway that has no key; the message above says which",
    };
    rule.to_owned()
}

fn why_denied(of: Option<(&User, &Parts)>) -> String {
    let Some((user, head)) = of else { return "the user's access".to_owned() };
    let needed = needed(head);
    format!("access = \"{}\" of the user, in the users file; it needs {needed}", user.access.word())
}

fn needed(head: &Parts) -> &'static str {
    match Right::of(&head.method, head.uri.path()) {
        Right::Read => "to read",
        Right::Write => "access = \"write\", to change points",
        Right::Everything => "access = \"full\"",
        Right::Credentials => "access = \"full\", and to be trusted with credentials",
    }
}
