//! gRPC for InfluxDB 3: Arrow's own Flight server behind the gateway, and real clients before it.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::flight_server::FlightServer;
use crate::frames::{Connection, SETTINGS, head};
use crate::gateway_tokens;
use crate::programs::python;
use crate::secure::{Authority, SecureGateway};
use crate::support::*;

/// `ada` has a token of her own upstream, `rita` reads only.
fn list() -> String {
    users(&["ada", "bob", "rita", "carl"])
        .replace("name = \"ada\"", "token = \"of-ada\"\nname = \"ada\"")
        .replace("name = \"rita\"", "access = \"read\"\nname = \"rita\"")
}

/// A gateway before `upstream`, and a token of each of these users.
fn start<const N: usize>(
    upstream: SocketAddr,
    tables: &str,
    names: [&str; N],
) -> (Gateway, [String; N]) {
    let config =
        format!("kind = \"influxdb3\"\ngrpc = true\ntoken_file = \"shared.token\"\n{tables}");
    let folder = Gateway::prepare(&format!("http://{upstream}"), &config, &list());
    fs::write(folder.path().join("shared.token"), "shared").unwrap();
    let tokens = names.map(|name| gateway_tokens::add(folder.path(), &[name]));
    (Gateway::start_in(folder), tokens)
}

fn flight(gateway: SocketAddr, token: &str, arguments: &[&str]) -> Command {
    let mut command = python("flight.py");
    command.args(arguments);
    command.env("GATEWAY", format!("grpc://{gateway}")).env("TOKEN", token);
    command
}

/// What pyarrow's client says.
fn says(mut client: Command) -> String {
    let output = client.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    text.trim_end().to_owned()
}

/// What it says of a call that is refused: the kind of error.
fn refused(client: Command) -> String {
    says(client).split(' ').next().unwrap().to_owned()
}

const OFFICIAL: &str = "rows 200000 199999\nchunks 10000\nerror True";

#[test]
fn the_official_client_queries_with_nothing_but_a_gateway_token() {
    let server = FlightServer::start(&[]);
    let (gateway, [token]) = start(server.address, "", ["ada"]);
    let mut client = python("influxdb3.py");
    client.env("GATEWAY_URL", format!("http://{}", gateway.address)).env("TOKEN", &token);
    assert_eq!(says(client), OFFICIAL);
    for _ in 0..3 {
        let seen = server.next();
        assert_eq!(seen["method"], "DO_GET");
        let headers = &seen["headers"];
        assert_eq!(headers["authorization"], json!(["Bearer of-ada"]), "{seen}");
        assert_eq!(headers["x-forwarded-user"], json!(["ada"]));
        assert!(!seen.to_string().contains("igw_"), "{seen}");
    }
    let mark = &gateway_tokens::fingerprint(gateway.folder(), "ada");
    wait_until("the calls are logged", || gateway.log().matches("grpc_status=").count() == 3);
    let log = gateway.stop();
    let line = format!(
        "user=ada session=- token={mark} method=POST path=/arrow.flight.protocol.FlightService/DoGet status=200 grpc_status="
    );
    assert_eq!(log.matches(&format!("{line}0 ")).count(), 2, "{log}");
    assert_eq!(log.matches(&line).count(), 3, "{log}");
    assert!(!log.contains(&token[4..]), "the token is in the log");
}

#[test]
fn the_official_client_queries_over_tls_on_both_sides() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    for name in ["gateway", "flight"] {
        authority.pair("127.0.0.1").write(folder.path(), name);
    }
    let [certificate, key] = ["flight.crt", "flight.key"].map(|name| folder.path().join(name));
    let server = FlightServer::start(&[&certificate, &key]);
    let ca = folder.path().join("ca.pem");
    fs::write(&ca, authority.certificate()).unwrap();
    let config = format!(
        "[listen]\nhttp = [\"127.0.0.1:0\"]\n[[listen.https]]\naddress = \"127.0.0.1:0\"\n\
         certificate = \"gateway.crt\"\nkey = \"gateway.key\"\n[upstream]\nurl = \"https://{}\"\n\
         kind = \"influxdb3\"\ngrpc = true\nca_file = \"ca.pem\"\n[limits]\n\
         upstream_ping = \"100ms\"\n[server]\ndrain_delay = \"0s\"\n",
        server.address
    );
    fs::write(folder.path().join("gateway.toml"), config).unwrap();
    fs::write(folder.path().join("users.toml"), list()).unwrap();
    let token = gateway_tokens::add(folder.path(), &["ada"]);
    let gateway = Gateway::start_in(folder);
    let https = gateway.next_https();
    let mut client = python("influxdb3.py");
    client.env("GATEWAY_URL", format!("https://{https}")).env("TOKEN", &token).env("CA", &ca);
    assert_eq!(says(client), OFFICIAL);
    assert_eq!(server.next()["headers"]["x-forwarded-proto"], json!(["https"]));
    assert_eq!(says(flight(gateway.address, &token, &["get", "wait 1.5"])), "1");
}

