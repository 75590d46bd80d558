use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Output, Stdio};

use crate::support::*;

/// Runs the program with `input` as its standard input.
fn run(arguments: &[&str], input: &str) -> Output {
    output_of(program().args(arguments), input)
}

/// Exit code, standard output, standard error.
fn outcome(arguments: &[&str], input: &str) -> (i32, String, String) {
    let output = run(arguments, input);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// The PHC string of `password`, as the program makes it.
pub(crate) fn hash(password: &str) -> String {
    outcome(&["hash"], password).1.trim().to_owned()
}

fn folder(config: &str, users: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("gateway.toml"), config).unwrap();
    fs::write(folder.path().join("users.toml"), users).unwrap();
    let path = folder.path().join("gateway.toml").display().to_string();
    (folder, path)
}

#[test]
fn help_and_version_are_no_errors_and_nonsense_is_64() {
    for arguments in [
        &["--help"][..],
        &["--version"],
        &["run", "--help"],
        &["demo", "--help"],
        &["check", "--help"],
        &["hash", "--help"],
        &["explain", "--help"],
        &["user", "--help"],
        &["user", "add", "--help"],
    ] {
        let (code, stdout, _) = outcome(arguments, "");
        assert_eq!(code, 0, "{arguments:?}");
        assert!(!stdout.is_empty(), "{arguments:?}");
    }
    assert!(outcome(&["--version"], "").1.starts_with("influx-gateway 0."));
    for arguments in [
        &[][..],
        &["fly"],
        &["run", "--fast"],
        &["user", "add"],
        &["user", "add", "a:b"],
        &["demo", "--listen", "here"],
    ] {
        let (code, stdout, stderr) = outcome(arguments, "");
        assert_eq!((code, stdout.len()), (64, 0), "{arguments:?}");
        assert!(!stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn the_shipped_configuration_is_good() {
    let config = repository().join("conf/gateway.toml");
    let (code, stdout, stderr) = outcome(&["check", "--config", config.to_str().unwrap()], "");
    assert_eq!((code, &*stderr), (0, ""), "{stdout}");
    let [restart, good] = stdout.lines().collect::<Vec<_>>()[..] else { panic!("{stdout}") };
    assert!(restart.starts_with("a change of these needs a restart: admin.listen, "), "{restart}");
    assert!(restart.contains(", session.idle, ") && !restart.contains("listen.hosts"), "{restart}");
    assert!(
        restart.contains(", [[oidc]], ") && restart.contains(", oidc.client_id, "),
        "{restart}"
    );
    assert!(!restart.contains("oidc.refresh") && !restart.contains(", oidc, "), "{restart}");
    assert!(good.contains(": good; users: "), "{good}");
}

#[test]
fn check_tells_every_fault_of_both_files() {
    let (folder, path) =
        folder("[session]\nidle = \"soon\"\n[users]\nfile = \"people.toml\"\nfiles = 1\n", "");
    fs::write(folder.path().join("people.toml"), "[[user]]\nname = \"a,b\"\n").unwrap();
    let (code, stdout, stderr) = outcome(&["check", "--config", &path], "");
    assert_eq!((code, &*stdout), (78, ""));
    let told: Vec<_> = stderr.lines().map(|line| line.rsplit('/').next().unwrap()).collect();
    for fault in [
        "gateway.toml:2: session.idle: ",
        "gateway.toml:5: users.files: unknown key",
        "people.toml:2: user.name: ",
        "people.toml:1: user.id: missing",
        "people.toml:1: user.password: missing",
    ] {
        assert_eq!(
            told.iter().filter(|line| line.starts_with(fault)).count(),
            1,
            "{fault}\n{stderr}"
        );
    }
    assert_eq!(told.len(), 5, "{stderr}");
    assert_eq!(outcome(&["run", "--config", &path], "").0, 78);
}

#[test]
fn missing_files_are_configuration_faults() {
    let (folder, path) = folder("", "");
    let (code, _, stderr) = outcome(&["check", "--config", &path], "");
    assert_eq!(code, 78, "{stderr}");
    assert!(stderr.contains("no [[user]]"), "{stderr}");
    fs::remove_file(folder.path().join("users.toml")).unwrap();
    let (code, _, stderr) = outcome(&["run", "--config", &path], "");
    assert_eq!(code, 78);
    assert!(stderr.contains("users.toml") && stderr.contains("No such file"), "{stderr}");
    assert_eq!(outcome(&["check", "--config", "/no/such/file"], "").0, 78);
}

#[test]
fn an_environment_variable_stands_in_for_a_value() {
    let (_folder, path) = folder("[session]\nidle = \"${GATEWAY_TEST_IDLE}\"\n", &users(&["ada"]));
    let check = |value: Option<&str>| {
        let mut command = program();
        command.args(["check", "--config", &path]).env_remove("GATEWAY_TEST_IDLE");
        command.envs(value.map(|value| ("GATEWAY_TEST_IDLE", value)));
        command.output().unwrap().status.code().unwrap()
    };
    assert_eq!((check(Some("5m")), check(Some("never")), check(None)), (0, 78, 78));
}

#[test]
fn an_address_in_use_is_69() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let (_folder, path) = folder(&format!("[listen]\nhttp = [\"{address}\"]\n"), &users(&["ada"]));
    let (code, stdout, stderr) = outcome(&["run", "--config", &path], "");
    assert_eq!((code, &*stdout), (69, ""));
    assert!(stderr.contains(&address.to_string()), "{stderr}");
    assert_eq!(outcome(&["demo", "--listen", &address.to_string()], "").0, 69);
}

#[test]
fn several_listeners_each_have_their_line() {
    let (_folder, path) =
        folder("[listen]\nhttp = [\"127.0.0.1:0\", \"[::1]:0\"]\n", &users(&["ada"]));
    let mut child = program()
        .args(["run", "--config", &path])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let stdout = std::io::BufReader::new(child.stdout.take().unwrap());
    let lines: Vec<_> = std::io::BufRead::lines(stdout).take(2).map(Result::unwrap).collect();
    for line in &lines {
        let address = line.strip_prefix("listening on http://").unwrap().parse().unwrap();
        assert_eq!(Client::connect(address).send(&get("/api/v2/me", &[])).status, 401);
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn users_are_added_changed_listed_and_removed() {
    let (folder, path) = folder("", "");
    let file = folder.path().join("users.toml");
    fs::remove_file(&file).unwrap();
    let user = |arguments: &[&str], input: &str| {
        outcome(&[&["user"], arguments, &["--config", &path]].concat(), input)
    };
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;

    assert_eq!(user(&["add", "ada", "--password-stdin"], "a good password\n").0, 0);
    assert_eq!(mode(&file), 0o600);
    let commented = format!("# our people\n\n{}", fs::read_to_string(&file).unwrap());
    fs::write(&file, &commented).unwrap();
    assert_eq!(user(&["add", "bob", "--password-stdin"], "another password").0, 0);
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.starts_with(&commented), "{text}");
    assert!(!text.contains("password\"") && !text.contains("good"), "{text}");

    let (code, stdout, _) = user(&["list"], "");
    assert_eq!((code, stdout.lines().count()), (0, 3), "{stdout}");
    assert!(stdout.lines().nth(1).unwrap().starts_with("ada "), "{stdout}");
    let (_, json, _) = user(&["list", "--json"], "");
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json[1]["name"], &json[1]["status"]), (&"bob".into(), &"active".into()));

    assert_eq!(user(&["add", "ada", "--password-stdin"], "again and again").0, 78);
    assert_eq!(user(&["passwd", "eve", "--password-stdin"], "whatever it is").0, 78);
    assert_eq!(user(&["remove", "eve"], "").0, 78);
    assert_eq!(user(&["passwd", "ada", "--password-stdin"], "").0, 64);
    assert_eq!(fs::read_to_string(&file).unwrap(), text, "failures change nothing");

    assert_eq!(user(&["passwd", "ada", "--password-stdin"], PASSWORD).0, 0);
    assert_eq!(user(&["remove", "bob"], "").0, 0);
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.starts_with("# our people\n"), "{text}");
    assert_eq!(mode(&file), 0o600);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left lying about");

    fs::write(folder.path().join("gateway.toml"), "[listen]\nhttp = [\"127.0.0.1:0\"]\n").unwrap();
    let gateway = Gateway::start_in(folder);
    gateway.sign_in("ada");
    let bob = post("/api/v2/signin", &[&basic("bob", "another password")]);
    assert_eq!(gateway.connect().send(&bob).status, 401);
}

