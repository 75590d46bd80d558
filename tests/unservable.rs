use std::fs;

use crate::support::*;

/// Exit code and standard error of `command` with this configuration, for ada.
fn told(command: &str, config: &str) -> (i32, String) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("gateway.toml"), config).unwrap();
    fs::write(folder.path().join("users.toml"), users(&["ada"])).unwrap();
    let path = folder.path().join("gateway.toml");
    let output = output_of(program().args([command, "--config"]).arg(path), "");
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

/// `check` names the fault, and `run` is told the same.
fn refused(config: &str, fault: &str) {
    for command in ["check", "run"] {
        let (code, stderr) = told(command, config);
        let count = stderr.lines().filter(|line| line.contains(fault)).count();
        assert_eq!((code, count), (78, 1), "{command}\n{config}\n{stderr}");
    }
}

fn good(config: &str) {
    let (code, stderr) = told("check", config);
    assert_eq!(code, 0, "{config}\n{stderr}");
}

#[test]
fn keys_of_pingora_have_bounds_within_which_it_serves() {
    for (line, fault) in [
        ("listener_tasks_per_fd = 0", "from 1 to 1024, found 0"),
        ("listener_tasks_per_fd = 4294967296", "from 1 to 1024, found 4294967296"),
        ("max_blocking_threads = 0", "from 1 to 16384, found 0"),
        ("max_blocking_threads = 9223372036854775807", "from 1 to 16384"),
        ("threads = 1025", "from 0 to 1024, found 1025"),
        ("threads = 9223372036854775807", "from 0 to 1024"),
        ("upstream_keepalive_pool_size = 4294967296", "from 0 to 16384, found 4294967296"),
        ("client_bind_to_ipv4 = [\"127.0.0.1\", \"x\"]", "\"x\" is not an IPv4 address"),
        ("client_bind_to_ipv4 = [\"0.0.0.0/0\"]", "\"0.0.0.0/0\" is not an IPv4 address"),
        ("client_bind_to_ipv4 = [\"::1\"]", "\"::1\" is not an IPv4 address"),
        ("threads = \"x\"", "from 0 to 1024, found a string"),
        ("daemon = 1", "expected true or false, found 1"),
        ("max_retries = \"x\"", "expected a whole number of at least 0, found a string"),
        ("pid_file = 5", "expected a string, found 5"),
        ("client_bind_to_ipv4 = \"x\"", "expected a list of strings, found a string"),
        ("user = \"a\\u0000b\"", "expected a name"),
        ("group = \"\"", "expected a name"),
    ] {
        let key = line.split(' ').next().unwrap();
        refused(
            &format!("[listen]\nhttp = [\"127.0.0.1:0\"]\n[server]\n{line}\n"),
            &format!("gateway.toml:4: server.{key}: "),
        );
        let (_, stderr) = told("check", &format!("[server]\n{line}\n"));
        assert!(stderr.contains(fault), "{line}: {stderr}");
    }
}

#[test]
fn passwords_have_no_more_threads_than_there_can_be() {
    let fault = "gateway.toml:2: signin.hash_workers: expected a whole number from 0 to 1024";
    refused("[signin]\nhash_workers = 1025\n", fault);
}

#[test]
fn the_background_needs_folders() {
    for key in ["error_log", "working_directory"] {
        let config = format!("[server]\ndaemon = true\npid_file = \"pid\"\n{key} = \"no/such\"\n");
        let (code, stderr) = told("check", &config);
        assert_eq!(code, 78, "{stderr}");
        assert!(stderr.contains(&format!("gateway.toml:4: server.{key}: ")), "{stderr}");
        good(&config.replace("true", "false"));
    }
}

#[test]
fn the_background_needs_somebody_to_be() {
    for key in ["user", "group"] {
        let config = format!("[server]\ndaemon = true\npid_file = \"pid\"\n{key} = \"no-such\"\n");
        refused(&config, &format!("gateway.toml:4: server.{key}: there is no such {key} here"));
        good(&config.replace("no-such", "root"));
        good(&config.replace("true", "false"));
    }
}