#[test]
fn every_method_streams_both_ways_for_whoever_may() {
    let server = FlightServer::start(&[]);
    let (gateway, [of_ada, of_rita]) = start(server.address, "", ["ada", "rita"]);
    for (arguments, expected) in [
        (&["get", "rows 100000"][..], "100000"),
        (&["put", "3"], "3"),
        (&["exchange", "50"], "50"),
        (&["action"], "done: act"),
        (&["lists"], "['act'] [7] 7 ['n', 'text']"),
    ] {
        assert_eq!(says(flight(gateway.address, &of_ada, arguments)), expected, "{arguments:?}");
    }
    // By hand, and as the other scheme.
    assert_eq!(says(flight(gateway.address, &format!("Token {of_ada}"), &["get", "rows 1"])), "1");
    for (arguments, expected) in
        [(&["get", "rows 1"][..], "1"), (&["lists"], "['act'] [7] 7 ['n', 'text']")]
    {
        assert_eq!(says(flight(gateway.address, &of_rita, arguments)), expected, "{arguments:?}");
    }
    let asked = server.said.try_iter().count();
    for command in ["put", "exchange", "action"] {
        let client = flight(gateway.address, &of_rita, &[command, "1"]);
        assert_eq!(refused(client), "FlightUnauthorizedError", "{command}");
    }
    assert!(asked > 10 && server.saw_nothing());
}

#[test]
fn a_session_makes_calls_too() {
    let server = FlightServer::start(&[]);
    let (gateway, []) = start(server.address, "", []);
    let session = gateway.sign_in("ada");
    let mut client = flight(gateway.address, "", &["get", "rows 100"]);
    client.env("METADATA", json!([["cookie", session]]).to_string());
    assert_eq!(says(client), "100");
    let mut client = python("grpc_session.py");
    client.env("GATEWAY", gateway.address.to_string()).env("COOKIE", &session);
    let refused = "UNAUTHENTICATED unauthorized access";
    assert_eq!(says(client), format!("2\n{refused}\n{refused}"));
    for _ in 0..2 {
        let seen = server.next();
        assert_eq!(seen["headers"]["x-forwarded-user"], json!(["ada"]), "{seen}");
        assert_eq!(seen["headers"].get("cookie"), None, "{seen}");
    }
    assert!(server.saw_nothing());
}

#[test]
fn an_error_and_its_words_come_through() {
    let server = FlightServer::start(&[]);
    let (gateway, [token]) = start(server.address, "", ["ada"]);
    let told = says(flight(gateway.address, &token, &["get", "fail"]));
    assert!(told.contains("no such table: 50 % of ü"), "{told}");
}

/// A call as raw frames, and what it is answered with: status, `grpc-status`.
fn call(connection: &mut Connection, path: &str, fields: &[(&str, &str)]) -> (u16, String) {
    let fields = [&head("POST", path)[..], &[("te", "trailers")], fields].concat();
    let stream = connection.send(&fields, Some(&[0; 5]));
    let answer = connection.finish(stream).answer();
    let status = answer.header("grpc-status").unwrap_or("-").to_owned();
    if status != "-" {
        assert_eq!(answer.header("content-type"), Some("application/grpc"), "{answer:?}");
        assert!(!answer.header("grpc-message").unwrap().is_empty() && answer.body.is_empty());
        assert!(answer.header("x-request-id").is_some());
    }
    (answer.status, status)
}

const DO_GET: &str = "/arrow.flight.protocol.FlightService/DoGet";
const GRPC: (&str, &str) = ("content-type", "application/grpc");

/// The same as [`start`], for HTTPS.
fn start_secure<const N: usize>(
    upstream: SocketAddr,
    tables: &str,
    names: [&str; N],
) -> (SecureGateway, [String; N]) {
    let folder = Gateway::prepare("http://127.0.0.1:1", "", &list());
    let tokens = names.map(|name| gateway_tokens::add(folder.path(), &[name]));
    let users = fs::read_to_string(folder.path().join("users.toml")).unwrap();
    let config =
        format!("kind = \"influxdb3\"\ngrpc = true\n{tables}\n[server]\ndrain_delay = \"0s\"\n");
    (SecureGateway::start_for(upstream, "", &config, &users), tokens)
}

