//! The gateway's own page: its files, its words, and the headers that hold it together.

mod entries;
mod html;
mod language;
mod logo;

use std::borrow::Cow;
use std::collections::BTreeMap;

use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_FRAME_OPTIONS};
use http::{HeaderName, HeaderValue, StatusCode};
use serde_json::json;

use super::Response;
use super::form::encoded;
use super::json::of_json;
use super::route::PageFile;
pub use entries::Own;
pub(super) use html::escaped;
use html::fill;
pub use language::Language;
pub use logo::Logo;

/// Nothing comes from elsewhere, nothing goes elsewhere, and text never becomes a script.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
     form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
);

/// A picture that is looked at by itself does nothing, whatever is in it.
const OF_PICTURE: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox",
);

const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

const INDEX: &str = include_str!("page/index.html");

/// The form for a name and a password.
const FORM: &str = include_str!("page/form.html");

/// Where one's own sessions are shown without JavaScript: below the path of the session's cookie.
pub const OWN_PATH: &str = "/api/v2/me/page";

/// The page, as it is configured.
#[derive(Clone, Debug)]
pub struct Page {
    /// What it is called.
    pub title: String,
    /// Where it is, from slash to slash.
    pub path: String,
    /// The picture at its head, if it is not ours.
    pub logo: Option<Logo>,
    /// Whether InfluxDB's own UI is there, so that one can go on to it.
    pub ui: bool,
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

impl Provider {
    /// Where a sign-in with it begins that leads to `return_to` in the end.
    pub fn login(&self, return_to: &str) -> String {
        format!("/gateway/oidc/{}/login?return_to={}", self.id, encoded(return_to))
    }
}

/// What is to be seen on it.
#[derive(Default)]
pub struct View<'a> {
    /// What its form is filled with.
    pub form: Form<'a>,
    /// The sessions that are shown instead of the form.
    pub own: Option<Own<'a>>,
    /// What has just been done: the key of a text, one of [`Page::SAID`].
    pub said: Option<&'static str>,
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
    /// The provider that it goes straight to, if it does.
    pub fn only_provider(&self) -> Option<&Provider> {
        match &self.providers[..] {
            [only] if only.auto => Some(only),
            _ => None,
        }
    }

    /// What can have been done before the page is shown.
    pub const SAID: [&str; 3] = ["ended", "othersEnded", "signedOut"];

    /// A file that is the same for everybody. `None` if there is no such file: the page itself, and a logo that nobody has
    /// chosen.
    pub fn file(&self, file: PageFile) -> Option<Response> {
        let (kind, text) = match file {
            PageFile::Index | PageFile::SignIn => return None,
            PageFile::Options => return Some(finished(self.options())),
            PageFile::Logo => return self.logo.as_ref().map(picture),
            PageFile::Style => ("text/css; charset=utf-8", include_str!("page/app.css")),
            PageFile::Script => ("text/javascript; charset=utf-8", include_str!("page/app.js")),
            PageFile::Icon => ("image/svg+xml", include_str!("page/icon.svg")),
            PageFile::English => ("application/json; charset=utf-8", Language::English.text()),
            PageFile::German => ("application/json; charset=utf-8", Language::German.text()),
        };
        Some(finished(of_kind(kind, text.as_bytes().into())))
    }

