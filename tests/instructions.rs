use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::*;

/// What is counted, each with all that it calls: a name for people, and the function. An `async`
/// function works in its `{{closure}}`.
const COUNTED: [(&str, &str); 14] = [
    ("request", "influx_gateway::net::server::Front<P,W>::serve::{{closure}}"),
    ("read-head", "influx_gateway::net::http1::framer::Framer::next"),
    ("request-id", "influx_gateway::gateway::request_id::RequestId::of"),
    ("client-info", "influx_gateway::gateway::client_info::TrustedProxies::client_info"),
    ("decide", "influx_gateway::gateway::Gateway::decide::{{closure}}"),
    ("decide.path", "influx_gateway::api::path::check"),
    ("decide.route", "influx_gateway::api::route::Route::of"),
    ("decide.cookie", "influx_gateway::api::cookie::CookieRules::token"),
    ("decide.digest", "influx_gateway::session::token::SessionToken::id"),
    ("decide.session", "influx_gateway::session::memory::MemoryStore::touch"),
    ("rewrite-request", "influx_gateway::proxy::upstream_rewrite::UpstreamRewrite::apply"),
    ("rewrite-cookies", "influx_gateway::proxy::upstream_rewrite::remove_cookies"),
    ("rewrite-answer", "influx_gateway::proxy::upstream_rewrite::UpstreamRewrite::clear"),
    ("log", "influx_gateway::gateway::access_log::Entry::log"),
];

/// The whole without its line in the access log, under this name: the others are of a gateway as it is
/// shipped, which writes one.
const WITHOUT_LOG: &str = "request-without-log";

/// How often memory is taken is counted too, under this name.
const ALLOCATIONS: &str = "allocations";

/// By what memory is taken.
const ALLOCATING: [&str; 3] =
    ["__rustc::__rust_alloc", "__rustc::__rust_alloc_zeroed", "__rustc::__rust_realloc"];

/// Two runs of so many requests: their difference is free of the start, of the sign-in and of
/// whatever is done once.
const REQUESTS: [u64; 2] = [50, 150];

/// How much of a count may be gained, or with other tools differ, in percent.
const TOLERANCE: u64 = 5;

/// So many instructions more are never a fault: they come and go with the state of the heap.
const NOISE: u64 = 1000;

/// The counts that are compared with.
const KEPT: &str = "gateway/benches/instructions.txt";

const HEAD: &str = "\
# Instructions of one forwarded request with a session, development build, by callgrind; and how often
# it takes memory. All with the log as it is shipped, but for `request-without-log`.
# Compared with by tests/instructions.rs; written by `make instructions`.
";

/// Instructions of one request, with the tools that they were counted with.
#[derive(Debug, PartialEq, Eq)]
struct Counts {
    tools: String,
    /// By the names in [`COUNTED`], [`WITHOUT_LOG`] and [`ALLOCATIONS`].
    of: BTreeMap<String, u64>,
}

impl Counts {
    fn parse(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let mut words = lines.filter_map(|line| line.split_once(" = "));
        let (_, tools) = words.next().expect("the first line names the tools");
        let of = words.map(|(name, count)| (name.to_owned(), count.parse().unwrap())).collect();
        Self { tools: tools.to_owned(), of }
    }

    fn text(&self) -> String {
        let mut text = format!("{HEAD}tools = {}\n", self.tools);
        for name in names() {
            writeln!(text, "{name} = {}", self.of[name]).unwrap();
        }
        text
    }

    /// What is wrong with these counts, measured by those `kept`; nothing if it is empty.
    ///
    /// Other tools count differently. As long as the difference is small, the counts still guard;
    /// otherwise, in either direction, they do not.
    fn faults(&self, kept: &Self) -> String {
        let mut faults = String::new();
        for (name, &now) in &self.of {
            let Some(&before) = kept.of.get(name) else {
                writeln!(faults, "{name}: nothing to compare with").unwrap();
                continue;
            };
            let noise = if name == ALLOCATIONS { 0 } else { NOISE };
            let tolerated = noise.max(before * TOLERANCE / 100);
            let has_lost = now + tolerated < before;
            if now > before + tolerated || (has_lost && self.tools != kept.tools) {
                writeln!(faults, "{name}: {before} before, {now} now").unwrap();
            }
        }
        faults
    }
}

/// Of all that is counted, in the order of the file.
fn names() -> impl Iterator<Item = &'static str> {
    let [request, parts @ ..] = COUNTED.map(|(name, _)| name);
    [request, WITHOUT_LOG].into_iter().chain(parts).chain([ALLOCATIONS])
}

