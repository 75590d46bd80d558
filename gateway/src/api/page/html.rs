//! HTML with places in it, `{{key}}`, that are filled.

use std::borrow::Cow;

/// `template`, each place filled with what `of` has for its key.
pub fn fill<'a>(template: &str, of: impl Fn(&str) -> Cow<'a, str>) -> String {
    let mut filled = String::with_capacity(template.len() * 2);
    let mut parts = template.split("{{");
    filled.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let (key, text) = part.split_once("}}").unwrap_or((part, ""));
        filled.push_str(&of(key));
        filled.push_str(text);
    }
    filled
}

/// `text` as it stands in HTML, in an attribute too.
pub fn escaped(text: &str) -> Cow<'_, str> {
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
    use proptest::prelude::*;

    #[test]
    fn places_are_filled_once() {
        let of = |key: &str| Cow::Owned(format!("<{key} {{{{a}}}}>"));
        assert_eq!(fill("x {{a}}{{b}} y", of), "x <a {{a}}><b {{a}}> y");
        assert_eq!(fill("", of), "");
    }

    proptest! {
        #[test]
        fn no_text_is_markup(text in ".{0,40}") {
            let html = escaped(&text);
            prop_assert!(!html.contains(['<', '>', '"', '\'']));
            let back = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")];
            let back = back.iter().fold(html.into_owned(), |html, (name, of)| html.replace(name, of));
            prop_assert_eq!(back, text);
        }
    }
}
