use std::fs;
use std::io::Write;
use std::process::{Command, Output, Stdio};

use crate::support::*;

/// Runs a command on the configuration in `folder`, away from any terminal.
fn called(folder: &std::path::Path, arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new("setsid");
    command
        .args(["--wait", env!("CARGO_BIN_EXE_influx-gateway")])
        .args(arguments)
        .args(["--config", "gateway.toml"])
        .current_dir(folder);
    output_of(&mut command, input)
}

fn said(output: &Output) -> String {
    String::from_utf8([&*output.stdout, &*output.stderr].concat()).unwrap()
}

/// An upstream that, like InfluxDB, takes nobody without a token.
fn guarded() -> Upstream {
    Upstream::behaving(|request, stream| {
        let status = if request.header("authorization").is_some() { "200 OK" } else { "401 No" };
        write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").is_ok()
    })
}

const ADA: &str = "no upstream token for ada: set `token` or `upstream.token_file`";

#[test]
fn f_52_check_and_start_and_the_first_401_say_whose_token_is_missing() {
    let upstream = guarded();
    let all = users(&["ada", "bob", "eve", "zoe"])
        .replace("name = \"bob\"", "name = \"bob\"\ntoken = \"bobs\"")
        .replace("name = \"eve\"", "name = \"eve\"\nstatus = \"inactive\"");
    let gateway = Gateway::start_with(upstream.address, "", &all);
    let output = called(gateway.folder(), &["check"], "");
    let told = said(&output);
    assert_eq!(output.status.code(), Some(0), "a database may want no token: {told}");
    assert!(told.contains("good; users: 4") && told.contains(ADA), "{told}");
    assert!(told.contains("no upstream token for zoe:"), "{told}");
    assert!(!told.contains("for bob") && !told.contains("for eve"), "{told}");

    for name in ["ada", "bob"] {
        let line = cookie(&gateway.sign_in(name));
        for _ in 0..3 {
            let answer = gateway.connect().send(&get("/api/v2/buckets", &[&line]));
            assert_eq!(answer.status, if name == "ada" { 401 } else { 200 });
        }
    }
    gateway.signal("TERM");
    let (_, log) = gateway.wait();
    assert_eq!(log.matches(ADA).count(), 2, "at the start and at the first 401: {log}");
    assert_eq!(log.matches(&format!("{ADA}; the upstream answers 401")).count(), 1, "{log}");
    assert_eq!(log.matches("no upstream token for zoe").count(), 1, "at the start: {log}");
    assert_eq!(log.matches("no upstream token for").count(), 3, "{log}");
}

#[test]
fn f_52_a_token_for_all_is_a_token_for_everybody() {
    let folder = Gateway::prepare("http://127.0.0.1:1", "token_file = \"t\"", &users(&["ada"]));
    fs::write(folder.path().join("t"), "shared\n").unwrap();
    let told = said(&called(folder.path(), &["check"], ""));
    assert!(told.contains("good") && !told.contains("no upstream token"), "{told}");
}

