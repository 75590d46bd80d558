//! A user's own sessions as a page, for browsers without JavaScript. It is below the path of the session's cookie: where the
//! other page is, nobody knows who asks.

use http::Method;

use super::authenticator::Authenticator;
use super::page::{is_form, said, sent_on};
use super::policy::Policy;
use super::request::{Decision, Request};
use super::sessions;
use crate::api::form::field;
use crate::api::page::{Language, OWN_PATH, Own, Page, View};
use crate::api::rejection::Rejection;
use crate::api::route::OwnSessions;
use crate::api::session_cookies::remind;
use crate::api::{Response, signout};
use crate::auth::Auth;

/// Shows the sessions of whoever asks, or does what its form says. Whoever has none is sent to the other page.
pub async fn answer(
    auth: &Auth,
    policy: &Policy,
    client: &mut Authenticator<'_>,
    request: Request<'_>,
) -> Result<Decision, Rejection> {
    let page = policy.page.as_deref().ok_or(Rejection::NoSuchPage)?;
    let query = request.head.uri.query().unwrap_or_default();
    let language = Language::of(query, &request.head.headers);
    let answer = match request.head.method {
        Method::POST => act(auth, policy, client, (page, language), request).await,
        _ => show(auth, policy, client, (page, language), request).await,
    };
    match answer {
        Err(Rejection::Unauthorized | Rejection::SignInOrOutRefused) => {
            let to = format!("{}?lang={}", page.path, language.tag());
            Ok(Decision::Respond(sent_on(Response::default(), &to)))
        }
        other => other.map(Decision::Respond),
    }
}

async fn show(
    auth: &Auth,
    policy: &Policy,
    client: &mut Authenticator<'_>,
    (page, language): (&Page, Language),
    request: Request<'_>,
) -> Result<Response, Rejection> {
    let caller = client.caller().await?.caller;
    let (session, records) = sessions::known(auth, caller, request.now).await?;
    let user = session.user();
    let own = Own { user: user.name.as_str(), this: session.id(), records: &records };
    let said = said(request.head.uri.query().unwrap_or_default());
    let mut answer = page.show(language, &View { own: Some(own), said, ..View::default() });
    let to = (&request.head.headers, request.client.over_tls);
    remind(&policy.cookie, to, answer.headers_mut());
    Ok(answer)
}

/// Does what one of the form's buttons stands for, and shows what there is after it.
async fn act(
    auth: &Auth,
    policy: &Policy,
    client: &mut Authenticator<'_>,
    (page, language): (&Page, Language),
    request: Request<'_>,
) -> Result<Response, Rejection> {
    let of_form = |name| is_form(request).then(|| field(request.body, name)).flatten();
    let sent = |to: &str, said: &str| format!("{to}?lang={}&said={said}", language.tag());
    if of_form("signout").is_some() {
        client.check_site()?;
        let (headers, meta) = (&request.head.headers, request.client.meta());
        let post = signout::post(auth, &policy.cookie, headers, &meta, request.now);
        let (response, ended) = post.await?;
        client.note(Some(ended));
        return Ok(sent_on(response, &sent(&page.path, "signedOut")));
    }
    let one = of_form("end");
    let (asked, said) = match one.as_deref().map(|one| std::str::from_utf8(one)) {
        Some(one) => (OwnSessions::EndOne(one.unwrap_or_default()), "ended"),
        None if of_form("others").is_some() => (OwnSessions::EndOthers, "othersEnded"),
        None => return show(auth, policy, client, (page, language), request).await,
    };
    match sessions::of(auth, policy, client, asked, request).await {
        // Several of one fingerprint: that says which.
        Ok(Decision::Respond(answer)) if !answer.status().is_success() => Ok(answer),
        // What is not there has ended by itself.
        Ok(_) | Err(Rejection::NoSuchSession) => {
            Ok(sent_on(Response::default(), &sent(OWN_PATH, said)))
        }
        Err(other) => Err(other),
    }
}
