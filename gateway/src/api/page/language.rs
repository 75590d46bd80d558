//! The languages of the page.

use std::collections::BTreeMap;

use http::HeaderMap;
use http::header::ACCEPT_LANGUAGE;

use crate::api::form;

/// A language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// English, also for whoever wants another one.
    English,
    /// German.
    German,
}

impl Language {
    /// The language of a request: `lang` of its `query`, or else what its browser prefers.
    pub fn of(query: &str, headers: &HeaderMap) -> Self {
        let asked = form::field(query.as_bytes(), "lang");
        if let Some(asked) = asked.and_then(|tag| Self::of_tag(std::str::from_utf8(&tag).ok()?)) {
            return asked;
        }
        let accepted = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        let mut best = (Self::English, 0.0);
        for item in accepted.unwrap_or_default().split(',') {
            let (tag, weight) = item.split_once(";q=").unwrap_or((item, "1"));
            let weight = weight.trim().parse().unwrap_or(0.0_f32);
            if let Some(language) = Self::of_tag(tag.trim())
                && weight > best.1
            {
                best = (language, weight);
            }
        }
        best.0
    }

    /// The language of a tag such as `de-AT`.
    fn of_tag(tag: &str) -> Option<Self> {
        match tag.split('-').next()?.to_ascii_lowercase().as_str() {
            "en" => Some(Self::English),
            "de" => Some(Self::German),
            _ => None,
        }
    }

    /// Its tag.
    pub fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
        }
    }

    /// All words of the page, each by its key.
    pub fn words(self) -> BTreeMap<String, String> {
        serde_json::from_str(self.text()).unwrap_or_default()
    }

    /// The same as JSON.
    pub fn text(self) -> &'static str {
        match self {
            Self::English => include_str!("en.json"),
            Self::German => include_str!("de.json"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_browser_prefers_and_the_switch_decides() {
        for (query, accepted, language) in [
            ("", "", "en"),
            ("", "de", "de"),
            ("", "de-AT,de;q=0.9,en;q=0.8", "de"),
            ("", "en-GB, de;q=0.9", "en"),
            ("", "en;q=0.5, de;q=0.9", "de"),
            ("", "fr, de;q=nonsense", "en"),
            ("lang=de", "en", "de"),
            ("lang=en&x", "de", "en"),
            ("lang=fr", "de", "de"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_LANGUAGE, accepted.parse().unwrap());
            assert_eq!(Language::of(query, &headers).tag(), language, "{query} {accepted}");
        }
    }
}
