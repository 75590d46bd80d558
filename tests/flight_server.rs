use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
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
