//! Signing in by providers: a browser is sent there, and comes back.

pub mod out;

use http::header::{COOKIE, LOCATION, REFERRER_POLICY, SET_COOKIE, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use zeroize::Zeroizing;

use super::authenticator::Authenticator;
use super::policy::Policy;
use super::request::{Decision, Request};
use crate::api::form::{field, landing};
use crate::api::oidc::cookie::{MOST, StateCookies};
use crate::api::oidc::failure;
use crate::api::page::Language;
use crate::api::rejection::Rejection;
use crate::api::route::{ProviderRoute, ProviderStep};
use crate::api::session_cookies::hand_out;
use crate::api::{Response, options};
use crate::auth::Auth;
use crate::auth::oidc::provider::Provider;
use crate::auth::oidc::signin::{Arrived, Callback, finish};
use crate::auth::oidc::state::mark;
use crate::auth::oidc::{Failure, Oidc};
use crate::clock;
use crate::request_meta::{ClientKind, RequestMeta};

/// The longest place to be sent on to, in bytes: it is kept in a cookie.
const LONGEST: usize = 1024;

/// Answers what is asked of a provider. If there is none that is called so, there is no such path either.
pub async fn answer(
    auth: &Auth,
    policy: &Policy,
    client: &mut Authenticator<'_>,
    asked: ProviderRoute<'_>,
    request: Request<'_>,
) -> Result<Decision, Rejection> {
    let oidc = auth.oidc().ok_or(Rejection::PathNotFound)?;
    let provider = oidc.find(asked.provider).ok_or(Rejection::PathNotFound)?;
    let head = request.head;
    if asked.step == ProviderStep::BackchannelLogout {
        return Ok(Decision::Respond(out::by_provider(auth, provider, request).await));
    }
    if head.method == Method::OPTIONS {
        return options::answer(&head.headers, asked.step.methods()).map(Decision::Respond);
    }
    if head.method != asked.step.methods() {
        return Err(Rejection::MethodNotAllowed(asked.step.methods()));
    }
    let mut response = match asked.step {
        ProviderStep::Login => log_in(oidc, provider, policy, request),
        ProviderStep::Callback | ProviderStep::BackchannelLogout => {
            Box::pin(come_back(auth, oidc, provider, (policy, client), request)).await
        }
    };
    // Neither the code nor where somebody wants to go is told to anybody else.
    response.headers_mut().insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    Ok(Decision::Respond(response))
}

/// Sends the browser to the provider, with a cookie of what the sign-in was begun with.
fn log_in(oidc: &Oidc, provider: &Provider, policy: &Policy, request: Request<'_>) -> Response {
    let (head, query) = (request.head, request.head.uri.query().unwrap_or_default());
    let wanted = field(query.as_bytes(), "return_to");
    let page = policy.page.as_deref();
    let return_to = match wanted.as_deref() {
        Some(wanted) if wanted.len() > LONGEST => "/",
        Some(wanted) => landing(wanted),
        None => page.map_or("/", |page| &page.path),
    };
    let begun = provider.begin(return_to).and_then(|begun| {
        let location = HeaderValue::from_str(&begun.location).ok()?;
        Some((location, mark(begun.state.state().as_bytes())?, begun.state))
    });
    let Some((location, mark, state)) = begun else {
        return failure::answer(&Failure::Unavailable, language(request), page, &head.headers);
    };
    let cookies = StateCookies { over_tls: provider.is_over_tls() };
    let mut response = sent_to(location);
    let headers = response.headers_mut();
    for old in given_up(oidc, cookies, &head.headers) {
        headers.extend(cookies.delete(old).map(|deletion| (SET_COOKIE, deletion)));
    }
    let sealed = provider.secrets.seal(&state);
    headers.extend(cookies.set(&mark, &sealed).map(|cookie| (SET_COOKIE, cookie)));
    response
}

/// The marks of those sign-ins that have to make room for another one: the oldest, and what is none.
fn given_up<'h>(oidc: &Oidc, cookies: StateCookies, headers: &'h HeaderMap) -> Vec<&'h str> {
    let mut all = cookies.all(headers);
    all.sort_by_cached_key(|(_, value)| oidc.begun(value).unwrap_or_default());
    let too_many = (all.len() + 1).saturating_sub(MOST);
    all.into_iter().take(too_many).map(|(mark, _)| mark).collect()
}

/// Ends a sign-in: a session, or a page that says why there is none. Its cookie is forgotten in either case.
async fn come_back(
    auth: &Auth,
    oidc: &Oidc,
    provider: &Provider,
    (policy, client): (&Policy, &mut Authenticator<'_>),
    request: Request<'_>,
) -> Response {
    let (headers, now) = (&request.head.headers, clock::unix_seconds());
    let query = request.head.uri.query().unwrap_or_default().as_bytes();
    let text = |name| field(query, name);
    let (state, issuer, error, code) = (text("state"), text("iss"), text("error"), text("code"));
    let mark = state.as_deref().and_then(|state| mark(state));
    let cookies = StateCookies { over_tls: provider.is_over_tls() };
    let brought = cookies.all(headers).into_iter();
    let mut brought = brought.filter(|(of, _)| Some(*of) == mark.as_deref());
    let begun = brought.find_map(|(_, value)| provider.secrets.open(value, now));
    let begun =
        begun.filter(|begun| Some(begun.state().as_bytes()) == state.as_deref().map(|it| &**it));
    // What is no text, is no issuer and no code that a provider would know.
    let plain = |value: &Option<Zeroizing<Vec<u8>>>| {
        let text = value.as_ref().map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        text.map(Zeroizing::new)
    };
    let (issuer, error, code) = (plain(&issuer), plain(&error), plain(&code));
    let callback = Callback {
        state: begun,
        issuer: issuer.as_ref().map(|it| it.as_str()),
        error: error.as_ref().map(|it| it.as_str()),
        code: code.as_ref().map(|it| it.as_str()),
    };
    let agent = headers.get(USER_AGENT).map(HeaderValue::as_bytes).unwrap_or_default();
    let meta = RequestMeta { kind: ClientKind::of(agent), ..request.client.meta() };
    let shared = &*policy.shared;
    let mut response = match finish(auth, oidc, provider, callback, (shared, &meta)).await {
        Ok(Arrived { token, session, return_to }) => {
            client.note(Some(session));
            let to = HeaderValue::from_str(landing(return_to.as_bytes()));
            let mut response = sent_to(to.unwrap_or(HeaderValue::from_static("/")));
            let (cookie, answer) = (&policy.cookie, response.headers_mut());
            hand_out(cookie, &token, (headers, meta.over_tls), answer);
            response
        }
        Err(refused) => {
            failure::answer(&refused, language(request), policy.page.as_deref(), headers)
        }
    };
    if headers.contains_key(COOKIE)
        && let Some(mark) = mark
    {
        let deletion = cookies.delete(&mark).map(|deletion| (SET_COOKIE, deletion));
        response.headers_mut().extend(deletion);
    }
    response
}

fn language(request: Request<'_>) -> Language {
    Language::of(request.head.uri.query().unwrap_or_default(), &request.head.headers)
}

fn sent_to(location: HeaderValue) -> Response {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::SEE_OTHER;
    response.headers_mut().insert(LOCATION, location);
    response
}
