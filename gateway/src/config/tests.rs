//! The configuration: defaults, and faults.

use super::*;
use crate::api::route::Ui;
use crate::toml_reader::tests::BARE;
use std::time::Duration;

fn parse(text: &str) -> Result<Config, Vec<String>> {
    Config::parse("gateway.toml", text, Path::new("conf"), BARE)
        .map_err(|refused| refused.faults.iter().map(Diagnostic::to_string).collect())
}

fn check(text: &str, expected: &[&str]) {
    assert_eq!(parse(text).err().unwrap_or_default(), expected, "{text}");
}

#[test]
fn an_empty_configuration_has_every_default() {
    let config = parse("").ok().unwrap();
    assert_eq!(config.listen.http, ["127.0.0.1:8086".parse().unwrap()]);
    assert_eq!(config.upstream.authority, "127.0.0.1:8087");
    assert!(!config.upstream.tls);
    assert_eq!(config.lifetime.idle, Duration::from_secs(600));
    assert_eq!(config.lifetime.absolute, None);
    assert_eq!((config.capacity.total, config.capacity.per_user), (1_000_000, 256));
    assert_eq!(config.identity.headers.name, "x-forwarded-user");
    assert_eq!(config.forwarding.public, ["/health", "/ping", "/ready"]);
    assert!(config.server.threads > 0);
}

#[test]
fn faults_are_told_all_at_once_in_the_order_of_the_lines() {
    check(
        "[listen]\nhttp = [\"localhost:8086\"]\n[upstream]\nurl = \"ftp://x\"\n\
         [session]\nidle = \"10x\"\nmax_sessions = 0\nstore = \"disk\"\nttl = 1\n\
         [cookie]\nname = \"a b\"\n[identity]\nheader = \"Cookie\"\n\
         [forward]\npublic = [\"/api/v2/setup\", \"health\"]\n[server]\nthread = 1\n",
        &[
            "gateway.toml:2: listen.http: \"localhost:8086\" is not an IP address and port; \
             write for example \"127.0.0.1:8086\" or \"[::]:8086\"",
            "gateway.toml:4: upstream.url: not a URL of an upstream; write for example \
             \"http://127.0.0.1:8087\" or \"https://influxdb.example.com\", without path, \
             query or user",
            "gateway.toml:6: session.idle: \"10x\" is not a duration; write for example \
             \"90s\" or \"10m\"",
            "gateway.toml:7: session.max_sessions: expected a whole number of at least 1, found 0",
            "gateway.toml:8: session.store: expected \"memory\" or the URL of a Redis; write for \
             example \"redis://127.0.0.1:6379\", \
             \"rediss://user:${PASSWORD}@redis.example.com/0\" or \
             \"redis+sentinel://sentinel1:26379,sentinel2:26379/mymaster\"",
            "gateway.toml:9: session.ttl: unknown key; known here: idle, lifetime, \
             max_sessions, max_sessions_per_user, store, store_ca_file, store_prefix, \
             store_timeout, touch_interval, near_cache, store_key",
            "gateway.toml:11: cookie.name: not a cookie name: letters, digits and \
             !#$%&'*+-.^_`|~ are allowed",
            "gateway.toml:13: identity.header: Cookie means something else already; write \
             for example \"X-Forwarded-User\"",
            "gateway.toml:15: forward.public: \"/api/v2/setup\" is part of the API, which \
             needs a session",
            "gateway.toml:15: forward.public: \"health\" is not a plain path such as \
             \"/health\"",
            "gateway.toml:17: server.thread: unknown key; known here: drain_delay, grace, upgrade_socket, threads, \
             work_stealing, listener_tasks_per_fd, daemon, error_log, pid_file, user, group, \
             working_directory, \
             upstream_keepalive_pool_size, max_retries, max_blocking_threads, \
             client_bind_to_ipv4",
        ],
    );
}