#[test]
fn users_added_at_the_same_time_are_all_there() {
    let (folder, path) = folder("", "# together\n");
    std::thread::scope(|scope| {
        for n in 0..8 {
            let path = &path;
            scope.spawn(move || {
                let name = format!("user{n}");
                let arguments = ["user", "add", &name, "--password-stdin", "--config", path];
                assert_eq!(outcome(&arguments, "a good password").0, 0);
            });
        }
    });
    let text = fs::read_to_string(folder.path().join("users.toml")).unwrap();
    assert_eq!(text.matches("[[user]]").count(), 8, "{text}");
    assert!(text.starts_with("# together\n"), "{text}");
    assert_eq!(outcome(&["check", "--config", &path], "").0, 0);
}

#[test]
fn a_hash_can_be_pasted_into_the_users_file() {
    let (code, stdout, _) = outcome(&["hash"], PASSWORD);
    assert_eq!(code, 0);
    assert!(stdout.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stdout}");
    let users = format!(
        "[[user]]\nname = \"ada\"\nid = \"0000000000000001\"\npassword = \"{}\"\n",
        stdout.trim()
    );
    let gateway = Gateway::start_with(closed_port(), "", &users);
    gateway.sign_in("ada");
    assert_eq!(outcome(&["hash"], "").0, 64);
}
