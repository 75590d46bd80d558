use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use crate::secure::{Authority, Pair, SecureGateway};
use crate::support::*;
use crate::tls::{SecureUpstream, forward_from, outcome, refused};

/// A year in which these tests are no longer run.
const LATE: i32 = 2200;

/// A gateway in front of `upstream`, with these files and keys of `[upstream]`.
fn start(upstream: &SecureUpstream, keys: &str, files: &[(&str, String)]) -> Gateway {
    let url = format!("https://{}", upstream.address);
    let folder = Gateway::prepare(&url, keys, &users(&["ada"]));
    for (name, content) in files {
        fs::write(folder.path().join(name), content).unwrap();
    }
    Gateway::start_in(folder)
}

/// Puts `content` into the place of a file, whole.
fn swap(gateway: &Gateway, name: &str, content: &str) {
    let new = gateway.folder().join("new");
    fs::write(&new, content).unwrap();
    fs::rename(new, gateway.folder().join(name)).unwrap();
}

fn status(gateway: &Gateway, line: &str) -> u16 {
    gateway.connect().send(&get("/api/v2/buckets", &[line])).status
}

#[test]
fn f_12_a_token_file_that_changes_counts_from_the_next_request_on() {
    let upstream = Upstream::start();
    let folder = Gateway::prepare(
        &format!("http://{}", upstream.address),
        "token_file = \"shared.token\"",
        &(users(&["ada", "bob"]) + "token_file = \"bob.token\"\n"),
    );
    fs::write(folder.path().join("shared.token"), "shared-1\n").unwrap();
    fs::write(folder.path().join("bob.token"), "bob-1\n").unwrap();
    let gateway = Gateway::start_in(folder);
    let lines = ["ada", "bob"].map(|name| cookie(&gateway.sign_in(name)));
    let credential = |line: &str| {
        upstream.seen_by_clients();
        assert_eq!(status(&gateway, line), 200);
        upstream.next().header("authorization").unwrap().to_owned()
    };
    assert_eq!(lines.each_ref().map(|line| credential(line)), ["Token shared-1", "Token bob-1"]);
    swap(&gateway, "shared.token", "shared-2");
    wait_until("the shared token is another", || credential(&lines[0]) == "Token shared-2");
    swap(&gateway, "bob.token", "bob-2");
    wait_until("bob's token is another", || credential(&lines[1]) == "Token bob-2");
    // What is none is not taken, and what is mended is.
    swap(&gateway, "shared.token", "two words\n");
    wait_until("it is told", || gateway.has_logged("shared.token: a token is visible ASCII"));
    assert!(gateway.has_logged("the old token stays in use"));
    assert_eq!(credential(&lines[0]), "Token shared-2");
    fs::remove_file(gateway.folder().join("shared.token")).unwrap();
    wait_until("it is told", || gateway.has_logged("No such file"));
    swap(&gateway, "shared.token", "shared-3");
    wait_until("the shared token is another", || credential(&lines[0]) == "Token shared-3");
    swap(&gateway, "bob.token", "bob-3");
    gateway.signal("HUP");
    wait_until("bob's token is another", || credential(&lines[1]) == "Token bob-3");
}

#[test]
fn f_12_another_ca_file_counts_from_the_next_connection_on() {
    let (old, new) = (Authority::new(), Authority::new());
    let upstream = SecureUpstream::start(&old.pair("127.0.0.1"), None);
    let gateway = start(&upstream, "ca_file = \"ca.crt\"", &[("ca.crt", old.certificate())]);
    let line = cookie(&gateway.sign_in("ada"));
    assert_eq!(status(&gateway, &line), 200);
    swap(&gateway, "ca.crt", &new.certificate());
    wait_until("the upstream is a stranger", || status(&gateway, &line) == 502);
    swap(&gateway, "ca.crt", "junk\n");
    wait_until("it is told", || gateway.has_logged("ca.crt: it is not PEM"));
    assert!(gateway.has_logged("the old certificates for the upstream stay in use"));
    swap(&gateway, "ca.crt", &(new.certificate() + &old.certificate()));
    wait_until("the upstream is known again", || status(&gateway, &line) == 200);
}