#[test]
fn sessions_of_influxdbs_users_in_redis_may_have_a_key() {
    let redis = "[users]\nsource = \"influxdb\"\n[session]\nstore = \"redis://h\"\n";
    check(redis, &[]);
    let key = format!("store_key = \"{}=\"\n", "A".repeat(43));
    check(&format!("{redis}{key}"), &[]);
    check(&redis.replace("influxdb", "file"), &[]);
    check(
        &format!("{redis}store_key = \"a secret\"\n"),
        &["gateway.toml:5: session.store_key: expected 32 bytes in base64, the same at every \
           gateway; write for example \"${STORE_KEY}\", and set that to what `openssl rand \
           -base64 32` prints"],
    );
}

#[test]
fn tracing_is_off_until_there_is_a_collector() {
    let tracing = |text: &str| parse(text).ok().unwrap().tracing;
    assert!(tracing("").is_none() && tracing("[tracing]\nratio = 0.5\n").is_none());
    let endpoint = "[tracing]\nendpoint = \"http://127.0.0.1:4318/v1/traces\"\n";
    let plain = tracing(endpoint).unwrap();
    assert_eq!((plain.queue, plain.timeout.as_secs()), (2048, 10));
    for (line, ratio) in [("", "1"), ("ratio = 0.25\n", "0.25"), ("ratio = 0\n", "0")] {
        assert_eq!(tracing(&format!("{endpoint}{line}")).unwrap().ratio.to_string(), ratio);
    }
    check(
        "[tracing]\nendpoint = \"http://u:pw@h/v1/traces\"\nratio = 1.5\nqueue = 0\ntimeout = 1\nheaders = \"\"\n",
        &[
            "gateway.toml:2: tracing.endpoint: not a URL of a collector; write for example \
             \"http://127.0.0.1:4318/v1/traces\", with a path, without query or user",
            "gateway.toml:3: tracing.ratio: expected a number from 0.0 to 1.0, found 1.5",
            "gateway.toml:4: tracing.queue: expected a whole number of at least 1, found 0",
            "gateway.toml:5: tracing.timeout: expected a string, found an integer",
            "gateway.toml:6: tracing.headers: unknown key; known here: endpoint, ratio, timeout, queue",
        ],
    );
    for wrong in ["-0.1", "nan", "inf", "\"1.0\"", "true"] {
        let fault = parse(&format!("{endpoint}ratio = {wrong}\n")).err().unwrap();
        assert!(fault[0].contains("tracing.ratio: expected a number from 0.0 to 1.0"), "{fault:?}");
    }
}

#[test]
fn pages_by_session_need_a_cookie_that_is_sent_with_them() {
    let cookie = "[cookie]\npath = \"/\"\nsame_site = \"lax\"\n";
    let session = "[forward]\nui = \"session\"\n";
    let ui = |text: &str| parse(text).ok().unwrap().forwarding.ui;
    assert_eq!(ui(""), Ui::Closed);
    assert_eq!(ui("[forward]\nui = true\n"), Ui::Everybody);
    assert_eq!(ui(&format!("{cookie}{session}")), Ui::Sessions { is_apart: false });
    let apart = format!("{cookie}{session}[ui]\nurl = \"http://explorer:8080\"\n");
    assert_eq!(ui(&apart), Ui::Sessions { is_apart: true });
    let server = parse(&apart).ok().unwrap().ui.unwrap();
    assert_eq!((server.authority.as_str(), server.tls), ("explorer:8080", false));
    check(
        session,
        &[
            "gateway.toml:2: forward.ui: \"session\" needs cookie.path = \"/\", for browsers to \
             send the session with pages; it is \"/api/\"",
            "gateway.toml:2: forward.ui: \"session\" needs cookie.same_site = \"lax\", for browsers \
             to send the session when a link of another site leads to a page, and for nothing else \
             that another site wants",
        ],
    );
    check(
        "[forward]\nui = \"sessions\"\n[ui]\nurl = \"http://explorer\"\nca_file = \"ca.pem\"\n",
        &[
            "gateway.toml:2: forward.ui: expected true, false or \"session\", found \"sessions\"",
            "gateway.toml:4: ui.url: is for pages with a session, which forward.ui = \"session\" \
             opens: set it, or remove this",
            "gateway.toml:5: ui.ca_file: needs a url that begins with https://",
        ],
    );
    check(
        &format!("{cookie}{session}[ui]\nurl = \"explorer\"\n"),
        &["gateway.toml:7: ui.url: not a URL of an upstream; write for example \
           \"http://127.0.0.1:8087\" or \"https://influxdb.example.com\", without path, \
           query or user"],
    );
}

