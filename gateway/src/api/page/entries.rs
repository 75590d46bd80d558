//! The list of one's own sessions as HTML: what `app.js` makes of `GET /api/v2/me/sessions`, for those without it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::html::{escaped, fill};
use crate::session::token::SessionId;
use crate::session::{Record, UnixMillis};

/// One session. `app.js` copies it.
const ENTRY: &str = include_str!("entry.html");

/// The families of agents that are browsers, here and in `app.js`.
const BROWSERS: [&str; 6] = ["Chrome", "Edge", "Firefox", "Mozilla", "Opera", "Safari"];

/// The sessions of a user.
#[derive(Clone, Copy)]
pub struct Own<'a> {
    /// The user's name.
    pub user: &'a str,
    /// The session that asks.
    pub this: &'a SessionId,
    /// All of them, in their order.
    pub records: &'a [Record],
}

/// All entries, in the language of `words`.
pub fn of(own: &Own<'_>, words: &BTreeMap<String, String>) -> String {
    own.records.iter().map(|record| entry(record, record.id == *own.this, words)).collect()
}

/// What `app.js` copies.
pub fn empty(words: &BTreeMap<String, String>) -> String {
    fill(ENTRY, |key| word(words, key))
}

fn entry(record: &Record, is_this: bool, words: &BTreeMap<String, String>) -> String {
    let told = |key: &str| words.get(key).map_or("", String::as_str);
    let agent = Some(record.client.kind.family()).filter(|family| !family.is_empty());
    let agent = agent.unwrap_or(told("unknownClient"));
    let address = record.client.address.map(|address| address.to_string());
    let address = address.as_deref().unwrap_or(told("unknownAddress"));
    let created = minute(record.started);
    fill(ENTRY, |key| match key {
        "current" if is_this => " class=\"current\"".into(),
        "kind" => if BROWSERS.contains(&agent) { "browser" } else { "program" }.into(),
        "agent" => escaped(agent).into_owned().into(),
        "address" => address.to_owned().into(),
        "created" => record.started.to_string().into(),
        "createdText" => created.clone().into(),
        "used" => record.last_used.to_string().into(),
        "usedText" => minute(record.last_used).into(),
        "fingerprint" => record.id.fingerprint().to_string().into(),
        "label" => {
            let label = format!("{agent}, {address}, {created}");
            escaped(&told("endOne").replace("{0}", &label)).into_owned().into()
        }
        "badge_hidden" if !is_this => " hidden".into(),
        "end_hidden" if is_this => " hidden".into(),
        other => word(words, other),
    })
}

fn word<'a>(words: &'a BTreeMap<String, String>, key: &str) -> Cow<'a, str> {
    words.get(key).map_or(Cow::Borrowed(""), |word| escaped(word))
}

/// A time to the minute, as nobody can misread it: no browser says where its user is.
fn minute(time: UnixMillis) -> String {
    let text = time.to_string();
    let (date, time) = text.split_once('T').unwrap_or((&text, ""));
    format!("{date}, {} UTC", time.get(..5).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::page::Language;
    use crate::request_meta::{Client, ClientKind};
    use crate::session::token::SessionToken;

    #[test]
    fn each_session_is_told_and_all_but_this_one_can_be_ended() {
        let words = Language::English.words();
        let (this, other) = (SessionToken::generate().id(), SessionToken::generate().id());
        let record = |id: &SessionId, agent: &str| Record {
            id: *id,
            user_name: "ada".to_owned(),
            started: UnixMillis(1_795_000_000_123),
            last_used: UnixMillis(1_795_000_060_000),
            expires: UnixMillis(1_795_000_660_000),
            client: Client {
                address: "192.0.2.7".parse().ok(),
                kind: ClientKind::of(agent.as_bytes()),
            },
        };
        let records = [record(&this, "Mozilla/5.0 Firefox/140"), record(&other, "<b>/1")];
        let own = Own { user: "ada", this: &this, records: &records };
        let html = of(&own, &words);
        let (first, second) = html.split_once("</li>").unwrap();
        assert!(first.contains("<li class=\"current\">") && first.contains("#browser"), "{first}");
        assert!(
            first.contains("<h2>Firefox</h2>") && first.contains(">2026-11-18, 11:06 UTC<"),
            "{first}"
        );
        assert!(
            first.contains("\" hidden>End<") && first.contains("badge\">This session<"),
            "{first}"
        );
        assert!(second.contains("<h2>?b?</h2>") && second.contains("#program"), "{second}");
        let button = format!(
            "value=\"{}\" aria-label=\"End the session: ?b?, 192.0.2.7, 2026-11-18, 11:06 UTC\">End<",
            other.fingerprint()
        );
        assert!(second.contains(&button) && second.contains("badge\" hidden>"), "{second}");
    }
}