    /// The page itself.
    pub fn show(&self, language: Language, view: &View<'_>) -> Response {
        let words = language.words();
        let word = |key: &str| escaped(words.get(key).map_or("", String::as_str));
        let (error, own) = (view.form.error, view.own.as_ref());
        let hidden = |is_hidden| Cow::Borrowed(if is_hidden { " hidden" } else { "" });
        let user = own.map_or("", |own| own.user);
        let of = |key: &str| -> Cow<'_, str> {
            match key {
                "lang" => language.tag().into(),
                "title" => escaped(&self.title),
                "path" => self.path.as_str().into(),
                "own" => OWN_PATH.into(),
                "here" => if own.is_some() { OWN_PATH } else { &self.path }.into(),
                "keep" => self.kept(view.form.return_to).into(),
                "picture" => if self.logo.is_some() { "logo" } else { "icon.svg" }.into(),
                "heading" => word(if own.is_some() { "sessions" } else { "signIn" }),
                "said" => view.said.map_or(Cow::Borrowed(""), word),
                "open" if view.form.return_to.is_empty() => "/".into(),
                "return_to" | "open" => escaped(view.form.return_to),
                "typed" => escaped(view.form.name),
                "invalid" if error.is_none() => "".into(),
                "invalid" => " aria-invalid=\"true\" aria-describedby=\"error\"".into(),
                "error" => error.map_or(Cow::Borrowed(""), |error| {
                    let error = word(error);
                    format!("<p id=\"error\" class=\"error\" role=\"alert\">{error}</p>").into()
                }),
                "form_hidden" => hidden(own.is_some()),
                "own_hidden" => hidden(own.is_none()),
                "open_hidden" => hidden(!self.ui && view.form.return_to.is_empty()),
                "others_hidden" => hidden(own.is_none_or(|own| own.records.len() < 2)),
                "who" => escaped(user),
                "initial" => escaped(&initial(user)).into_owned().into(),
                "list" => own.map(|own| entries::of(own, &words)).unwrap_or_default().into(),
                "entry" => entries::empty(&words).into(),
                "providers" => self.buttons(view.form.return_to, &words).into(),
                other => word(other),
            }
        };
        let form = if self.passwords { fill(FORM, of) } else { String::new() };
        let page = fill(INDEX, |key| if key == "form" { form.as_str().into() } else { of(key) });
        finished(of_kind("text/html; charset=utf-8", page.into_bytes().into()))
    }

    /// What the link to the other language keeps of the query.
    fn kept(&self, return_to: &str) -> String {
        let stay = if self.only_provider().is_some() { "&amp;stay=1" } else { "" };
        match return_to {
            "" => stay.to_owned(),
            _ => format!("{stay}&amp;return_to={}", encoded(return_to)),
        }
    }

    /// A button for each provider. Links: what a form is sent to, the policy would have to name.
    fn buttons(&self, return_to: &str, words: &BTreeMap<String, String>) -> String {
        let word = |key: &str| words.get(key).map_or("", String::as_str);
        let return_to = if return_to.is_empty() { &self.path } else { return_to };
        let button = |it: &Provider| {
            let (to, name) = (it.login(return_to), word("signInWith").replace("{0}", &it.name));
            format!("<a class=\"button\" href=\"{}\">{}</a>\n", escaped(&to), escaped(&name))
        };
        let buttons: String = self.providers.iter().map(button).collect();
        match (buttons.is_empty(), self.passwords) {
            (true, _) => buttons,
            (false, false) => format!("<div class=\"providers\">\n{buttons}</div>\n"),
            (false, true) => {
                let or = escaped(word("or"));
                format!(
                    "<div class=\"providers\">\n{buttons}</div>\n<p class=\"or\"><span>{or}</span></p>\n"
                )
            }
        }
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

/// What stands for a user's face.
fn initial(user: &str) -> String {
    user.chars().take(1).flat_map(char::to_uppercase).collect()
}

fn of_kind(kind: &'static str, body: bytes::Bytes) -> Response {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

fn picture(logo: &Logo) -> Response {
    let mut response = finished(of_kind(logo.kind, logo.content.clone()));
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, OF_PICTURE);
    response
}

/// `response` with the headers that hold the page together.
pub(super) fn finished(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(OPENER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    // Not `no-referrer`: browsers would send `Origin: null` with the form.
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> Page {
        let path = "/gateway/".to_owned();
        Page {
            title: "<b>&\"'".to_owned(),
            path,
            logo: None,
            ui: false,
            passwords: true,
            providers: Vec::new(),
        }
    }

    #[test]
    fn every_word_is_there_in_both_languages() {
        let (english, german) = (Language::English.words(), Language::German.words());
        assert!(english.len() > 20 && english.keys().eq(german.keys()));
        let keys = Page::SAID.into_iter().chain(["wrong", "throttled", "unavailable"]);
        for key in keys {
            assert!(english.contains_key(key), "{key}");
        }
        // What is empty has no word, or is filled by the page.
        let empty = ["kind", "agent", "address", "created", "createdText", "used", "usedText"];
        let own =
            ["fingerprint", "label", "current", "badge_hidden", "end_hidden", "lang", "title"];
        let view = ["path", "own", "picture", "heading", "said", "return_to", "typed", "invalid"];
        let more =
            ["error", "form_hidden", "own_hidden", "others_hidden", "who", "initial", "list"];
        let known = [
            &empty[..],
            &own,
            &view,
            &more,
            &["entry", "providers", "form", "here", "keep", "open", "open_hidden"],
        ]
        .concat();
        for template in [INDEX, FORM, include_str!("page/entry.html")] {
            for part in template.split("{{").skip(1) {
                let key = part.split_once("}}").unwrap().0;
                assert!(known.contains(&key) || english.contains_key(key), "{key}");
            }
        }
    }

    #[test]
    fn markup_becomes_text() {
        let form = Form { name: "\"><script>x</script>", return_to: "/", error: Some("wrong") };
        let answer = page().show(Language::English, &View { form, ..View::default() });
        let text = std::str::from_utf8(answer.body()).unwrap();
        assert!(text.contains("<title>Sign in · &lt;b&gt;&amp;&quot;&#39;</title>"), "{text}");
        assert!(text.contains("value=\"&quot;&gt;&lt;script&gt;x&lt;/script&gt;\""));
        assert!(!text.contains("{{") && text.contains("role=\"alert\""));
    }

    #[test]
    fn of_a_user_who_is_markup_the_text_is_shown() {
        let this = crate::session::token::SessionToken::generate().id();
        let own = Own { user: "<i>x", this: &this, records: &[] };
        let answer = page().show(Language::German, &View { own: Some(own), ..View::default() });
        let text = std::str::from_utf8(answer.body()).unwrap();
        assert!(text.contains("<strong id=\"who\">&lt;i&gt;x</strong>"), "{text}");
        assert!(text.contains("id=\"initial\">&lt;</span>") && !text.contains("<i>"), "{text}");
        assert!(text.contains("aria-labelledby=\"signin-heading\" hidden>"), "{text}");
    }

    #[test]
    fn each_provider_has_a_button_and_passwords_have_a_form_where_there_are_any() {
        let provider = |id: &str, name: &str| Provider {
            id: id.to_owned(),
            name: name.to_owned(),
            auto: false,
            sign_out: false,
        };
        let providers = vec![provider("a", "Example <Corp>"), provider("b-2", "Other")];
        let text = |page: &Page, return_to| {
            let form = Form { return_to, ..Form::default() };
            let answer = page.show(Language::English, &View { form, ..View::default() });
            std::str::from_utf8(answer.body()).unwrap().to_owned()
        };
        let mut page = Page { providers, ..page() };
        let both = text(&page, "/a?b=c&d=%20");
        let first = "href=\"/gateway/oidc/a/login?return_to=/a%3Fb%3Dc%26d%3D%2520\">Sign in with Example &lt;Corp&gt;</a>";
        assert!(both.contains(first) && both.contains("type=\"password\""), "{both}");
        page.passwords = false;
        let alone = text(&page, "");
        assert!(alone.contains("/gateway/oidc/b-2/login?return_to=/gateway/\""), "{alone}");
        assert!(!alone.contains("type=\"password\"") && !alone.contains("class=\"or\""), "{alone}");
    }
}