/// What counts differ by from one machine to another.
fn tools() -> String {
    let said = |program: &str, argument: &str| {
        let output = Command::new(program).arg(argument).output();
        let output = output.unwrap_or_else(|error| panic!("{program}: {error}; `make test-tools`"));
        String::from_utf8(output.stdout).unwrap().lines().next().unwrap_or_default().to_owned()
    };
    let compiler = said("rustc", "--version");
    let library = said("getconf", "GNU_LIBC_VERSION");
    format!("{compiler}, {}, {library}, {}", said("valgrind", "--version"), std::env::consts::ARCH)
}

/// Runs the program, with these further tables of its configuration, for so many requests of a signed-in
/// browser; returns the instructions of each function, with all that it calls, and the [`ALLOCATIONS`].
fn run(requests: u64, tables: &str) -> HashMap<String, u64> {
    run_by(requests, tables, |gateway, _token| {
        format!("Cookie: theme=dark; {}; lang=en", gateway.sign_in("ada"))
    })
}

/// The same for requests with the header that `credential` says, to which a gateway token of the user is given.
fn run_by(
    requests: u64,
    tables: &str,
    credential: impl FnOnce(&Gateway, &str) -> String,
) -> HashMap<String, u64> {
    let upstream = Upstream::behaving(|_, stream| answer(stream, "204 No Content", ""));
    let config = format!("token_file = \"shared.token\"\n[server]\nthreads = 1\n{tables}");
    let prepared =
        Gateway::prepare(&format!("http://{}", upstream.address), &config, &users(&["ada"]));
    std::fs::write(prepared.path().join("shared.token"), "s".repeat(88)).unwrap();
    let token = crate::gateway_tokens::add(prepared.path(), &["ada"]);
    let drive = |gateway: &Gateway| {
        let credential = credential(gateway, &token);
        let headers = [
            "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
            "Accept: application/json",
            "Accept-Language: en-US,en;q=0.5",
            "Accept-Encoding: gzip, deflate",
            "Referer: http://gateway.test/orgs/1/data-explorer",
            &credential,
        ];
        let request = get("/api/v2/buckets?org=demo&limit=20", &headers);
        let mut client = gateway.connect();
        for _ in 0..requests {
            assert_eq!(client.send(&request).status, 204);
        }
    };
    let (folder, out) = under_callgrind(prepared, &[], drive);
    let costs = costs(&out);
    drop(folder);
    costs
}

/// Runs the program with the `gateway.toml` in `prepared` for as long as `work` takes; returns the
/// instructions from each call of `function` to the next, or to the end: those of each function, with
/// all that it calls.
pub(crate) fn between_calls_of(
    function: &str,
    prepared: tempfile::TempDir,
    work: impl FnOnce(&Gateway),
) -> Vec<HashMap<String, u64>> {
    let dump = format!("--dump-before={function}");
    let (folder, out) = under_callgrind(prepared, &[&dump], work);
    // What came before the first call is in the first file, what came after the last in the one
    // without a number.
    let numbered = (2..).map(|number| folder.path().join(format!("out.{number}")));
    let files = numbered.take_while(|path| path.exists()).chain([out]);
    files.map(|path| costs(&path)).collect()
}

/// Runs the program, counted; returns where the counts are.
fn under_callgrind(
    prepared: tempfile::TempDir,
    options: &[&str],
    work: impl FnOnce(&Gateway),
) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let mut command = Command::new("env");
    // What is logged by default; and no certificates, which take longer to read than the requests.
    command.args(["RUST_LOG=info", "SSL_CERT_FILE=/dev/null"]);
    command.args(["valgrind", "--tool=callgrind", "--quiet"]).args(options);
    command.arg(format!("--callgrind-out-file={}", out.display())).arg(program().get_program());
    let gateway = Gateway::start_by(command, prepared);
    work(&gateway);
    gateway.stop();
    (folder, out)
}