#[test]
fn what_a_request_may_be_has_a_bound() {
    for (line, most) in [
        ("head_bytes = 1_000_001", 1_000_000),
        ("head_fields = 257", 256),
        ("target_bytes = 65_535", 65_534),
    ] {
        let key = line.split(' ').next().unwrap();
        let fault = format!(
            "gateway.toml:2: limits.{key}: expected a whole number from 1 to {most}, found "
        );
        refused(&format!("[limits]\n{line}\n"), &fault);
        good(&format!("[limits]\n{key} = {most}\n"));
    }
}

/// The one of the scheme would be asked, and be sent passwords.
#[test]
fn a_port_that_is_none_is_a_fault_wherever_a_url_is() {
    let jwt = "[[grant]]\n[[jwt]]\naudience = [\"a\"]\n";
    let oidc = "[users]\nsource = \"none\"\n[[oidc]]\nid = \"x\"\nclient_id = \"y\"\n";
    let redirect = "redirect = \"https://g/gateway/oidc/x/callback\"\n";
    let issuer = "issuer = \"https://idp\"\n";
    let ui = "[forward]\nui = \"session\"\n[cookie]\npath = \"/\"\n[ui]\n";
    for (key, before, url) in [
        ("upstream.url", "[upstream]\n", "http://127.0.0.1:80870"),
        ("upstream.url", "[upstream]\n", "https://influxdb:8086x"),
        ("upstream.url", "[upstream]\n", "http://influxdb:8086#x"),
        ("ui.url", ui, "http://explorer:99999"),
        ("tracing.endpoint", "[tracing]\n", "http://collector:431800/v1/traces"),
        ("jwt.issuer", jwt, "https://idp:80870"),
        ("jwt.keys", &format!("{jwt}{issuer}"), "https://idp:80870/keys"),
        ("oidc.issuer", &format!("{oidc}{redirect}"), "https://idp:80870"),
        ("oidc.keys", &format!("{oidc}{redirect}{issuer}"), "https://idp:80870/keys"),
        ("oidc.redirect", &format!("{oidc}{issuer}"), "https://g:80870/gateway/oidc/x/callback"),
        ("session.store", "[session]\n", "redis://redis:80870"),
    ] {
        let name = key.split('.').nth(1).unwrap();
        refused(&format!("{before}{name} = \"{url}\"\n"), &format!(": {key}: "));
    }
}

/// What is said is of the fault alone, and not of what follows from it.
#[test]
fn a_provider_with_a_fault_is_one_all_the_same() {
    let config = "[users]\nsource = \"none\"\n[[oidc]]\nid = \"X\"\n";
    let (_, stderr) = told("check", config);
    assert!(stderr.contains("oidc.id: ") && !stderr.contains("users.source"), "{stderr}");
}

#[test]
fn within_the_bounds_it_serves() {
    let config = "[server]\nlistener_tasks_per_fd = 1024\nmax_blocking_threads = 1\nthreads = 1\n\
                  upstream_keepalive_pool_size = 0\nclient_bind_to_ipv4 = [\"127.0.0.1\"]\n";
    let upstream = Upstream::start();
    let gateway = Gateway::start_with(upstream.address, config, &users(&["ada"]));
    let session = cookie(&gateway.sign_in("ada"));
    for _ in 0..3 {
        let answer = gateway.connect().send(&get("/api/v2/buckets", &[&session]));
        assert_eq!((answer.status, &*answer.text()), (200, "ada"));
    }
    let body = r#"{"password":"battery staple"}"#;
    let old = basic("ada", PASSWORD);
    let change = with_body("PUT", "/api/v2/me/password", &[&session, &old], body);
    assert_eq!(gateway.connect().send(&change).status, 204);
}