#[test]
fn f_12_another_client_certificate_counts_from_the_next_connection_on() {
    let (servers, clients) = (Authority::new(), Authority::new());
    let upstream = SecureUpstream::start(&servers.pair("127.0.0.1"), Some(&clients));
    let (wrong, right) = (servers.pair("gateway.test"), clients.pair("gateway.test"));
    let keys = "ca_file = \"ca.crt\"\nclient_certificate = \"own.crt\"\nclient_key = \"own.key\"";
    let files = [
        ("ca.crt", servers.certificate()),
        ("own.crt", wrong.certificate.clone()),
        ("own.key", wrong.key.clone()),
    ];
    let gateway = start(&upstream, keys, &files);
    let line = cookie(&gateway.sign_in("ada"));
    assert_eq!(status(&gateway, &line), 502);
    swap(&gateway, "own.crt", &right.certificate);
    wait_until("it is told", || gateway.has_logged("the key is not the certificate's"));
    assert_eq!(status(&gateway, &line), 502);
    swap(&gateway, "own.key", &right.key);
    wait_until("the gateway is known", || status(&gateway, &line) == 200);
    swap(&gateway, "own.crt", &wrong.certificate);
    swap(&gateway, "own.key", &wrong.key);
    wait_until("the gateway is a stranger", || status(&gateway, &line) == 502);
}

/// What a request through a gateway gets that trusts `authorities`, in front of `host`, which has
/// `pair`.
fn through(pair: &Pair, host: &str, authorities: &[&str]) -> (u16, String) {
    let upstream = SecureUpstream::start(pair, None);
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("ca.crt"), authorities.concat()).unwrap();
    let answer = forward_from(folder, &upstream, host, "ca_file = \"ca.crt\"");
    assert!(answer.0 == 200 || upstream.seen().is_empty(), "a stranger got a request");
    answer
}

#[test]
fn f_35_a_certificate_that_stands_in_ca_file_itself_is_trusted_for_its_names() {
    let good = || (200, "ada".to_owned());
    let (own, other) = (Authority::of_itself("127.0.0.1", LATE), Authority::new());
    let local = Authority::of_itself("localhost", LATE);
    assert_eq!(through(&own, "127.0.0.1", &[&own.certificate]), good());
    assert_eq!(through(&local, "localhost", &[&local.certificate]), good());
    // Beside others, before and behind.
    let others = [&*other.certificate(), &own.certificate, &local.certificate];
    assert_eq!(through(&own, "127.0.0.1", &others), good());
    // And those that another one has signed go on.
    assert_eq!(through(&other.pair("127.0.0.1"), "127.0.0.1", &others), good());
    // One that an authority has signed which is not there.
    let signed = other.pair("127.0.0.1");
    assert_eq!(through(&signed, "127.0.0.1", &[&signed.certificate]), good());
}

#[test]
fn f_35_names_dates_and_keys_are_still_verified() {
    let own = Authority::of_itself("127.0.0.1", LATE);
    let local = Authority::of_itself("localhost", LATE);
    let expired = Authority::of_itself("127.0.0.1", 2020);
    let twin = Authority::of_itself("127.0.0.1", LATE);
    let other = Authority::new();
    for (pair, host, authorities, what) in [
        (&own, "localhost", &[&*own.certificate][..], "another name"),
        (&local, "127.0.0.1", &[&*local.certificate], "another name"),
        (&expired, "127.0.0.1", &[&*expired.certificate], "expired"),
        (&twin, "127.0.0.1", &[&*own.certificate], "another key"),
        (&own, "127.0.0.1", &[&*other.certificate()], "not in the file"),
        (&other.pair("127.0.0.1"), "127.0.0.1", &[&*own.certificate], "signed by a stranger"),
        (
            &other.expired("127.0.0.1"),
            "127.0.0.1",
            &[&*own.certificate, &other.certificate()],
            "expired",
        ),
    ] {
        assert_eq!(through(pair, host, authorities), refused(), "{what}");
    }
}

