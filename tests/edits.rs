use std::fs;
use std::path::{Path, PathBuf};

use crate::support::*;

/// A folder with a configuration and a users file.
struct Stage {
    folder: tempfile::TempDir,
}

impl Stage {
    fn new(config: &str, users: &str) -> Self {
        Self { folder: Gateway::prepare("http://127.0.0.1:9", config, users) }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("users.toml")
    }

    fn text(&self) -> String {
        fs::read_to_string(self.file()).unwrap()
    }

    /// Exit code, standard output and standard error of `influx-gateway arguments…`.
    fn run(&self, arguments: &[&str], input: &str) -> (i32, String, String) {
        run_in(self.folder.path(), arguments, input)
    }

    /// The same, of a command that is to be refused and to leave the users file as it is.
    fn refused(&self, arguments: &[&str], input: &str) -> String {
        let before = fs::read(self.file()).ok();
        let (code, stdout, stderr) = self.run(arguments, input);
        assert_eq!((code, stdout.as_str()), (78, ""), "{arguments:?}: {stderr}");
        assert_eq!(fs::read(self.file()).ok(), before, "{arguments:?} changes nothing");
        stderr
    }
}

fn run_in(folder: &Path, arguments: &[&str], input: &str) -> (i32, String, String) {
    let mut command = program();
    command.args(arguments).arg("--config").arg(folder.join("gateway.toml"));
    let output = output_of(command.env("ZOE", "zoe").env("HASH", zoes()), input);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

const ADD: [&str; 2] = ["user", "add"];
const PASSWD: [&str; 2] = ["user", "passwd"];
const NEW: &str = "battery staple\n";

/// The hash that is in the environment.
fn zoes() -> String {
    let text = users(&["zoe"]);
    let (_, after) = text.split_once("password = \"").unwrap();
    after.split_once('"').unwrap().0.to_owned()
}

fn with_stdin<'a>(command: [&'a str; 2], name: &'a str) -> [&'a str; 4] {
    [command[0], command[1], name, "--password-stdin"]
}

#[test]
fn a_name_that_the_gateway_would_refuse_is_not_written() {
    let stage = Stage::new("", &users(&["ada"]));
    let told = stage.refused(&with_stdin(ADD, "Ada"), NEW);
    assert!(
        told.contains("users.toml:") && told.contains("user.name: duplicate name Ada"),
        "{told}"
    );
    assert_eq!(stage.run(&["check"], "").0, 0);

    let resolve = "[users]\ntokens = \"resolve\"\n[identity]\ntoken_prefix = \"tok-\"\n";
    let stage = Stage::new(resolve, &users(&["ada"]));
    let told = stage.refused(&with_stdin(ADD, "tok-root"), NEW);
    assert!(told.contains("tok-root") && told.contains("identity.token_prefix"), "{told}");
    assert_eq!(stage.run(&["check"], "").0, 0);
    // Nor is a file made for it.
    fs::remove_file(stage.file()).unwrap();
    stage.refused(&with_stdin(ADD, "tok-root"), NEW);
}

#[test]
fn a_name_is_written_so_that_it_is_no_variable() {
    let stage = Stage::new("", &users(&["ada"]));
    for name in ["${ZOE}", "${NOT_SET}", "${", "$${x}"] {
        let (code, _, told) = stage.run(&with_stdin(ADD, name), NEW);
        assert_eq!(code, 0, "{name}: {told}");
        let (_, list, told) = stage.run(&["user", "list"], "");
        assert!(list.lines().any(|line| line.starts_with(&format!("{name} "))), "{list}{told}");
        stage.refused(&with_stdin(ADD, name), NEW);
        assert_eq!(stage.run(&with_stdin(PASSWD, name), NEW).0, 0, "{name}");
        assert_eq!(stage.run(&["user", "remove", name], "").0, 0, "{name}");
    }
}

#[test]
fn a_file_with_a_fault_is_not_edited_unless_that_mends_it() {
    let faulty = users(&["ada", "bob", "Bob"]);
    let stage = Stage::new("", &faulty);
    let line = 1 + faulty.lines().position(|line| line == "name = \"Bob\"").unwrap();
    let fault = format!("users.toml:{line}: user.name: duplicate name Bob");
    for arguments in [
        &with_stdin(ADD, "eve")[..],
        &with_stdin(PASSWD, "ada"),
        &["user", "remove", "ada"],
        &["token", "add", "ada"],
    ] {
        let told = stage.refused(arguments, NEW);
        assert!(told.contains(&fault), "{arguments:?}: {told}");
    }
    assert_eq!(stage.run(&["user", "remove", "Bob"], "").0, 0);
    assert_eq!(stage.text(), users(&["ada", "bob"]));
    assert_eq!(stage.run(&["check"], "").0, 0);
}