#[test]
fn the_upstream_is_no_listener_of_the_gateway() {
    for (listen, url) in [
        ("127.0.0.1:9186", "http://127.0.0.1:9186"),
        ("127.0.0.1:9186", "http://localhost:9186"),
        ("127.0.0.1:9186", "http://LOCALHOST:9186/"),
        ("127.0.0.1:80", "http://127.0.0.1"),
        ("0.0.0.0:9186", "http://127.0.0.1:9186"),
        ("0.0.0.0:9186", "http://localhost:9186"),
        ("0.0.0.0:9186", "https://127.3.3.3:9186"),
        ("[::]:9186", "http://127.0.0.1:9186"),
        ("[::]:9186", "http://[::1]:9186"),
        ("[::1]:9186", "http://[::1]:9186"),
        ("192.0.2.7:9186", "http://192.0.2.7:9186"),
        ("127.0.0.1:9186", "http://0.0.0.0:9186"),
    ] {
        let config = format!("[listen]\nhttp = [\"{listen}\"]\n[upstream]\nurl = \"{url}\"\n");
        refused(&config, "gateway.toml:4: upstream.url: ");
    }
    for (listen, url) in [
        ("127.0.0.1:9186", "http://127.0.0.1:9187"),
        ("127.0.0.1:9186", "http://127.0.0.2:9186"),
        ("127.0.0.1:9186", "http://influxdb:9186"),
        ("127.0.0.1:9186", "http://[::1]:9186"),
        ("192.0.2.7:9186", "http://127.0.0.1:9186"),
        ("127.0.0.1:443", "http://127.0.0.1"),
    ] {
        good(&format!("[listen]\nhttp = [\"{listen}\"]\n[upstream]\nurl = \"{url}\"\n"));
    }
    // The default is one as any other.
    refused("[listen]\nhttp = [\"127.0.0.1:8087\"]\n", ": upstream.url: ");
}

#[test]
fn check_tells_of_folders_that_run_would_miss_and_run_tells_the_same() {
    let listen = "[listen]\nhttp = [\"127.0.0.1:0\"]\n";
    for table in [
        "[log]\nfile = \"no/gateway.log\"\n",
        "[audit]\nfile = \"no/audit.jsonl\"\n",
        "[admin]\nlisten = \"unix:no/admin.sock\"\n",
    ] {
        let config = format!("{listen}{table}");
        let (name, key) = (&table[1..table.find(']').unwrap()], table.lines().nth(1).unwrap());
        let place = format!("gateway.toml:4: {name}.{}: ", key.split(' ').next().unwrap());
        for command in ["check", "run"] {
            let (code, stderr) = told(command, &config);
            assert!(code == 78 && stderr.contains(&place), "{command}: {code}: {stderr}");
            assert!(stderr.contains("no folder"), "{command}: {stderr}");
        }
    }
    for (table, key) in [("[log]\nfile", "log.file"), ("[audit]\nfile", "audit.file")] {
        let (code, stderr) = told("check", &format!("{listen}{table} = \"/tmp\"\n"));
        assert_eq!(code, 78, "{stderr}");
        assert!(stderr.contains(&format!("gateway.toml:4: {key}: /tmp: is a folder")), "{stderr}");
    }
    // That one is made when the service starts.
    good(&format!("{listen}[admin]\nlisten = \"unix:/run/influx-gateway/admin.sock\"\n"));
    good(&format!("{listen}[log]\nfile = \"gateway.log\"\n[audit]\nfile = \"audit.jsonl\"\n"));
}

#[test]
fn a_cookie_that_browsers_drop_is_a_fault() {
    let none = "[cookie]\nsame_site = \"none\"\n";
    refused(none, "gateway.toml:2: cookie.same_site: browsers drop a cookie with \"none\"");
    good(&format!("{none}secure = \"always\"\n"));
    // A proxy in front may speak TLS.
    good(&format!("[listen]\ntrusted_proxies = [\"192.0.2.7\"]\n{none}"));
    for name in ["__host-a", "__HOST-a"] {
        let config = format!("[cookie]\nname = \"{name}\"\n");
        refused(&config, ": cookie.path: browsers take a cookie named __Host-");
    }
    for name in ["__secure-a", "__SECURE-a"] {
        let config = format!("[cookie]\nname = \"{name}\"\nsecure = \"never\"\n");
        refused(&config, "gateway.toml:3: cookie.secure: ");
    }
    let config = "[cookie]\nname = \"__secure-a\"\n";
    let gateway = Gateway::start_with(closed_port(), config, &users(&["ada"]));
    let answer = gateway.connect().send(&post("/api/v2/signin", &[&basic("ada", PASSWORD)]));
    assert!(answer.header("set-cookie").unwrap().contains("; Secure"), "{answer:?}");
}