#[test]
fn an_unreadable_token_is_a_fault() {
    check(
        "[upstream]\ntoken_file = \"influxdb.token\"\n",
        &["gateway.toml:2: upstream.token_file: no such file"],
    );
}

#[test]
fn the_grace_period_has_a_former_name() {
    let grace = |text: &str| parse(text).ok().unwrap().stop.grace.as_secs();
    assert_eq!(grace("[server]\ngrace = \"7s\"\n"), 7);
    assert_eq!(
        grace("[server]\ngrace_period_seconds = 8\ngraceful_shutdown_timeout_seconds = 1\n"),
        8
    );
    check(
        "[server]\ngrace = \"7s\"\ngrace_period_seconds = 7\n",
        &["gateway.toml:3: server.grace_period_seconds: is grace by its former name: remove it"],
    );
}

const SHIPPED: &str = include_str!("../../../conf/gateway.toml");

#[test]
fn the_shipped_file_holds_every_default() {
    let describe = |config: Config| {
        let upstream = &config.upstream;
        format!(
            "{:?} {} {} {} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?}",
            config.listen,
            upstream.authority,
            upstream.tls,
            upstream.token.is_some(),
            config.lifetime,
            config.capacity,
            config.store,
            config.cookie,
            config.users,
            config.identity,
            config.forwarding,
            config.limits,
            config.stop,
            config.server,
        )
    };
    let shipped = parse(SHIPPED).unwrap_or_else(|faults| panic!("{faults:?}"));
    assert_eq!(describe(shipped), describe(parse("").ok().unwrap()));
}

#[test]
fn the_shipped_file_holds_every_key() {
    let tables = "listen upstream session cookie users identity forward ui limits server tracing signin audit log \
                  metrics admin page";
    for table in tables.split(' ') {
        let faults = parse(&format!("[{table}]\nunheard = 1\n")).err().unwrap();
        let (_, known) = faults[0].split_once("known here: ").unwrap();
        let (_, rest) = SHIPPED.split_once(&format!("[{table}]")).unwrap();
        let of_section = rest.split("\n[").next().unwrap();
        let known: Vec<_> = known.split(", ").collect();
        for (number, key) in known.iter().enumerate() {
            assert!(!known[..number].contains(key), "{table}.{key} is told of twice");
            if *key == "https" {
                assert!(of_section.contains("[[listen.https]]"));
                continue;
            }
            let is_key =
                |line: &str| line.trim_start_matches("# ").starts_with(&format!("{key} = "));
            assert!(of_section.lines().any(is_key), "{table}.{key}");
        }
    }
}

proptest::proptest! {
    /// The shipped file with a line changed: read, or refused with faults that name the file,
    /// a line that there is, and no value that could be a secret.
    #[test]
    fn a_changed_line_is_read_or_refused(
        line in 0_usize..80,
        text in "(# )?[a-z_]{1,12} ?=? ?(\"[^\"\n]{0,12}\"|[0-9]{0,30}|true|\\[\\]|\\[\"x\"\\]|\\{)?|\\[{1,2}[a-z.]{0,8}\\]{0,2}|.{0,20}",
    ) {
        let mut lines: Vec<_> = SHIPPED.lines().collect();
        let line = line.min(lines.len() - 1);
        lines[line] = &text;
        if let Err(refused) =
            Config::parse("gateway.toml", &lines.join("\n"), Path::new("conf"), BARE)
        {
            proptest::prop_assert!(!refused.faults.is_empty());
            for fault in refused.faults {
                proptest::prop_assert_eq!(&fault.file, "gateway.toml");
                proptest::prop_assert!(fault.line.is_none_or(|line| line <= lines.len() + 1));
                proptest::prop_assert!(!fault.what.is_empty());
            }
        }
    }
}
