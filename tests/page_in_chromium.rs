//! The gateway's own page in a real browser: by keyboard, back and forth, without JavaScript, and held against WCAG.

use crate::programs::javascript;
use crate::support::*;

/// A user whose name is markup.
const NAME: &str = "<img/src=x/onerror=alert(1)>";

/// What a script of Chromium's prints of a gateway's page.
fn seen_by(script: &str) -> String {
    let upstream = Upstream::start();
    let config = "[page]\nenabled = true\ntitle = \"Example <Corp>\"\n[signin]\nfailures = 1000\n";
    let gateway = Gateway::start_with(upstream.address, config, &users(&[NAME]));
    let output = javascript(script)
        .env("GATEWAY_URL", format!("http://{}", gateway.address))
        .env("GATEWAY_USER", NAME)
        .env("GATEWAY_PASSWORD", PASSWORD)
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    assert!(output.status.success(), "{}\n{}", text(&output.stdout), text(&output.stderr));
    assert!(upstream.saw_nothing());
    text(&output.stdout)
}

#[test]
fn no_view_of_the_page_shuts_anybody_out() {
    // Four looks in English, two in German, six views of each.
    assert_eq!(seen_by("page_axe.mjs"), "36 views");
}

#[test]
fn the_page_is_used_by_keyboard_and_without_javascript_and_back_shows_nothing() {
    let seen = seen_by("page_use.mjs");
    let wanted = "\
tabs: Skip to the content, name, password, Sign in, Deutsch
skipped to: main
signed in as <img/src=x/onerror=alert(1)>: Chrome, influx, ?img, curl
elements made of text: 0
tabs: Sign out, End the session: influx, End the session: ?img, End the session: curl, others, Deutsch
end: The session has ended. 3 left, focus on sessions-heading
end others: All other sessions have ended. 1 left, focus on sessions-heading
sign out: You are signed out. Sign in, focus on name
before sign-out: Ihre Sitzungen, something of the user
back after sign-out: Sign in, nothing of the user, then nothing of the user
back after the end: Sign in, nothing of the user, then nothing of the user
without script, refused: /gateway/signin?lang=de, Benutzername und Passwort passen nicht zusammen.
signed in: /api/v2/me/page?lang=de, Ihre Sitzungen, 4 there
end: /api/v2/me/page?lang=de&said=ended, Die Sitzung ist beendet. 3 left
end others: /api/v2/me/page?lang=de&said=othersEnded, Alle anderen Sitzungen sind beendet. 1 left
sign out: /gateway/?lang=de&said=signedOut, Sie sind abgemeldet. Anmelden
back: /gateway/?lang=de, Anmelden, nothing of the user
sessions of nobody: /gateway/?lang=de, Anmelden
sent on: /api/v2/me, <img/src=x/onerror=alert(1)>
unexpected: nothing";
    assert_eq!(seen, wanted, "{seen}");
}
