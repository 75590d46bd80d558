use std::collections::BTreeMap;
use std::process::Command;
use std::sync::LazyLock;

use crate::influxd::{BUCKET, Influxd, OPERATOR, OPERATOR_TOKEN, ORG, User};
use crate::modes::Mode;
use crate::programs::made;
use crate::support::*;

/// Commands, and what each of them must print. `{bucket}` is the first id that the command printed which
/// stands after `bucket =`.
const COMMANDS: &[(&str, &str)] = &[
    ("ping", "OK"),
    ("config list", "gateway"),
    ("server-config", "storage-write-timeout"),
    ("office = org create -n office", "office"),
    ("org list -n home", "home"),
    ("org update -i {office} -n bureau", "bureau"),
    ("carl = user create -n carl -o home", "carl"),
    ("org members add -m {carl} -i {office}", "has been added as a member of org"),
    ("org members list -i {office}", "carl"),
    ("org members remove -m {carl} -i {office}", "has been removed from org"),
    ("user list -n carl", "carl"),
    ("user update -i {carl} -n karl", "karl"),
    ("spare = bucket create -n spare -r 0 -o home", "spare"),
    ("bucket list -n spare -o home", "infinite"),
    ("bucket update -i {spare} -n changed", "changed"),
    ("write -b changed -o home -p s -f air.lp", ""),
    ("write -b changed -o home -f air.csv", ""),
    ("query -o home -f air.flux", "19.5"),
    ("query -o home --raw -f air.flux", "21.5"),
    ("backup -b changed -o home backup", ""),
    ("restore -b changed --new-bucket restored backup", ""),
    ("bucket list -n restored -o home", "restored"),
    ("query -o home --raw -f restored.flux", "21.5"),
    ("bucket delete -n restored -o home", "restored"),
    (
        "delete -o home --bucket changed --start 2023-11-14T00:00:00Z --stop 2023-11-15T00:00:00Z -p place=inside",
        "",
    ),
    ("query -o home --raw -f air.flux", "21.5"),
    ("task = task create -o home -f task.flux", "hourly"),
    ("task list -i {task}", "active"),
    ("task update -i {task} --status inactive", "inactive"),
    ("task run list --task-id {task}", ""),
    ("task log list --task-id {task}", ""),
    ("task delete -i {task}", "hourly"),
    ("agent = telegrafs create -o home -n agent -f telegraf.conf", "agent"),
    ("telegrafs -o home", "agent"),
    ("telegrafs update -i {agent} -n other -f telegraf.conf", "other"),
    ("telegrafs rm -i {agent}", ""),
    ("secret update -k key -v value -o home", "key"),
    ("secret list -o home", "key"),
    ("secret delete -k key -o home", "key"),
    ("dbrp = v1 dbrp create --bucket-id {spare} --db old --rp autogen --default -o home", "old"),
    ("v1 dbrp list --id {dbrp} -o home", "autogen"),
    ("v1 dbrp update --id {dbrp} --rp weekly -o home", "weekly"),
    ("v1 dbrp delete --id {dbrp} -o home", "weekly"),
    (
        "legacy = v1 auth create --username legacy --password long-enough --read-bucket {spare} -o home",
        "legacy",
    ),
    ("v1 auth list -o home", "legacy"),
    ("v1 auth set-inactive --username legacy", "legacy"),
    ("v1 auth set-active --username legacy", "legacy"),
    ("v1 auth set-password --username legacy --password longer-still", ""),
    ("v1 auth delete --username legacy", "legacy"),
    ("auth = auth create --read-buckets -d probe -o home", "read:orgs"),
    ("auth list -i {auth}", "probe"),
    ("auth delete -i {auth}", "probe"),
    ("template -o home --disable-color -f template.yml", "VARIABLES"),
    ("apply -o home --disable-color -f template.yml --force yes", "VARIABLES"),
    ("dashboards -o home", "Air"),
    ("stacks -o home", "template.yml"),
    ("stack = stacks init -o home -n pile", "pile"),
    ("stacks update --stack-id {stack} -n heap", "heap"),
    ("export stack {stack}", ""),
    ("export all -o home --filter resourceKind=Variable", "kind: Variable"),
    ("stacks rm --stack-id {stack} --force -o home", ""),
    (
        "remote = remote create -n far --remote-url {url} --remote-api-token {token} --remote-org-id {home} -o home",
        "far",
    ),
    ("remote list -n far -o home", "far"),
    ("remote update -i {remote} -d elsewhere", "far"),
    (
        "copy = replication create -n copy --remote-id {remote} --local-bucket-id {spare} --remote-bucket weather -o home",
        "copy",
    ),
    ("replication list -n copy -o home", "copy"),
    ("write -b changed -o home -p s -f replicated.lp", ""),
    ("replication delete -i {copy}", "copy"),
    ("remote delete -i {remote}", "far"),
    ("user delete -i {carl}", "karl"),
    ("bucket delete -i {spare}", "changed"),
    ("org delete -i {office}", "bureau"),
];