#[test]
fn a_password_is_not_changed_in_a_file_with_a_fault() {
    let gateway = Gateway::start_with(closed_port(), "", &users(&["ada"]));
    let session = gateway.sign_in("ada");
    let file = gateway.folder().join("users.toml");
    let faulty = users(&["ada"]) + "x = 1\n";
    fs::write(&file, &faulty).unwrap();
    let body = r#"{"password":"battery staple"}"#;
    let change = |headers: &[&str]| with_body("PUT", "/api/v2/me/password", headers, body);
    let own = [cookie(&session), basic("ada", PASSWORD)];
    assert_eq!(gateway.connect().send(&change(&[&own[0], &own[1]])).status, 500);
    assert_eq!(fs::read_to_string(&file).unwrap(), faulty);
    gateway.sign_in("ada");
    let line = faulty.lines().count();
    let log = gateway.stop();
    assert!(log.contains(&format!("users.toml:{line}: user.x: unknown key")), "{log}");
}

/// The password of ada and the name of zoe are in the environment.
fn of_the_environment() -> String {
    let user = |id: u8, name: &str, password: &str| {
        format!("[[user]]\nname = \"{name}\"\nid = \"{id:016x}\"\npassword = \"{password}\"\n")
    };
    user(1, "ada", "${HASH}") + &user(2, "bob", &zoes()) + &user(3, "${ZOE}", &zoes())
}

#[test]
fn a_user_whose_name_is_in_the_environment_is_found() {
    let stage = Stage::new("", &of_the_environment());
    assert_eq!(stage.run(&["check"], "").0, 0);
    assert!(stage.refused(&with_stdin(ADD, "zoe"), NEW).contains("there is a user zoe already"));
    let (code, _, told) = stage.run(&with_stdin(PASSWD, "zoe"), NEW);
    assert_eq!(code, 0, "{told}");
    assert!(!stage.text().ends_with(&format!("{}\"\n", zoes())), "another password");
    assert_eq!(stage.run(&["token", "add", "zoe", "--label", "a"], "").0, 0);
    assert_eq!(stage.run(&["token", "remove", "zoe", "--label", "a"], "").0, 0);
    assert_eq!(stage.run(&["user", "remove", "zoe"], "").0, 0);
    assert!(!stage.text().contains("${ZOE}"));
}

#[test]
fn a_password_that_is_in_the_environment_is_changed_there_only() {
    let stage = Stage::new("", &of_the_environment());
    let told = stage.refused(&with_stdin(PASSWD, "ada"), NEW);
    assert!(told.contains("password of ada") && told.contains("${HASH}"), "{told}");

    // Hashes of another cost are renewed at a sign-in; this one cannot be.
    let path = stage.folder.path().join("gateway.toml");
    let text = fs::read_to_string(&path).unwrap().replace("kib = 8", "kib = 16");
    fs::write(path, text).unwrap();
    let mut command = program();
    command.env("ZOE", "zoe").env("HASH", zoes());
    let gateway = Gateway::start_by(command, stage.folder);
    let file = gateway.folder().join("users.toml");
    let before = fs::read_to_string(&file).unwrap();
    let body = r#"{"password":"battery staple"}"#;
    let change = |name: &str| {
        let session = gateway.sign_in(name);
        let own = [cookie(&session), basic(name, PASSWORD)];
        let change = with_body("PUT", "/api/v2/me/password", &[&own[0], &own[1]], body);
        let status = gateway.connect().send(&change).status;
        (status, gateway.connect().send(&get("/api/v2/me", &[&own[0]])).status)
    };
    assert_eq!(change("ada"), (500, 200));
    assert_eq!(fs::read_to_string(&file).unwrap(), before);
    let told =
        "the password of ada was not changed: the password of ada comes from the environment";
    wait_until("the log says why", || gateway.has_logged(told));
    gateway.sign_in("ada");
    assert_eq!(change("zoe"), (204, 200));
    gateway.sign_in("bob");
    wait_until("bob's hash is renewed", || {
        fs::read_to_string(&file).unwrap().matches("m=16,t=1,p=1").count() == 2
    });
    let log = gateway.stop();
    assert!(!log.contains("was not replaced"), "{log}");
}