#[test]
fn refusals_are_grpcs_own() {
    let server = FlightServer::start(&[]);
    let tables = "[users]\ntokens = \"deny\"\n[signin]\nfailures = 5\n";
    let (secure, [of_ada, of_rita]) = start_secure(server.address, tables, ["ada", "rita"]);
    let session = secure.gateway.sign_in("bob");
    let mut connection = Connection::open(&secure, &[]);
    let (of_ada, of_rita) = (format!("Bearer {of_ada}"), format!("Bearer {of_rita}"));
    let unknown = format!("Bearer igw_{}", "A".repeat(43));
    let basic = basic("any", of_ada.split(' ').nth(1).unwrap());
    let basic = basic.trim_start_matches("Authorization: ");
    let plain = ("content-type", "application/json");
    let flight = |method: &str| format!("/arrow.flight.protocol.FlightService/{method}");
    for (path, fields, expected) in [
        (DO_GET, &[GRPC][..], (200, "16")),
        (DO_GET, &[GRPC, ("authorization", "Bearer of-ada")], (200, "16")),
        (DO_GET, &[GRPC, ("authorization", basic)], (200, "16")),
        (DO_GET, &[GRPC, ("authorization", basic), ("cookie", &session)], (200, "16")),
        (DO_GET, &[GRPC, ("authorization", &unknown), ("cookie", &session)], (200, "16")),
        (&flight("DoPut"), &[GRPC, ("authorization", &of_rita)], (200, "7")),
        (&flight("PollFlightInfo"), &[GRPC, ("authorization", &of_ada)], (200, "12")),
        (&flight("doget"), &[GRPC, ("authorization", &of_ada)], (200, "12")),
        (&flight("DoGet/"), &[GRPC, ("authorization", &of_ada)], (200, "12")),
        ("/grpc.health.v1.Health/Check", &[GRPC], (200, "12")),
        ("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", &[GRPC], (200, "12")),
        ("/api/v3/query_sql", &[GRPC, ("authorization", &of_ada)], (200, "12")),
        ("/gateway/health", &[GRPC], (200, "12")),
        (
            DO_GET,
            &[("content-type", "application/grpc-web"), ("authorization", &of_ada)],
            (200, "12"),
        ),
        (DO_GET, &[plain, ("authorization", &of_ada)], (415, "-")),
        (&flight("DoGet/../DoPut"), &[GRPC, ("authorization", &of_ada)], (200, "3")),
    ] {
        let found = call(&mut connection, path, fields);
        assert_eq!((found.0, &*found.1), expected, "{path} {fields:?}");
    }
    // Worthless gateway tokens wear the client out: one above, and these.
    let statuses =
        [0; 5].map(|_| call(&mut connection, DO_GET, &[GRPC, ("authorization", &unknown)]).1);
    assert_eq!(statuses, ["16", "16", "16", "16", "8"]);
    // Over HTTP/1 there is no such thing.
    let line = format!("Authorization: {of_ada}");
    let request = post(DO_GET, &[&line, "Content-Type: application/grpc"]);
    assert_eq!(secure.connect().send(&request).status, 404);
    assert!(server.saw_nothing());
    wait_until("the audit trail says why", || {
        secure.gateway.has_logged("\"reason\":\"token_unknown\"")
    });
}

#[test]
fn what_is_not_there_is_14() {
    let (secure, [token]) = start_secure(closed_port(), "", ["ada"]);
    let token = format!("Bearer {token}");
    let call = |secure: &SecureGateway| {
        let mut connection = Connection::open(secure, &[]);
        call(&mut connection, DO_GET, &[GRPC, ("authorization", &token)])
    };
    assert_eq!(call(&secure), (200, "14".to_owned()));
    // Nor where HTTP/1 is spoken.
    let upstream = Upstream::behaving(|_, stream| answer(stream, "400 Bad Request", ""));
    let (secure, [token]) = start_secure(upstream.address, "", ["ada"]);
    let mut connection = Connection::open(&secure, &[]);
    let fields = [GRPC, ("authorization", &*format!("Bearer {token}"))];
    assert_eq!(self::call(&mut connection, DO_GET, &fields), (200, "14".to_owned()));
}