/// Files that the commands are given.
const FILES: &[(&str, &str)] = &[
    ("air.lp", "air,place=inside temperature=19.5 1700000000\n"),
    (
        "air.csv",
        "#datatype measurement,tag,double,dateTime:RFC3339\nm,place,temperature,time\nair,outside,21.5,2023-11-14T22:13:20Z\n",
    ),
    (
        "air.flux",
        "from(bucket: \"changed\") |> range(start: 2023-11-14T00:00:00Z, stop: 2023-11-15T00:00:00Z)\n",
    ),
    (
        "restored.flux",
        "from(bucket: \"restored\") |> range(start: 2023-11-14T00:00:00Z, stop: 2023-11-15T00:00:00Z)\n",
    ),
    (
        "task.flux",
        "option task = {name: \"hourly\", every: 1h}\nfrom(bucket: \"weather\") |> range(start: -1h)\n",
    ),
    (
        "telegraf.conf",
        "[[inputs.cpu]]\n[[outputs.influxdb_v2]]\n  urls = [\"http://localhost:8086\"]\n",
    ),
    (
        "template.yml",
        "apiVersion: influxdata.com/v2alpha1\nkind: Variable\nmetadata: {name: places}\nspec: {type: constant, values: [inside]}\n\
         ---\napiVersion: influxdata.com/v2alpha1\nkind: Dashboard\nmetadata: {name: air}\nspec: {name: Air}\n",
    ),
    ("replicated.lp", "replicated value=1 1700000000\n"),
];

/// Somebody who uses the command from a home of their own.
struct Influx {
    home: tempfile::TempDir,
    /// What stands for `{names}`.
    known: BTreeMap<&'static str, String>,
}

impl Influx {
    /// Asks `url` by name and password (`--username-password`), or by token (`--token`).
    fn configured(url: &str, influxd: &Influxd, credential: [&str; 2]) -> Self {
        let home = tempfile::tempdir().unwrap();
        for (name, text) in FILES {
            std::fs::write(home.path().join(name), text).unwrap();
        }
        let [url, token] = [url, OPERATOR_TOKEN].map(str::to_owned);
        let known = [("url", url.clone()), ("token", token), ("home", influxd.org.clone())];
        let influx = Self { home, known: BTreeMap::from(known) };
        let mut create = influx.command();
        create.args(["config", "create", "-a", "-n", "gateway", "-o", ORG, "-u", &url]);
        let output = create.args(credential).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        influx
    }

    fn command(&self) -> Command {
        let mut command = made("target/influxd/influx");
        // Nothing of whoever runs this.
        command.env_clear().env("INFLUX_CONFIGS_PATH", self.home.path().join("configs"));
        command.current_dir(self.home.path());
        command
    }

    /// Whether the command succeeds, and what it prints.
    fn attempt(&self, arguments: &[&str]) -> (bool, String) {
        let output = self.command().args(arguments).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.success(), text(output.stdout) + &text(output.stderr))
    }

    /// Runs one of [`COMMANDS`], and returns what it printed.
    fn run(&mut self, line: &'static str) -> String {
        let (name, line) = match line.split_once(" = ") {
            Some((name, line)) => (Some(name), line),
            None => (None, line),
        };
        let arguments = line.split(' ').map(|word| {
            let name = word.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
            name.map_or(word, |name| &self.known[name])
        });
        let (success, output) = self.attempt(&arguments.collect::<Vec<_>>());
        assert!(success, "{line}: {output}");
        if let Some(name) = name {
            let id = words(&output)
                .find(|word| is_id(word))
                .unwrap_or_else(|| panic!("{line}: {output}"));
            self.known.insert(name, id.to_owned());
        }
        output
    }

    /// Runs all [`COMMANDS`]: what each has printed, without what differs each time.
    fn run_all(&mut self, influxd: &Influxd) -> Vec<String> {
        let mut printed = Vec::new();
        for (line, text) in COMMANDS {
            let output = self.run(line);
            assert!(output.contains(text), "{line}: {output}");
            let output = output.replace(&self.known["url"], "URL");
            let output = output.replace(&influxd.address.to_string(), "INFLUXD");
            let mut lasting = lasting(&output);
            if line.contains("replication ") {
                // How much is still to be sent, and how the last attempt went: it goes on meanwhile.
                lasting = without_numbers(&lasting);
            }
            printed.push(format!("{line}: {lasting}"));
            if line.contains("replicated.lp") {
                wait_until("the point is in the other bucket", || replicated(influxd));
            }
        }
        printed
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && !"-_=+:./".contains(c))
        .filter(|word| !word.is_empty())
}

