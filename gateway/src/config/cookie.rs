//! `[cookie]`.

use http::HeaderName;

use crate::api::cookie::{CookieRules, SameSite, Secure};
use crate::document::Section;

/// Reads the section.
pub(super) fn read(mut section: Section<'_>) -> CookieRules {
    let name = section.parsed("name", |text| {
        let is_token = HeaderName::from_bytes(text.as_bytes()).is_ok();
        is_token.then(|| text.to_owned()).ok_or_else(|| {
            "not a cookie name: letters, digits and !#$%&'*+-.^_`|~ are allowed".to_owned()
        })
    });
    let path = section.parsed("path", |text| {
        let is_allowed = |byte: u8| byte.is_ascii_graphic() && byte != b';';
        let is_path = text.starts_with('/') && text.bytes().all(is_allowed);
        is_path.then(|| text.to_owned()).ok_or_else(|| {
            "not a cookie path: it begins with / and has neither blanks nor semicolons".to_owned()
        })
    });
    let secures = [("auto", Secure::Auto), ("always", Secure::Always), ("never", Secure::Never)];
    let secure = section.choice("secure", &secures).unwrap_or(Secure::Auto);
    let same_sites =
        [("strict", SameSite::Strict), ("lax", SameSite::Lax), ("none", SameSite::None)];
    let same_site = section.choice("same_site", &same_sites).unwrap_or(SameSite::Strict);
    if same_site == SameSite::None && secure == Secure::Never {
        section.fault(
            "same_site",
            "browsers drop a cookie with \"none\" that is not secure; \
                                    set secure to \"always\" or \"auto\"",
        );
    }
    section.close();
    CookieRules {
        name: name.unwrap_or_else(|| "influxdb-oss-session".to_owned()),
        path: path.unwrap_or_else(|| "/api/".to_owned()),
        secure,
        same_site,
    }
}