#[test]
fn a_connection_that_does_not_come_about_is_closed() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let config = "kind = \"influxdb3\"\ngrpc = true\n[limits]\nupstream_connect = \"300ms\"\n\
                  upstream_ping = \"1h\"\n";
    let folder = Gateway::prepare(&url, config, &list());
    let token = gateway_tokens::add(folder.path(), &["ada"]);
    let gateway = Gateway::start_in(folder);
    // It never answers, and sees what comes until the gateway closes the connection.
    let (ended, connections) = channel();
    thread::spawn(move || {
        for mut stream in listener.incoming().map(Result::unwrap) {
            let ended = ended.clone();
            thread::spawn(move || {
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                let mut seen = Vec::new();
                let end = stream.read_to_end(&mut seen);
                let _ = ended.send((seen, end.is_ok()));
            });
        }
    });
    let client = flight(gateway.address, &token, &["get", "rows 1"]);
    assert_eq!(refused(client), "FlightUnavailableError");
    let speaks_http_2 = |seen: &[u8]| seen.windows(4).any(|it| it == b"\x03\x02h2");
    let (_, is_closed) = connections.iter().find(|(seen, _)| speaks_http_2(seen)).unwrap();
    assert!(is_closed);
}

#[test]
fn without_upstream_grpc_nothing_is_forwarded() {
    let upstream = Upstream::start();
    let (secure, [token]) = start_secure(upstream.address, "", ["ada"]);
    drop(secure);
    let folder = Gateway::prepare("http://127.0.0.1:1", "", &list());
    let users = fs::read_to_string(folder.path().join("users.toml")).unwrap();
    let secure = SecureGateway::start_for(upstream.address, "", "kind = \"influxdb3\"\n", &users);
    let mut connection = Connection::open(&secure, &[]);
    let token = format!("Bearer {token}");
    let fields = [GRPC, ("authorization", &*token)];
    assert_eq!(call(&mut connection, DO_GET, &fields), (200, "12".to_owned()));
    let answer = connection.ask("POST", DO_GET, &[("content-type", "application/json")]);
    assert_eq!(answer.status, 404);
    // Nor is HTTP/2 spoken without TLS.
    let mut client = secure.gateway.connect();
    client.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    assert_eq!(client.read().status, 400);
    assert!(upstream.saw_nothing());
}

#[test]
fn nobody_is_told_another_user_by_metadata() {
    let server = FlightServer::start(&[]);
    let (gateway, [token]) = start(server.address, "[identity]\nheader = \"X-My-User\"\n", ["ada"]);
    let forged = [
        ("x-my-user", "eve"),
        ("x-my-user-bin", "ZXZl"),
        ("x_my_user", "eve"),
        ("x-forwarded-user", "eve"),
        ("x-forwarded-user-bin", "ZXZl"),
        ("x-forwarded-for", "1.2.3.4"),
        ("x-harmless", "1"),
        ("x-harmless-bin", "ZXZl"),
    ];
    let mut client = flight(gateway.address, &token, &["get", "rows 1"]);
    client.env("METADATA", json!(forged).to_string());
    assert_eq!(says(client), "1");
    let seen = server.next();
    let headers = seen["headers"].as_object().unwrap();
    let told = |name: &str| headers.get(name).cloned().unwrap_or(Value::Null);
    assert_eq!(told("x-my-user"), json!(["ada"]), "{seen}");
    assert_eq!(told("x-forwarded-for"), json!(["127.0.0.1"]));
    assert_eq!(told("authorization"), json!(["Bearer of-ada"]));
    assert_eq!((told("x-harmless"), told("x-harmless-bin").is_null()), (json!(["1"]), false));
    let names: Vec<_> = headers.keys().filter(|name| name.contains("user")).collect();
    assert!(
        names.iter().all(|name| ["x-my-user", "user-agent"].contains(&name.as_str())),
        "{names:?}"
    );
    assert!(!seen.to_string().contains("eve"), "{seen}");
}

#[test]
fn a_query_may_be_silent_for_longer_than_upstream_read_and_a_deadline_holds() {
    let server = FlightServer::start(&[]);
    // This server ends connections on which it is asked often whether it lives: that is not done there.
    let tables = "[limits]\nupstream_read = \"100ms\"\nupstream_ping = \"100ms\"\n";
    let (gateway, [token]) = start(server.address, tables, ["ada"]);
    assert_eq!(says(flight(gateway.address, &token, &["get", "wait 1.5"])), "1");
    assert_eq!(refused(flight(gateway.address, &token, &["deadline"])), "FlightTimedOutError");
}

