use std::io::{BufRead, BufReader, Write, copy};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use serde_json::Value;

use crate::programs::python;
use crate::support::*;

/// Arrow's Flight server; killed when dropped.
pub(crate) struct FlightServer {
    pub(crate) address: SocketAddr,
    child: Child,
    pub(crate) said: Receiver<Value>,
}

impl FlightServer {
    pub(crate) fn start(pair: &[&Path]) -> Self {
        let mut child = python("flight_server.py")
            .args(pair)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, said) = channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let _ = sender.send(serde_json::from_str(&line).unwrap());
            }
        });
        let first: Value = said.recv_timeout(PATIENCE).expect("the Flight server starts");
        let port = first["port"].as_u64().unwrap();
        Self { address: format!("127.0.0.1:{port}").parse().unwrap(), child, said }
    }

    /// The next thing that it says.
    pub(crate) fn next(&self) -> Value {
        self.said.recv_timeout(PATIENCE).expect("the upstream is asked")
    }

    pub(crate) fn saw_nothing(&self) -> bool {
        self.said.try_iter().count() == 0
    }

    /// Has a call for drops give its next row.
    pub(crate) fn drip(&mut self, row: u32) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{row}").unwrap();
    }

    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for FlightServer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What stands for InfluxDB 3: on one address Arrow's Flight server, and an endpoint of HTTP/1 that takes every write.
pub(crate) struct InfluxDb3 {
    pub(crate) address: SocketAddr,
    pub(crate) queries: FlightServer,
    pub(crate) writes: Upstream,
}

impl InfluxDb3 {
    pub(crate) fn start() -> Self {
        let queries = FlightServer::start(&[]);
        let writes = Upstream::behaving(|_, stream| {
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").is_ok()
        });
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let servers = (queries.address, writes.address);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                thread::spawn(move || pass_on(client, servers));
            }
        });
        Self { address, queries, writes }
    }
}

/// Connects a client to the first of `servers` if it begins with HTTP/2, and to the second if not.
fn pass_on(client: TcpStream, servers: (SocketAddr, SocketAddr)) -> Option<()> {
    let mut first = [0; 4];
    while client.peek(&mut first).ok()? < first.len() {}
    let server = TcpStream::connect(if first == *b"PRI " { servers.0 } else { servers.1 }).ok()?;
    let pass = |from: &TcpStream, to: &TcpStream| {
        let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
        move || {
            let _ = copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Write);
        }
    };
    thread::spawn(pass(&server, &client));
    pass(&client, &server)();
    Some(())
}
