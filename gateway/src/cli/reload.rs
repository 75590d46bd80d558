//! `influx-gateway reload`: has the running gateway read its files again, and says what has come of it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::{Failure, say};
use crate::app::{self, pid_file};
use crate::config::{Admin, AdminAddress, Config};
use crate::user::secret::Scheme;

/// How long the gateway may take.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) fn run(path: &Path) -> Result<(), Failure> {
    let config = app::load(path)?.config;
    match &config.admin {
        Some(admin) => ask(path, admin),
        None => signal(path, &config),
    }
}

/// By the listener for operators, which answers.
fn ask(path: &Path, admin: &Admin) -> Result<(), Failure> {
    let failure = |what: &str| {
        Failure::File(format!("{}: {what}; is the gateway running? (admin.listen)", admin.listen))
    };
    let answer = exchange(admin).map_err(|error| failure(&error.to_string()))?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(|| failure("no answer"))?;
    let body: Value = serde_json::from_str(body).map_err(|_| failure("no answer of a gateway"))?;
    let list = |key: &str| -> Vec<String> {
        let items = body[key].as_array().into_iter().flatten();
        items.filter_map(|item| item.as_str().map(str::to_owned)).collect()
    };
    let status = head.split(' ').nth(1).unwrap_or_default();
    if status != "200" {
        let faults = list("faults");
        let message = body["message"].as_str().unwrap_or("no answer of a gateway");
        let told = if faults.is_empty() { message.to_owned() } else { faults.join("\n") };
        return Err(Failure::File(format!("nothing has changed:\n{told}")));
    }
    let needs_restart = list("needs_restart");
    say::mention(&format!("{}: read again and in force", path.display()));
    if !needs_restart.is_empty() {
        say::mention(&format!("needs a restart: {}", needs_restart.join(", ")));
    }
    Ok(())
}

fn exchange(admin: &Admin) -> std::io::Result<String> {
    match &admin.listen {
        AdminAddress::Tcp(address) => {
            let mut address = *address;
            // One that listens everywhere is here, too.
            if address.ip().is_unspecified() {
                address.set_ip(match address {
                    std::net::SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
                    std::net::SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
                });
            }
            let stream = TcpStream::connect(address)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            send(stream, admin)
        }
        AdminAddress::Unix(path) => {
            let stream = UnixStream::connect(path)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            send(stream, admin)
        }
    }
}

fn send(mut stream: impl Read + Write, admin: &Admin) -> std::io::Result<String> {
    let mut request = b"POST /reload HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n".to_vec();
    if let Some((token, _)) = &admin.token {
        request.extend_from_slice(b"Authorization: ");
        request.extend_from_slice(token.authorization(Scheme::Bearer).as_bytes());
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"Content-Length: 0\r\n\r\n");
    stream.write_all(&request)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// By a signal, to which there is no answer: the process can only say in its log what it finds.
fn signal(path: &Path, config: &Config) -> Result<(), Failure> {
    let file = Path::new(&config.server.pid_file);
    let failure = |what: &str| {
        Failure::File(format!(
            "{}: {what}; start the gateway, or send SIGHUP to it (server.pid_file)",
            file.display()
        ))
    };
    let id = pid_file::process_of(file).map_err(|error| failure(&error.to_string()))?;
    let id = id.ok_or_else(|| failure("the process that wrote it has ended"))?;
    let process = Pid::from_raw(id).ok_or_else(|| failure("it holds no process id"))?;
    kill_process(process, Signal::HUP).map_err(|error| failure(&error.to_string()))?;
    say::mention(&format!(
        "{}: good; process {id} was sent SIGHUP, and its log says what needs a restart",
        path.display()
    ));
    Ok(())
}