#[test]
fn a_cancelled_call_is_cancelled_at_the_upstream() {
    let server = FlightServer::start(&[]);
    let (gateway, [token]) = start(server.address, "", ["ada"]);
    assert_eq!(says(flight(gateway.address, &token, &["cancel"])), "cancelled");
    assert_eq!(server.next()["method"], "DO_GET");
    assert_eq!(server.said.recv_timeout(Duration::from_secs(1)), Ok(json!({ "cancelled": true })));
    // So is one whose client is gone.
    let mut client =
        flight(gateway.address, &token, &["drip", "2"]).stdout(Stdio::piped()).spawn().unwrap();
    assert_eq!(server.next()["method"], "DO_GET");
    client.kill().unwrap();
    client.wait().unwrap();
    wait_until("it is over", || gateway.log().matches("path=/arrow.flight").count() == 2);
}

#[test]
fn rows_come_as_they_are_sent_and_what_breaks_off_is_14() {
    let mut server = FlightServer::start(&[]);
    let (gateway, [token]) = start(server.address, "", ["ada"]);
    let mut client =
        flight(gateway.address, &token, &["drip", "3"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(client.stdout.take().unwrap()).lines();
    assert_eq!(server.next()["method"], "DO_GET");
    for row in [5, 7] {
        server.drip(row);
        assert_eq!(lines.next().unwrap().unwrap(), row.to_string());
    }
    server.kill();
    let told = lines.next().unwrap().unwrap();
    assert!(told.starts_with("FlightUnavailableError "), "{told}");
    assert!(told.contains("the upstream cannot be reached"), "{told}");
    client.wait().unwrap();
    wait_until("it is logged", || gateway.has_logged("status=200 grpc_status=14"));
}

/// In KiB.
fn resident(gateway: &Gateway) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", gateway.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn clients_that_do_not_read_cost_little_and_hold_up_nobody() {
    let server = FlightServer::start(&[]);
    let (gateway, [token]) = start(server.address, "", ["ada"]);
    assert_eq!(says(flight(gateway.address, &token, &["get", "rows 100000"])), "100000");
    let before = resident(&gateway);
    // As many as share a connection but one, each of an answer of some 80 MiB.
    let mut client = flight(gateway.address, &token, &["stall", "15"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(client.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "1000", "another call on the same connection");
    // While as much goes to somebody else, the upstream sends to those as much as it is let.
    assert_eq!(says(flight(gateway.address, &token, &["get", "rows 2000000"])), "2000000");
    let grown = resident(&gateway).saturating_sub(before);
    assert!(grown < 15 * 8704, "{grown} KiB for 15 clients that do not read");
    client.stdin.take().unwrap().write_all(b"\n").unwrap();
    assert_eq!(lines.next().unwrap().unwrap(), "done");
    client.wait().unwrap();
}

#[test]
fn a_thousand_calls_at_once_have_each_its_own_user() {
    let server = FlightServer::start(&[]);
    let names: Vec<_> = (0..50).map(|number| format!("user{number}")).collect();
    let list = names.iter().fold(
        users(&names.iter().map(String::as_str).collect::<Vec<_>>()),
        |list, name| {
            let entry = format!("name = \"{name}\"\n");
            list.replace(&entry, &format!("token = \"of-{name}\"\n{entry}"))
        },
    );
    let folder = Gateway::prepare(
        &format!("http://{}", server.address),
        "kind = \"influxdb3\"\ngrpc = true\n",
        &list,
    );
    let token = |name: &String| (name.clone(), json!(gateway_tokens::add(folder.path(), &[name])));
    let tokens: serde_json::Map<_, _> = names.iter().map(token).collect();
    let gateway = Gateway::start_in(folder);
    let mut client = flight(gateway.address, "", &["crowd", "1000"]);
    client.env("TOKENS", Value::from(tokens).to_string());
    assert_eq!(says(client), "1000");
    let mut counts = std::collections::BTreeMap::new();
    for _ in 0..1000 {
        let seen = server.next();
        let user = seen["headers"]["x-forwarded-user"][0].as_str().unwrap().to_owned();
        assert_eq!(
            seen["headers"]["authorization"],
            json!([format!("Bearer of-{user}")]),
            "{seen}"
        );
        *counts.entry(user).or_insert(0) += 1;
    }
    assert_eq!(counts.into_values().collect::<Vec<_>>(), [20; 50]);
}

#[test]
fn http_1_works_beside_http_2_without_tls() {
    let upstream = Upstream::start();
    let (gateway, [token]) = start(upstream.address, "[limits]\nhead = \"500ms\"\n", ["ada"]);
    let line = format!("Authorization: Bearer {token}");
    let mut client = gateway.connect();
    for _ in 0..2 {
        let asked = client.send(&get("/api/v3/query_sql", &[&line]));
        assert_eq!((asked.status, &*asked.text()), (200, "ada"));
    }
    // Piece by piece, the first of them shorter than what is looked at.
    let mut client = gateway.connect();
    let request = get("/api/v3/query_sql", &[&line]);
    for piece in [&request[..1], &request[1..3], &request[3..]] {
        client.write(piece.as_bytes());
    }
    assert_eq!(client.read().text(), "ada");
    // An upgrade is none.
    let upgrade = [
        &*line,
        "Upgrade: h2c",
        "HTTP2-Settings: AAMAAABkAAQAAP__",
        "Connection: Upgrade, HTTP2-Settings",
    ];
    let answer = gateway.connect().send(&get("/api/v3/query_sql", &upgrade));
    assert_eq!((answer.status, &*answer.text()), (200, "ada"));
    // A preface that does not go on has the time of a head, and is one up to where HTTP/2 has begun.
    for (bytes, status) in [("PRI * HTTP/2.0\r\n", Some(408)), ("PRI * HTTP/2.0\r\n\r\nSM", None)] {
        let (mut client, began) = (gateway.connect(), Instant::now());
        client.write(bytes.as_bytes());
        match status {
            Some(status) => assert_eq!(client.read().status, status),
            // What comes is the gateway's settings, and the end.
            None => assert_eq!(client.read_rest()[3], SETTINGS),
        }
        let time = began.elapsed();
        assert!((Duration::from_millis(400)..Duration::from_secs(5)).contains(&time), "{time:?}");
    }
    // What only begins like it is nothing, and neither is a preface after a request.
    let mut client = gateway.connect();
    client.write(b"PRI /x HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.read().status, 405);
    let mut client = gateway.connect();
    assert_eq!(client.send(&get("/api/v3/query_sql", &[&line])).status, 200);
    client.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    assert_eq!(client.read().status, 400);
}

#[test]
fn calls_are_counted_by_their_status() {
    let server = FlightServer::start(&[]);
    let (gateway, [token]) = start(server.address, "[admin]\nlisten = \"127.0.0.1:0\"\n", ["ada"]);
    let admin: SocketAddr = gateway.next_admin().parse().unwrap();
    assert_eq!(says(flight(gateway.address, &token, &["get", "rows 1"])), "1");
    assert_eq!(
        refused(flight(gateway.address, "", &["get", "rows 1"])),
        "FlightUnauthenticatedError"
    );
    let page = || {
        Client::connect(admin)
            .send(&get("/metrics", &[]).replace("gateway.test", "127.0.0.1"))
            .text()
    };
    for line in [
        "influx_gateway_grpc_calls_total{grpc_status=\"0\"} 1\n",
        "influx_gateway_grpc_calls_total{grpc_status=\"16\"} 1\n",
        "influx_gateway_requests_total{route=\"grpc\",method=\"POST\",status=\"2xx\"} 2\n",
    ] {
        wait_until(line, || page().contains(line));
    }
}

#[test]
fn explain_knows_calls() {
    let upstream = Upstream::start();
    let (gateway, [of_ada, of_rita]) = start(upstream.address, "", ["ada", "rita"]);
    let explain = |method: &str, token: &str| {
        let mut command = program();
        command.arg("explain").arg("--config").arg(gateway.folder().join("gateway.toml"));
        command.args(["POST", &format!("/arrow.flight.protocol.FlightService/{method}"), "--json"]);
        command.args(["-H", &format!("Authorization: Bearer {token}")]);
        let text = String::from_utf8(output_of(&mut command, "").stdout).unwrap();
        serde_json::from_str::<Value>(&text).unwrap()["decision"].as_str().unwrap().to_owned()
    };
    assert!(explain("DoPut", &of_ada).starts_with("forwarded to http://"));
    assert!(explain("DoGet", &of_rita).starts_with("forwarded to http://"));
    assert!(explain("DoPut", &of_rita).starts_with("rejected: 403"));
    assert!(explain("PollFlightInfo", &of_ada).starts_with("rejected: 404"));
}
