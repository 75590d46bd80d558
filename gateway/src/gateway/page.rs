//! The gateway's own page: its files, and signing in by its form.

use http::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER};
use http::{HeaderValue, Method, StatusCode};

use super::authenticator::Authenticator;
use super::policy::Policy;
use super::request::{Decision, Request};
use crate::api::form::{field, landing};
use crate::api::page::{Form, Language, OWN_PATH, Page, View};
use crate::api::rejection::Rejection;
use crate::api::route::PageFile;
use crate::api::session_cookies::{has_left, is_hinted};
use crate::api::{Response, authorization, options, signin};
use crate::auth::Auth;

/// In the query of the page: it goes straight to nobody.
const STAY: &str = "stay=1";

/// Answers a request for `file`. If there is no page, there is no such path either.
pub async fn answer(
    auth: &Auth,
    policy: &Policy,
    client: &mut Authenticator<'_>,
    file: PageFile,
    request: Request<'_>,
) -> Result<Decision, Rejection> {
    let page = policy.page.as_deref().ok_or(Rejection::PathNotFound)?;
    let (head, allow) = (request.head, file.methods());
    if head.method == Method::OPTIONS {
        return options::answer(&head.headers, allow).map(Decision::Respond);
    }
    if !allow.split(", ").any(|allowed| allowed == head.method.as_str()) {
        return Err(Rejection::MethodNotAllowed(allow));
    }
    let query = head.uri.query().unwrap_or_default();
    let language = Language::of(query, &head.headers);
    if head.method == Method::POST {
        return sign_in(auth, policy, client, (page, language), request).await;
    }
    if !matches!(file, PageFile::Index | PageFile::SignIn) {
        return page.file(file).map(Decision::Respond).ok_or(Rejection::PathNotFound);
    }
    let return_to = field(query.as_bytes(), "return_to");
    let return_to = return_to.as_deref().map_or("", |wanted| landing(wanted));
    if let Some(provider) = page.only_provider()
        && !query.contains(STAY)
        && said(query).is_none()
        && !is_hinted(&head.headers)
        && !has_left(&head.headers)
    {
        let return_to = if return_to.is_empty() { &page.path } else { return_to };
        return Ok(Decision::Respond(sent_on(Response::default(), &provider.login(return_to))));
    }
    let form = Form { return_to, ..Form::default() };
    Ok(Decision::Respond(page.show(language, &View { form, own: None, said: said(query) })))
}

/// What has just been done, by the `query` of the page that is shown after it.
pub fn said(query: &str) -> Option<&'static str> {
    let said = field(query.as_bytes(), "said")?;
    Page::SAID.into_iter().find(|key| key.as_bytes() == &**said)
}

/// The same door as that of `POST /api/v2/signin`, for a form.
async fn sign_in(
    auth: &Auth,
    policy: &Policy,
    client: &mut Authenticator<'_>,
    (page, language): (&Page, Language),
    request: Request<'_>,
) -> Result<Decision, Rejection> {
    // Nobody is to be signed in, unknowingly, as somebody else.
    client.check_site()?;
    let of_form = |name| is_form(request).then(|| field(request.body, name)).flatten();
    let (name, password) = (of_form("name").unwrap_or_default(), of_form("password"));
    let return_to = of_form("return_to").filter(|wanted| !wanted.is_empty());
    let return_to = return_to.as_deref().map_or("", |wanted| landing(wanted));
    let has_no_script = of_form("plain").is_some();
    let credentials = password.as_ref().and_then(|password| authorization::typed(&name, password));
    let (headers, meta) = (&request.head.headers, request.client.meta());
    let signed_in = signin::with(auth, &policy.cookie, headers, credentials, &meta).await;
    let refusal = match signed_in {
        Ok((response, Some(session))) => {
            client.note(Some(session));
            let own = if has_no_script { OWN_PATH } else { &page.path };
            let own = format!("{own}?lang={}", language.tag());
            let to = if return_to.is_empty() { &own } else { return_to };
            return Ok(Decision::Respond(sent_on(response, to)));
        }
        Ok((refusal, None)) => refusal,
        Err(rejection) => rejection.into(),
    };
    let name = std::str::from_utf8(&name).unwrap_or_default();
    let error = Some(match refusal.status() {
        StatusCode::UNAUTHORIZED => "wrong",
        StatusCode::TOO_MANY_REQUESTS => "throttled",
        _ => "unavailable",
    });
    let form = Form { name, return_to, error };
    let mut again = page.show(language, &View { form, ..View::default() });
    *again.status_mut() = refusal.status();
    if let Some(wait) = refusal.headers().get(RETRY_AFTER) {
        again.headers_mut().insert(RETRY_AFTER, wait.clone());
    }
    Ok(Decision::Respond(again))
}

/// Whether the body is a form: what a page of another site could send as something else is none.
pub fn is_form(request: Request<'_>) -> bool {
    let kind = request.head.headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    let kind = kind.and_then(|kind| kind.split(|&byte| byte == b';').next());
    kind.is_some_and(|kind| {
        kind.trim_ascii().eq_ignore_ascii_case(b"application/x-www-form-urlencoded")
    })
}

/// `response`, its cookies included, as one that sends the browser on.
pub fn sent_on(mut response: Response, to: &str) -> Response {
    *response.status_mut() = StatusCode::SEE_OTHER;
    let to = HeaderValue::from_str(to).unwrap_or(HeaderValue::from_static("/"));
    response.headers_mut().insert(LOCATION, to);
    response
}