/// Reads what callgrind has written: a call is `cfn=(number) function`, the function's name left
/// out after the first time, `calls=` how often, and a line whose second word is the cost of it.
fn costs(out: &Path) -> HashMap<String, u64> {
    let text = std::fs::read_to_string(out).unwrap();
    let (mut names, mut costs) = (HashMap::new(), HashMap::<_, u64>::new());
    let (mut called, mut is_call, mut allocations) = ("", false, 0);
    for line in text.lines() {
        if let Some(function) = line.strip_prefix("fn=").or_else(|| line.strip_prefix("cfn=")) {
            let (number, name) = function.split_once(')').unwrap();
            if !name.is_empty() {
                names.insert(number, name.trim());
            }
            called = number;
        } else if let Some(calls) = line.strip_prefix("calls=") {
            is_call = true;
            if ALLOCATING.contains(&names[called]) {
                allocations += calls.split(' ').next().unwrap().parse::<u64>().unwrap();
            }
        } else if is_call {
            let cost = line.split(' ').nth(1).unwrap();
            *costs.entry(called).or_default() += cost.parse::<u64>().unwrap();
            is_call = false;
        }
    }
    let costs = costs.into_iter().map(|(number, cost)| (names[number].to_owned(), cost));
    costs.chain([(ALLOCATIONS.to_owned(), allocations)]).collect()
}

#[test]
fn a_forwarded_request_takes_no_more_instructions_than_it_did() {
    let (shipped, silent) = std::thread::scope(|scope| {
        let runs = |tables| REQUESTS.map(|requests| scope.spawn(move || run(requests, tables)));
        let [shipped, silent] = ["", "[log]\naccess = false\n"].map(runs);
        (shipped.map(|run| run.join().unwrap()), silent.map(|run| run.join().unwrap()))
    });
    let count = |[few, many]: &[HashMap<String, u64>; 2], name: &str, function: &str| {
        let of = |run: &HashMap<String, u64>| run.get(function).copied().unwrap_or_default();
        let count = (of(many) - of(few)) / (REQUESTS[1] - REQUESTS[0]);
        assert!(count > 0, "{name}: no request calls {function} any more; what takes its place?");
        (name.to_owned(), count)
    };
    let counted = COUNTED.into_iter().chain([(ALLOCATIONS, ALLOCATIONS)]);
    let mut of: BTreeMap<_, _> =
        counted.map(|(name, function)| count(&shipped, name, function)).collect();
    let (_, request) = COUNTED[0];
    of.extend([count(&silent, WITHOUT_LOG, request)]);
    let now = Counts { tools: tools(), of };
    // Where `make instructions` takes it from.
    std::fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join("instructions.txt"), now.text())
        .unwrap();

    let kept = Counts::parse(&std::fs::read_to_string(repository().join(KEPT)).unwrap());
    let faults = now.faults(&kept);
    assert!(
        faults.is_empty(),
        "the path of a request does not take as many instructions as {KEPT} says:\n{faults}\
         counted there with: {}\ncounted here with:  {}\n\
         If the tools are to blame, or what was gained is worth it: `make instructions`.",
        kept.tools,
        now.tools
    );
}

#[test]
fn a_gateway_token_costs_no_more_than_a_session() {
    let (_, request) = COUNTED[0];
    let count = |credential: fn(&Gateway, &str) -> String| {
        let [few, many] = REQUESTS.map(|requests| run_by(requests, "", credential)[request]);
        (many - few) / (REQUESTS[1] - REQUESTS[0])
    };
    let session = count(|gateway, _token| format!("Cookie: {}", gateway.sign_in("ada")));
    let token = count(|_gateway, token| format!("Authorization: Bearer {token}"));
    assert!(token * 100 <= session * 105, "{token} instructions, and {session} with a session");
    // It is one that is looked at.
    assert!(token * 100 >= session * 70, "{token} instructions, and {session} with a session");
}

#[test]
fn what_is_gained_is_found_and_what_is_kept_can_be_read() {
    let counts = |tools: &str, count: u64| Counts {
        tools: tools.to_owned(),
        of: names().map(|name| (name.to_owned(), count)).collect(),
    };
    let kept = counts("a, b 1", 100_000);
    assert_eq!(Counts::parse(&kept.text()), kept);
    for (tools, count, fine) in [
        ("a, b 1", 105_000, true),
        ("a, b 1", 105_001, false),
        ("a, b 1", 50_000, true),
        ("a, b 2", 105_000, true),
        ("a, b 2", 105_001, false),
        ("a, b 2", 94_999, false),
    ] {
        assert_eq!(counts(tools, count).faults(&kept).is_empty(), fine, "{tools} {count}");
    }
    let faults = counts("a, b 1", 120).faults(&counts("a, b 1", 100));
    assert_eq!(faults, "allocations: 100 before, 120 now\n", "the rest is noise");
}
