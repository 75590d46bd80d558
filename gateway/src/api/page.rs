//! The gateway's own page: its files, its words, and the headers that hold it together.

mod language;

use std::borrow::Cow;
use std::collections::BTreeMap;

use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_FRAME_OPTIONS};
use http::{HeaderName, HeaderValue, StatusCode};
use serde_json::json;

use super::Response;
use super::json::of_json;
use super::route::PageFile;
pub use language::Language;

/// Nothing comes from elsewhere, nothing goes elsewhere, and text never becomes a script.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
     form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
);

const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

const INDEX: &str = include_str!("page/index.html");

/// The page, as it is configured.
#[derive(Clone, Debug)]
pub struct Page {
    /// What it is called.
    pub title: String,
    /// Whether anybody can sign in with a password.
    pub passwords: bool,
    /// Who else signs users in.
    pub providers: Vec<Provider>,
}

/// A provider that signs users in, as the page has it.
#[derive(Clone, Debug)]
pub struct Provider {
    /// What it is called in paths: `/gateway/oidc/{id}/login`.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Whether the page goes straight to it.
    pub auto: bool,
    /// Whether users sign out of it too.
    pub sign_out: bool,
}

/// What its form is filled with.
#[derive(Default)]
pub struct Form<'a> {
    /// The name that was typed before.
    pub name: &'a str,
    /// Where to go after the sign-in; empty: to the page.
    pub return_to: &'a str,
    /// Why there was none: the key of a text.
    pub error: Option<&'static str>,
}

impl Page {
    /// A file that is the same for everybody; the form is not filled in.
    pub fn file(&self, file: PageFile, language: Language, return_to: &str) -> Response {
        let (kind, text) = match file {
            PageFile::Index | PageFile::SignIn => {
                return self.index(language, &Form { return_to, ..Form::default() });
            }
            PageFile::Options => return finished(self.options()),
            PageFile::Style => ("text/css; charset=utf-8", include_str!("page/app.css")),
            PageFile::Script => ("text/javascript; charset=utf-8", include_str!("page/app.js")),
            PageFile::Icon => ("image/svg+xml", include_str!("page/icon.svg")),
            PageFile::English => ("application/json; charset=utf-8", Language::English.text()),
            PageFile::German => ("application/json; charset=utf-8", Language::German.text()),
        };
        finished(of_kind(kind, text.as_bytes().into()))
    }

    /// The page with its form.
    pub fn index(&self, language: Language, form: &Form<'_>) -> Response {
        let words: BTreeMap<String, String> =
            serde_json::from_str(language.text()).unwrap_or_default();
        let word = |key: &str| escaped(words.get(key).map_or("", String::as_str));
        let mut page = String::with_capacity(INDEX.len() * 2);
        for (place, part) in INDEX.split("{{").enumerate() {
            let (key, text) = part.split_once("}}").filter(|_| place > 0).unwrap_or(("", part));
            page.push_str(&match key {
                "" => Cow::Borrowed(""),
                "lang" => Cow::Borrowed(language.tag()),
                "title" => escaped(&self.title),
                "return_to" => escaped(form.return_to),
                "typed" => escaped(form.name),
                "invalid" if form.error.is_none() => Cow::Borrowed(""),
                "invalid" => Cow::Borrowed(" aria-invalid=\"true\" aria-describedby=\"error\""),
                "error" => form.error.map_or(Cow::Borrowed(""), |error| {
                    let error = word(error);
                    format!("<p id=\"error\" class=\"error\" role=\"alert\">{error}</p>").into()
                }),
                other => word(other),
            });
            page.push_str(text);
        }
        finished(of_kind("text/html; charset=utf-8", page.into_bytes().into()))
    }

    /// Names and switches, and nothing that is anybody's.
    fn options(&self) -> Response {
        let provider = |it: &Provider| {
            let sign_out = if it.sign_out { "provider" } else { "local" };
            json!({ "id": it.id, "name": it.name, "auto": it.auto, "sign_out": sign_out })
        };
        let providers: Vec<_> = self.providers.iter().map(provider).collect();
        let options =
            json!({ "title": self.title, "password": self.passwords, "providers": providers });
        of_json(StatusCode::OK, &options)
    }
}

fn of_kind(kind: &'static str, body: bytes::Bytes) -> Response {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// `response` with the headers that hold pages together.
pub(super) fn finished(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(OPENER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    // Not `no-referrer`: browsers would send `Origin: null` with the form.
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    response
}

/// `text` as it stands in HTML, in an attribute too.
pub(super) fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(['&', '<', '>', '"', '\'']) {
        return text.into();
    }
    let mut escaped = String::new();
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_there_in_both_languages() {
        let words = |language: Language| -> BTreeMap<String, String> {
            serde_json::from_str(language.text()).unwrap()
        };
        let (english, german) = (words(Language::English), words(Language::German));
        assert!(english.keys().eq(german.keys()));
        let own = ["lang", "title", "return_to", "typed", "invalid", "error"];
        for part in INDEX.split("{{").skip(1) {
            let key = part.split_once("}}").unwrap().0;
            assert!(own.contains(&key) || english.contains_key(key), "{key}");
        }
    }

    #[test]
    fn markup_becomes_text() {
        let page = Page { title: "<b>&\"'".to_owned(), passwords: true, providers: Vec::new() };
        let form = Form { name: "\"><script>x</script>", return_to: "/", error: Some("wrong") };
        let answer = page.index(Language::English, &form);
        let text = std::str::from_utf8(answer.body()).unwrap();
        assert!(text.contains("<title>&lt;b&gt;&amp;&quot;&#39;</title>"));
        assert!(text.contains("value=\"&quot;&gt;&lt;script&gt;x&lt;/script&gt;\""));
        assert!(!text.contains("{{") && text.contains("role=\"alert\""));
    }
}