#[test]
fn f_35_one_that_takes_the_place_of_another_is_known_by_the_changed_file() {
    let (old, new) = (Authority::new(), Authority::of_itself("127.0.0.1", LATE));
    let upstream = SecureUpstream::start(&new, None);
    let gateway = start(&upstream, "ca_file = \"ca.crt\"", &[("ca.crt", old.certificate())]);
    let line = cookie(&gateway.sign_in("ada"));
    assert_eq!(status(&gateway, &line), 502);
    swap(&gateway, "ca.crt", &(old.certificate() + &new.certificate));
    wait_until("the upstream is known", || status(&gateway, &line) == 200);
    swap(&gateway, "ca.crt", &old.certificate());
    wait_until("the upstream is a stranger", || status(&gateway, &line) == 502);
}

#[test]
fn f_37_faults_of_certificate_files_say_where_and_what() {
    let authority = Authority::new();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let good = authority.pair("127.0.0.1");
    good.write(path, "good");
    authority.pair("127.0.0.1").write(path, "other");
    let write = |name: &str, content: &[u8]| fs::write(path.join(name), content).unwrap();
    write("users.toml", users(&["ada"]).as_bytes());
    write("der.crt", good.chain()[0].as_ref());
    write("der.key", &[0x30, 0x2e, 0x02, 0x01, 0x00]);
    write("bom.crt", format!("\u{feff}{}", good.certificate).as_bytes());
    write("bom.key", format!("\u{feff}{}", good.key).as_bytes());
    let encrypted = good.key.replace("PRIVATE", "ENCRYPTED PRIVATE");
    write("encrypted.key", encrypted.as_bytes());
    let begin =
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n";
    write("old.key", format!("{begin}AAAA\n-----END RSA PRIVATE KEY-----\n").as_bytes());
    let request = good.certificate.replace("CERTIFICATE", "CERTIFICATE REQUEST");
    write("request.crt", request.as_bytes());
    fs::create_dir(path.join("folder")).unwrap();
    let swapped = "are certificate and key swapped?";
    // File and words, of a certificate and of a key.
    let certificates = [
        ("none.crt", "No such file or directory (os error 2)"),
        ("folder", "Is a directory"),
        ("der.crt", "it is DER"),
        ("bom.crt", "a byte-order mark"),
        ("good.key", swapped),
        ("request.crt", "a request for a certificate"),
    ];
    let keys = [
        ("none.key", "No such file or directory (os error 2)"),
        ("der.key", "it is DER"),
        ("bom.key", "a byte-order mark"),
        ("encrypted.key", "the key is encrypted"),
        ("old.key", "the key is encrypted"),
        ("good.crt", swapped),
        ("other.key", "the key is not the certificate's"),
    ];
    let listener = |certificate: &str, key: &str| {
        format!(
            "[[listen.https]]\naddress = \"127.0.0.1:0\"\ncertificate = \"{certificate}\"\n\
             key = \"{key}\"\n"
        )
    };
    let upstream = |lines: &str| format!("[upstream]\nurl = \"https://127.0.0.1:1\"\n{lines}\n");
    let pair = |certificate: &str, key: &str| {
        upstream(&format!("client_certificate = \"{certificate}\"\nclient_key = \"{key}\""))
    };
    let mut cases = Vec::new();
    for (file, words) in certificates {
        cases.push((listener(file, "good.key"), 3, "listen.https.certificate", file, words));
        cases.push((pair(file, "good.key"), 3, "upstream.client_certificate", file, words));
        let ca = upstream(&format!("ca_file = \"{file}\""));
        cases.push((ca, 3, "upstream.ca_file", file, words));
        let store = format!("[session]\nstore = \"rediss://h\"\nstore_ca_file = \"{file}\"\n");
        cases.push((store, 3, "session.store_ca_file", file, words));
    }
    for (file, words) in keys {
        cases.push((listener("good.crt", file), 4, "listen.https.key", file, words));
        cases.push((pair("good.crt", file), 4, "upstream.client_key", file, words));
    }
    for (config, line, key, file, words) in cases {
        write("gateway.toml", config.as_bytes());
        let (code, text) = outcome("check", path);
        assert_eq!(code, Some(78), "{config}: {text}");
        let place = format!("gateway.toml:{line}: {key}: {}: ", path.join(file).display());
        assert!(text.contains(&place) && text.contains(words), "{place} {words}: {text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }
}

/// The lines of `text`, without the folder.
fn lines_of(text: &str, folder: &Path) -> Vec<String> {
    let folder = format!("{}/", folder.display());
    text.lines().map(|line| line.replace(&folder, "")).collect()
}

#[test]
fn f_37_faults_of_all_files_are_told_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let config = "[listen]\nhttp = [\"127.0.0.1:0\"]\n\
                  [[listen.https]]\naddress = \"127.0.0.1:0\"\ncertificate = \"a.crt\"\nkey = \"a.key\"\n\
                  [upstream]\nurl = \"https://127.0.0.1:1\"\nca_file = \"ca.crt\"\n\
                  token_file = \"a.token\"\n\
                  [session]\nidle = \"soon\"\nidle = \"1m\"\n[users]\nfile = \"people.toml\"\n";
    fs::write(folder.path().join("gateway.toml"), config).unwrap();
    let none = "No such file or directory (os error 2)";
    let expected = [
        format!("gateway.toml:5: listen.https.certificate: a.crt: {none}"),
        format!("gateway.toml:6: listen.https.key: a.key: {none}"),
        format!("gateway.toml:9: upstream.ca_file: ca.crt: {none}"),
        format!("gateway.toml:10: upstream.token_file: cannot read a.token: {none}"),
        "gateway.toml:12: session.idle: \"soon\" is not a duration; write for example \"90s\" or \"10m\""
            .to_owned(),
        "gateway.toml:13: session.idle: duplicate key".to_owned(),
        format!("gateway.toml:15: users.file: people.toml: {none}"),
    ];
    for command in ["check", "run"] {
        let (code, text) = outcome(command, folder.path());
        assert_eq!(code, Some(78), "{text}");
        assert_eq!(lines_of(&text, folder.path()), expected, "{command}");
    }
    // And faults of the users file itself.
    let people = "[[user]]\nname = \"a,b\"\nname = \"c\"\n";
    fs::write(folder.path().join("people.toml"), people).unwrap();
    let (_, text) = outcome("check", folder.path());
    let lines = lines_of(&text, folder.path());
    assert_eq!(lines[..6], expected[..6]);
    assert!(lines[6].starts_with("people.toml:1: user.id: missing"), "{lines:?}");
    assert!(lines.contains(&"people.toml:3: user.name: duplicate key".to_owned()), "{lines:?}");
}

/// Clients that connect anew for each request, and one that keeps its connection, while the certificate is renewed again
/// and again, and by a pair that is none: no handshake fails, and no answer is another.
#[test]
fn t_02_a_certificate_that_is_renewed_under_load_fails_nobody() {
    /// Stops the load, whatever happens.
    struct Stop<'a>(&'a AtomicBool);
    impl Drop for Stop<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let upstream = Upstream::start();
    let secure = SecureGateway::start(upstream.address);
    let session = cookie(&secure.gateway.sign_in("ada"));
    let (done, answered, connections) =
        (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    let stranger = Authority::new().pair("127.0.0.1");
    thread::scope(|scope| {
        let stop = Stop(&done);
        for keeps in [false, false, true] {
            let (secure, session) = (&secure, &session);
            let (done, answered, connections) = (&done, &answered, &connections);
            scope.spawn(move || {
                let mut client = secure.connect();
                while !done.load(Ordering::Relaxed) {
                    if !keeps {
                        client = secure.connect();
                        connections.fetch_add(1, Ordering::Relaxed);
                    }
                    let answer = client.send(&get("/api/v2/buckets", &[session]));
                    assert_eq!((answer.status, &*answer.text()), (200, "ada"));
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let mut last = None;
        for round in 0..12 {
            let before = connections.load(Ordering::Relaxed);
            let pair = secure.authority.pair("127.0.0.1");
            if round % 3 == 2 {
                // A key that is not the certificate's.
                let odd = Pair { key: stranger.key.clone(), ..pair };
                let refused =
                    || secure.gateway.log().matches("the old certificate stays in use").count();
                let count = refused();
                odd.write(secure.gateway.folder(), "gateway");
                secure.gateway.signal("HUP");
                wait_until("it is refused", || refused() > count);
            } else {
                pair.write(secure.gateway.folder(), "gateway");
                secure.gateway.signal("HUP");
                last = Some(pair.chain()[0].to_vec());
            }
            let expected = last.clone();
            let shown = || Some(secure.connect().certificate()) == expected;
            wait_until("the certificate is shown", shown);
            wait_until("others have connected", || {
                connections.load(Ordering::Relaxed) > before + 2
            });
        }
        drop(stop);
    });
    assert!(answered.load(Ordering::Relaxed) > 36);
}

#[test]
fn operators_see_until_when_each_certificate_is_valid() {
    let authority = Authority::new();
    let upstream = SecureUpstream::start(&authority.pair("127.0.0.1"), None);
    let keys = "ca_file = \"ca.crt\"\nclient_certificate = \"own.crt\"\nclient_key = \"own.key\"\n\
                [[listen.https]]\naddress = \"127.0.0.1:0\"\ncertificate = \"gateway.crt\"\n\
                key = \"gateway.key\"\n[admin]\nlisten = \"127.0.0.1:0\"\n";
    let (own, listener) =
        (Authority::of_itself("gw", LATE), Authority::of_itself("127.0.0.1", LATE + 1));
    let files = [
        ("ca.crt", authority.certificate()),
        ("own.crt", own.certificate),
        ("own.key", own.key),
        ("gateway.crt", listener.certificate),
        ("gateway.key", listener.key),
    ];
    let gateway = start(&upstream, keys, &files);
    let (https, admin) = (gateway.next_https(), gateway.next_admin());
    let status = || {
        let request = get("/status", &[]).replace("gateway.test", "127.0.0.1");
        Client::connect(admin.parse().unwrap()).send(&request).json()["certificates"].clone()
    };
    let file = |name: &str| gateway.folder().join(name).display().to_string();
    let expected = |own: i32| {
        serde_json::json!([
            {
                "shown_to": "clients", "listener": https.to_string(), "file": file("gateway.crt"),
                "not_after": format!("{}-01-01T00:00:00.000Z", LATE + 1),
            },
            {
                "shown_to": "upstream", "listener": null, "file": file("own.crt"),
                "not_after": format!("{own}-01-01T00:00:00.000Z"),
            },
        ])
    };
    assert_eq!(status(), expected(LATE));
    let config = gateway.folder().join("gateway.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(
        &config,
        text.replace(
            "[admin]\nlisten = \"127.0.0.1:0\"",
            &format!("[admin]\nlisten = \"{admin}\""),
        ),
    )
    .unwrap();
    let output = program().args(["status", "--config"]).arg(&config).output().unwrap();
    let table = String::from_utf8(output.stdout).unwrap();
    for line in [
        format!(
            "tls       to clients at {https}: {}, valid until {}-01-01T",
            file("gateway.crt"),
            LATE + 1
        ),
        format!("tls       to the upstream: {}, valid until {LATE}-01-01T", file("own.crt")),
    ] {
        assert!(table.contains(&line), "{line}: {table}");
    }
    let renewed = Authority::of_itself("gw", LATE + 2);
    swap(&gateway, "own.crt", &renewed.certificate);
    swap(&gateway, "own.key", &renewed.key);
    wait_until("the renewed one is shown", || status() == expected(LATE + 2));
}
