//! Why a sign-in by a provider has failed: a page for people, JSON for programs that want it.

use http::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::json;

use crate::api::Response;
use crate::api::json::of_json;
use crate::api::page::{Language, Page, escaped, finished};
use crate::auth::oidc::Failure;

/// The answer that says so.
///
/// It leads back to `page`, if there is one.
pub fn answer(
    failure: &Failure,
    language: Language,
    page: Option<&Page>,
    headers: &HeaderMap,
) -> Response {
    let (status, english, german) = told(failure);
    let mut response = if wants_json(headers) {
        let error = json!({ "code": failure.code(), "message": english });
        of_json(status, &error)
    } else {
        let text = match language {
            Language::English => english,
            Language::German => german,
        };
        told_on_a_page(failure.code(), text, language, page.map_or("/gateway/", |page| &page.path))
    };
    *response.status_mut() = status;
    let wait = match failure {
        Failure::Throttled(wait) => Some(wait.as_secs() + u64::from(wait.subsec_nanos() > 0)),
        Failure::Unavailable => Some(5),
        Failure::Full => Some(60),
        _ => None,
    };
    if let Some(wait) = wait {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(wait));
    }
    finished(response)
}

/// Status, and the text in each language.
fn told(failure: &Failure) -> (StatusCode, &'static str, &'static str) {
    match failure {
        Failure::State => (
            StatusCode::BAD_REQUEST,
            "This sign-in was not begun in this browser, has taken too long, or was finished before. Please begin again.",
            "Diese Anmeldung wurde nicht in diesem Browser begonnen, hat zu lange gedauert oder wurde schon abgeschlossen. Bitte beginnen Sie neu.",
        ),
        Failure::Issuer => (
            StatusCode::BAD_REQUEST,
            "The answer comes from another provider than the one you were sent to. Please begin again.",
            "Die Antwort kommt von einem anderen Anbieter als dem, zu dem Sie geschickt wurden. Bitte beginnen Sie neu.",
        ),
        Failure::Denied => (
            StatusCode::FORBIDDEN,
            "The provider has not signed you in.",
            "Der Anbieter hat Sie nicht angemeldet.",
        ),
        Failure::Provider => (
            StatusCode::BAD_GATEWAY,
            "The provider does not accept how this gateway asks it. Please tell whoever runs the gateway.",
            "Der Anbieter akzeptiert die Anfrage dieses Gateways nicht. Bitte sagen Sie es den Betreibern.",
        ),
        Failure::Code => (
            StatusCode::UNAUTHORIZED,
            "The provider does not confirm this sign-in. Please begin again.",
            "Der Anbieter bestätigt diese Anmeldung nicht. Bitte beginnen Sie neu.",
        ),
        Failure::Token => (
            StatusCode::UNAUTHORIZED,
            "What the provider says about you cannot be accepted. Please tell whoever runs the gateway.",
            "Was der Anbieter über Sie sagt, kann nicht angenommen werden. Bitte sagen Sie es den Betreibern.",
        ),
        Failure::NoGrant(_) => (
            StatusCode::FORBIDDEN,
            "You are known, but no access is granted to you. Please ask whoever runs the gateway.",
            "Sie sind bekannt, haben hier aber keinen Zugriff. Bitte fragen Sie die Betreiber.",
        ),
        Failure::NameTaken(_) => (
            StatusCode::FORBIDDEN,
            "Your name belongs to somebody else here. Please ask whoever runs the gateway.",
            "Ihr Name gehört hier jemand anderem. Bitte fragen Sie die Betreiber.",
        ),
        Failure::Throttled(_) => (
            StatusCode::TOO_MANY_REQUESTS,
            "Too many attempts have failed. Please wait a moment, then try again.",
            "Zu viele Versuche sind fehlgeschlagen. Bitte warten Sie einen Moment und versuchen Sie es dann erneut.",
        ),
        Failure::Full => (
            StatusCode::SERVICE_UNAVAILABLE,
            "Too many sessions are open. Please try again later.",
            "Es sind zu viele Sitzungen offen. Bitte versuchen Sie es später erneut.",
        ),
        Failure::Unavailable => (
            StatusCode::SERVICE_UNAVAILABLE,
            "Signing in is not possible at the moment. Please try again later.",
            "Die Anmeldung ist derzeit nicht möglich. Bitte versuchen Sie es später erneut.",
        ),
    }
}

/// Whether whoever asks is a program that says so; browsers want HTML.
fn wants_json(headers: &HeaderMap) -> bool {
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accept.contains("application/json") && !accept.contains("text/html")
}

fn told_on_a_page(code: &str, text: &str, language: Language, path: &str) -> Response {
    let (heading, again, label) = match language {
        Language::English => ("Sign-in failed", "Back to the sign-in", "Code"),
        Language::German => ("Anmeldung fehlgeschlagen", "Zurück zur Anmeldung", "Code"),
    };
    let (lang, text) = (language.tag(), escaped(text));
    let html = format!(
        "<!doctype html>\n<html lang=\"{lang}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{heading}</title>\n\
         <link rel=\"icon\" href=\"{path}icon.svg\" type=\"image/svg+xml\">\n\
         <link rel=\"stylesheet\" href=\"{path}app.css\">\n</head>\n<body>\n\
         <main id=\"main\">\n<section class=\"card\" aria-labelledby=\"heading\">\n<h1 id=\"heading\">{heading}</h1>\n\
         <p class=\"error\" role=\"alert\">{text}</p>\n<p class=\"hint\">{label}: <code>{code}</code></p>\n\
         <p><a href=\"{path}?lang={lang}&amp;stay=1\">{again}</a></p>\n</section>\n</main>\n</body>\n</html>\n"
    );
    let mut response = Response::new(html.into());
    let kind = HeaderValue::from_static("text/html; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(accept: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))])
    }

    #[test]
    fn browsers_get_a_page_in_their_language_and_programs_get_json() {
        let browser = headers("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8");
        let page = answer(&Failure::State, Language::German, None, &browser);
        let text = String::from_utf8(page.body().to_vec()).unwrap();
        assert!(text.contains("lang=\"de\"") && text.contains("<code>oidc_state</code>"), "{text}");
        assert!(page.headers()["content-security-policy"].to_str().unwrap().contains("'none'"));
        let json =
            answer(&Failure::Unavailable, Language::German, None, &headers("application/json"));
        assert_eq!(
            (json.status(), &json.headers()[RETRY_AFTER]),
            (StatusCode::SERVICE_UNAVAILABLE, &HeaderValue::from(5))
        );
        let value: serde_json::Value = serde_json::from_slice(json.body()).unwrap();
        assert_eq!(value["code"], "unavailable");
    }
}