fn is_id(word: &str) -> bool {
    word.len() == 16 && word.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn without_numbers(text: &str) -> String {
    let mark = |word: &str| if word.parse::<u64>().is_ok() { "N" } else { word }.to_owned();
    text.split(' ').map(mark).collect::<Vec<_>>().join(" ")
}

/// Whether it is a name that InfluxDB has made up, such as `dangling-bardeen-244001`.
fn is_made_up(word: &str) -> bool {
    let parts: Vec<_> = word.split('-').collect();
    parts.len() == 3 && parts[2].len() == 6 && parts[2].bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The words of `text`, with marks for what differs each time.
fn lasting(text: &str) -> String {
    words(text).map(mark).collect::<Vec<_>>().join(" ")
}

/// `word`, or what it is: an id, a token, a time, a temporary folder, a made-up name.
fn mark(word: &str) -> String {
    let in_digits = word.starts_with(|c: char| c.is_ascii_digit());
    let mark = match word {
        _ if is_id(word) => "ID",
        _ if word.len() > 80 && word.ends_with("==") => "TOKEN",
        _ if word.starts_with("20") && word.len() > 9 => "TIME",
        _ if in_digits && word.matches(':').count() == 2 => "TIME",
        _ if word.starts_with(".tmp") => "FOLDER",
        _ if is_made_up(word) => "NAME",
        _ if word.contains('/') => return word.split('/').map(mark).collect::<Vec<_>>().join("/"),
        _ => word,
    };
    mark.to_owned()
}

/// Whether InfluxDB has in its first bucket what was written to the other.
fn replicated(influxd: &Influxd) -> bool {
    let token = format!("Authorization: Token {OPERATOR_TOKEN}");
    let headers = [token.as_str(), "Content-Type: application/vnd.flux"];
    let query = format!("from(bucket: \"{BUCKET}\") |> range(start: 0)");
    let answer =
        influxd.send(&with_body("POST", &format!("/api/v2/query?org={ORG}"), &headers, &query));
    answer.text().contains("replicated")
}

/// What the commands print without a gateway.
static DIRECTLY: LazyLock<Vec<String>> = LazyLock::new(|| {
    let influxd = Influxd::start();
    let url = format!("http://{}", influxd.address);
    Influx::configured(&url, &influxd, ["--token", OPERATOR_TOKEN]).run_all(&influxd)
});

/// Through a gateway in this mode, every command prints what it does without one.
fn check(mode: Mode) {
    let influxd = Influxd::start();
    let me = influxd.call("GET", "/api/v2/me", None);
    let operator = User {
        id: me["id"].as_str().unwrap().to_owned(),
        name: OPERATOR.to_owned(),
        token: OPERATOR_TOKEN.to_owned(),
        authorization: String::new(),
    };
    let gateway = mode.gateway(&influxd, &[&operator]);
    let url = format!("http://{}", gateway.address);
    let login = format!("{OPERATOR}:{PASSWORD}");
    let credential = if mode.has_session() {
        ["--username-password", &login]
    } else {
        ["--token", OPERATOR_TOKEN]
    };
    let mut influx = Influx::configured(&url, &influxd, credential);
    let printed = influx.run_all(&influxd);
    for (through, directly) in printed.iter().zip(DIRECTLY.iter()) {
        assert_eq!(through, directly, "{mode:?}");
    }
    assert_eq!(printed.len(), DIRECTLY.len());
    // Commands by name and password sign in each time; those by token never do.
    let sign_ins = gateway.audit().matches("\"signed_in\"").count();
    assert_eq!(sign_ins > COMMANDS.len() / 2, mode.has_session(), "{mode:?}: {sign_ins} sign-ins");
    check_passwords(mode, &influx);
}

/// The command sets somebody else's password, where they are InfluxDB's, and one's own.
fn check_passwords(mode: Mode, influx: &Influx) {
    let (success, output) =
        influx.attempt(&["user", "create", "-n", "eve", "-p", "long-enough", "-o", ORG]);
    assert_eq!(success, mode != Mode::OwnToken, "{mode:?}: {output}");
    let refusal = "the gateway changes only the password of the user who is signed in";
    assert_eq!(output.contains(refusal), mode == Mode::OwnToken, "{mode:?}: {output}");

    let password = ["user", "password", "-n", OPERATOR, "-p", "battery staple"];
    let (success, output) = influx.attempt(&password);
    assert!(success, "{mode:?}: {output}");
    // Whoever comes by name and password needs the new one from now on.
    let list = ["org", "list", "-n", ORG];
    let (success, output) = influx.attempt(&list);
    assert_eq!(success, !mode.has_session(), "{mode:?}: {output}");
    if mode.has_session() {
        assert!(output.contains("401 Unauthorized: unauthorized access"), "{mode:?}: {output}");
        let login = format!("{OPERATOR}:battery staple");
        let (success, output) = influx.attempt(&["config", "set", "-n", "gateway", "-p", &login]);
        assert!(success, "{mode:?}: {output}");
        let (success, output) = influx.attempt(&list);
        assert!(success && output.contains(ORG), "{mode:?}: {output}");
    }
}

#[test]
fn the_influx_command_works_by_a_name_that_influxdb_knows() {
    check(Mode::InfluxdbUsers);
}

#[test]
fn the_influx_command_works_by_a_name_of_the_users_file() {
    check(Mode::OwnToken);
}

#[test]
fn the_influx_command_works_by_token() {
    check(Mode::TokenPassed);
}

#[test]
fn the_influx_command_works_by_token_whose_owner_is_known() {
    check(Mode::TokenResolved);
}