#[test]
fn f_52_thousands_without_a_token_are_a_few_lines() {
    let names: Vec<_> = (0..3000).map(|n| format!("user{n}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let folder = Gateway::prepare("http://127.0.0.1:1", "", &users(&names));
    let told = said(&called(folder.path(), &["check"], ""));
    assert!(told.lines().count() < 30 && told.contains("for 2980 others"), "{told}");
}

#[test]
fn f_52_user_add_takes_access_and_a_token() {
    let upstream = Upstream::start();
    let folder = Gateway::prepare(&format!("http://{}", upstream.address), "", &users(&["nobody"]));
    fs::write(folder.path().join("ada.token"), "adas\n").unwrap();
    fs::create_dir(folder.path().join("elsewhere")).unwrap();
    fs::write(folder.path().join("elsewhere/zoe.token"), "zoes").unwrap();
    let add = |arguments: &[&str], input: &str| {
        let output = called(folder.path(), &[&["user", "add"], arguments].concat(), input);
        (output.status.code(), said(&output))
    };
    let file = ["ada", "--password-stdin", "--access", "read", "--token-file", "ada.token"];
    let (code, told) = add(&file, PASSWORD);
    assert!(code == Some(0) && !told.contains("no upstream token"), "{told}");
    let both = format!("{PASSWORD}\r\nbobs${{x}}\r\n");
    let (code, told) = add(&["bob", "--password-stdin", "--token-stdin"], &both);
    assert!(code == Some(0) && !told.contains("no upstream token"), "{told}");
    let eve = ["eve", "--token-stdin", "--access", "write"];
    assert_eq!(add(&eve, &format!("{PASSWORD}\neves")).0, Some(0), "without a terminal too");
    let elsewhere = ["zoe", "--password-stdin", "--token-file", "elsewhere/zoe.token"];
    assert_eq!(add(&elsewhere, PASSWORD).0, Some(0));
    let (code, told) = add(&["tom", "--password-stdin"], PASSWORD);
    assert!(code == Some(0) && told.contains("no upstream token for tom: set `token`"), "{told}");

    let kept = fs::read_to_string(folder.path().join("users.toml")).unwrap();
    assert!(kept.contains("token_file = \"ada.token\""), "beside the users file: {kept}");
    for (arguments, input, code) in [
        (&["x", "--password-stdin", "--access", "all"][..], PASSWORD, 64),
        (&["x", "--password-stdin", "--token-file", "no.token"], PASSWORD, 78),
        (&["x", "--password-stdin", "--token-file", "users.toml"], PASSWORD, 78),
        (&["x", "--token-stdin", "--token-file", "ada.token"], PASSWORD, 64),
        (&["x", "--token-stdin"], PASSWORD, 64),
        (&["x", "--token-stdin"], &format!("{PASSWORD}\n\n"), 64),
        (&["x", "--token-stdin"], &format!("{PASSWORD}\ntwo words"), 64),
    ] {
        let (found, told) = add(arguments, input);
        assert_eq!(found, Some(code), "{arguments:?}: {told}");
        assert!(!told.contains("two words"), "{told}");
    }
    assert_eq!(fs::read_to_string(folder.path().join("users.toml")).unwrap(), kept);

    let gateway = Gateway::start_in(folder);
    for (name, token, may_write) in [
        ("ada", Some("Token adas"), false),
        ("bob", Some("Token bobs${x}"), true),
        ("eve", Some("Token eves"), true),
        ("zoe", Some("Token zoes"), true),
        ("tom", None, true),
    ] {
        let line = cookie(&gateway.sign_in(name));
        let query = gateway.connect().send(&get("/api/v2/buckets", &[&line]));
        assert_eq!(query.status, 200, "{name}");
        assert_eq!(upstream.next().header("authorization"), token, "{name}");
        let write = gateway.connect().send(&post("/api/v2/write", &[&line]));
        assert_eq!(write.status == 403, !may_write, "{name}: {write:?}");
        if may_write {
            upstream.next();
        }
    }
}

/// The indented lines of README.md after the line that begins so.
fn pasted(head: &str) -> String {
    let readme = fs::read_to_string(repository().join("README.md")).unwrap();
    let lines = readme.lines().skip_while(|line| !line.starts_with(head));
    let block = lines.skip_while(|line| !line.starts_with("    "));
    block.map_while(|line| line.strip_prefix("    ")).map(|line| line.to_owned() + "\n").collect()
}

/// Ends the group of processes that begins with this one.
struct Group(u32);

impl Drop for Group {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-s", "KILL", "--", &format!("-{}", self.0)]).status();
    }
}

#[test]
fn f_52_the_readmes_first_example_works_as_pasted() {
    let upstream = Upstream::behaving(|request, stream| {
        let is_ada = request.header("authorization") == Some("Token made-by-influx");
        answer(stream, if is_ada { "200 OK" } else { "401 Unauthorized" }, "{}")
    });
    // A clone in which everything is built, InfluxDB's command beside it, and ports of our own.
    let clone = tempfile::tempdir().unwrap();
    let at = |path: &str| clone.path().join(path);
    for folder in ["conf", "bin", "target/release"] {
        fs::create_dir_all(at(folder)).unwrap();
    }
    let port = closed_port().port().to_string();
    let ours = |text: String| {
        text.replace("127.0.0.1:8086", &format!("127.0.0.1:{port}"))
            .replace("127.0.0.1:8087", &upstream.address.to_string())
    };
    for file in ["conf/gateway.toml", "conf/users.toml"] {
        fs::write(at(file), ours(fs::read_to_string(repository().join(file)).unwrap())).unwrap();
    }
    let program = env!("CARGO_BIN_EXE_influx-gateway");
    std::os::unix::fs::symlink(program, at("target/release/influx-gateway")).unwrap();
    for (name, said) in [("cargo", ""), ("influx", "0a1b\\tada\\tmade-by-influx\\tada\\n")] {
        fs::write(at("bin").join(name), format!("#!/bin/sh\nprintf '{said}'\n")).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(at("bin").join(name), mode).unwrap();
    }
    let script = ours(pasted("In front of an InfluxDB"));
    assert!(script.lines().count() > 5, "{script}");
    // Where the job of `run &` writes to stays open, so it is a file.
    let (out, err) = (fs::File::create(at("out")).unwrap(), fs::File::create(at("err")).unwrap());
    let mut shell = Command::new("setsid")
        .args(["bash", "-e", "-c", "export PATH=\"$PWD/bin:$PATH\"\neval \"$0\"", &script])
        .current_dir(clone.path())
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(err)
        .spawn()
        .unwrap();
    let _group = Group(shell.id());
    let status = shell.wait().unwrap();
    let said = ["out", "err"].map(|file| fs::read_to_string(at(file)).unwrap()).concat();
    assert!(status.success(), "{said}");
    assert!(said.contains("HTTP/1.1 204 No Content"), "signed in: {said}");
    assert!(said.contains("HTTP/1.1 200 OK"), "forwarded: {said}");
    assert!(!said.contains("no upstream token"), "{said}");
    assert!(!said.contains("(server."), "a default that is of no use here is no fault: {said}");
    let mode = fs::metadata(at("conf/ada.token")).unwrap();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode.permissions()) & 0o777, 0o600);
}
