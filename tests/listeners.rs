use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};

use crate::secure::Authority;
use crate::support::*;

/// As Linux numbers states of connections, and their timers.
const ESTABLISHED: &str = "01";
const KEEPALIVE: &str = "02:";

/// A folder with such a `[listen]`, a certificate beside it.
fn listening(listen: &str) -> tempfile::TempDir {
    let folder = Gateway::prepare(&format!("http://{}", closed_port()), "", &users(&["ada"]));
    Authority::new().pair("127.0.0.1").write(folder.path(), "gateway");
    let path = folder.path().join("gateway.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("[listen]\nhttp = [\"127.0.0.1:0\"]", listen)).unwrap();
    folder
}

/// What `check` says, and whether it is content.
fn check(folder: &tempfile::TempDir) -> (bool, String) {
    let path = folder.path().join("gateway.toml");
    let output = program().args(["check", "--config"]).arg(path).output().unwrap();
    (output.status.success(), String::from_utf8(output.stderr).unwrap())
}

/// A port of which no address is in use. It is below those that the system hands out, to other tests for
/// example: a connection that has one keeps a listener on all addresses from it.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let own = u16::try_from(std::process::id() % 2000).unwrap() * 10;
    loop {
        let port = 10_000 + (own + NEXT.fetch_add(1, Ordering::Relaxed)) % 20_000;
        if TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok() {
            return port;
        }
    }
}

/// Whether this machine has an IPv6 of its own.
fn has_ipv6() -> bool {
    TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok()
}

fn answers(address: SocketAddr) {
    assert_eq!(Client::connect(address).send(&get("/api/v2/me", &[])).status, 401, "{address}");
}

#[test]
fn f_36_both_wildcards_open_on_one_port() {
    for order in [["0.0.0.0", "[::]"], ["[::]", "0.0.0.0"], ["[::]", "127.0.0.1"]] {
        let (plain, secure) = (free_port(), free_port());
        let [first, second] = order;
        let https = |host| {
            format!(
                "[[listen.https]]\naddress = \"{host}:{secure}\"\n\
                 certificate = \"gateway.crt\"\nkey = \"gateway.key\"\n"
            )
        };
        let http = format!("[listen]\nhttp = [\"{first}:{plain}\", \"{second}:{plain}\"]\n");
        let folder = listening(&(http + &https(first) + &https(second)));
        assert!(check(&folder).0, "{order:?}");
        let gateway = Gateway::start_in(folder);
        let ipv4 = SocketAddr::from((Ipv4Addr::LOCALHOST, plain));
        answers(ipv4);
        if has_ipv6() {
            answers(SocketAddr::from((Ipv6Addr::LOCALHOST, plain)));
        }
        for port in [plain, secure] {
            for host in order {
                let scheme = if port == plain { "http" } else { "https" };
                wait_until("all are announced", || {
                    gateway.has_logged(&format!("listening on {scheme}://{host}:{port}\n"))
                });
            }
        }
    }
}

#[test]
fn f_36_ipv6_alone_takes_ipv4_too() {
    let port = free_port();
    let folder = listening(&format!("[listen]\nhttp = [\"[::]:{port}\"]\n"));
    let _gateway = Gateway::start_in(folder);
    answers(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
}

#[test]
fn f_36_the_system_looks_for_clients_that_have_vanished() {
    let https = "[[listen.https]]\naddress = \"127.0.0.1:0\"\n";
    let pair = "certificate = \"gateway.crt\"\nkey = \"gateway.key\"\n";
    let listen = format!("[listen]\nhttp = [\"127.0.0.1:0\"]\n{https}{pair}");
    let gateway = Gateway::start_in(listening(&listen));
    for address in [gateway.address, gateway.next_https()] {
        let client = TcpStream::connect(address).unwrap();
        let port = client.local_addr().unwrap().port();
        wait_until("a probe is due within a minute", || {
            // Others may have had that port before: of theirs the system still knows.
            let mut open =
                connections_to(port).into_iter().filter(|(state, _)| state == ESTABLISHED);
            open.any(|(_, timer)| {
                let left = timer.strip_prefix(KEEPALIVE).map(|left| u32::from_str_radix(left, 16));
                left.is_some_and(|left| (1..=6_000).contains(&left.unwrap()))
            })
        });
    }
}

#[test]
fn f_36_what_cannot_be_opened_is_refused_by_check() {
    let https = "certificate = \"gateway.crt\"\nkey = \"gateway.key\"\n";
    for (listen, fault) in [
        (
            "http = [\"127.0.0.1:9\", \"127.0.0.1:9\"]".to_owned(),
            "listen.http: 127.0.0.1:9 is listed twice",
        ),
        ("http = [\"0.0.0.0:9\", \"127.0.0.1:9\"]".to_owned(), "hold the same addresses"),
        ("http = [\"[::]:9\", \"[::1]:9\"]".to_owned(), "hold the same addresses"),
        ("http = [\"[::ffff:127.0.0.1]:9\", \"127.0.0.1:9\"]".to_owned(), "is listed twice"),
        (
            format!("http = [\"127.0.0.1:9\"]\n[[listen.https]]\naddress = \"0.0.0.0:9\"\n{https}"),
            "hold the same addresses",
        ),
        (
            format!("[[listen.https]]\naddress = \"127.0.0.1:9\"\n{https}").repeat(2),
            "listen.https.address: 127.0.0.1:9 is listed twice",
        ),
    ] {
        let (is_content, said) = check(&listening(&format!("[listen]\n{listen}\n")));
        assert!(!is_content && said.contains(fault), "{listen}: {said}");
    }
}

/// A gateway that may open so many files, and its limits.
fn with_open_files(most: u32, limits: &str) -> Gateway {
    let url = format!("http://{}", closed_port());
    let folder = Gateway::prepare(&url, &format!("[limits]\n{limits}\n"), &users(&["ada"]));
    let mut shell = Command::new("sh");
    let limit = format!("ulimit -n {most}; exec \"$0\" \"$@\"");
    shell.args(["-c", &limit]).arg(program().get_program());
    Gateway::start_by(shell, folder)
}

#[test]
fn f_40_too_few_open_files_are_warned_of() {
    let log = with_open_files(600, "connections = 1_000\nupstream_connections = 500").stop();
    let warning = log.lines().find(|line| line.contains("open files:") && line.contains("WARN"));
    let warning = warning.unwrap_or_else(|| panic!("no warning: {log}"));
    // What there is, what is needed, how to mend it.
    for word in ["600", "1000 connections", "500 to the upstream", "1756", "ulimit", "LimitNOFILE"]
    {
        assert!(warning.contains(word), "{word}: {warning}");
    }
    let log = with_open_files(600, "connections = 100\nupstream_connections = 100").stop();
    assert!(!log.contains("open files: this process"), "{log}");
}
