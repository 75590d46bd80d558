use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use crate::support::PATIENCE;

/// What the relay does to what Redis says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// Hands over half of the next piece, and ends the connection; once.
    Cut,
    /// Hands over nothing, for as long as this is the fault.
    Stall,
    /// Hands it over later.
    Delay(Duration),
    /// Ends every connection that is begun.
    Refuse,
}

/// A TCP relay in front of Redis.
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    target: SocketAddr,
    fault: Mutex<Fault>,
    change: Condvar,
    connections: Mutex<Vec<TcpStream>>,
}

impl Relay {
    /// In front of the Redis at `target`.
    pub(crate) fn start(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            target,
            fault: Mutex::new(Fault::None),
            change: Condvar::new(),
            connections: Mutex::default(),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                accepting.accept(stream);
            }
        });
        Self { address, shared }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// From now on.
    pub(crate) fn suffer(&self, fault: Fault) {
        *self.shared.fault.lock().unwrap() = fault;
        self.shared.change.notify_all();
        if fault == Fault::Refuse {
            self.hang_up();
        }
    }

    /// Whether the one cut has happened.
    pub(crate) fn has_cut(&self) -> bool {
        *self.shared.fault.lock().unwrap() == Fault::None
    }

    /// Ends every connection there is.
    pub(crate) fn hang_up(&self) {
        for stream in self.shared.connections.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Shared {
    fn accept(self: &Arc<Self>, client: TcpStream) {
        if *self.fault.lock().unwrap() == Fault::Refuse {
            return;
        }
        let Ok(server) = TcpStream::connect(self.target) else { return };
        for stream in [&client, &server] {
            stream.set_nodelay(true).unwrap();
            self.connections.lock().unwrap().push(stream.try_clone().unwrap());
        }
        let (to_server, to_client) = (server.try_clone().unwrap(), client.try_clone().unwrap());
        thread::spawn(move || carry(client, to_server, |_| true));
        let shared = Arc::clone(self);
        thread::spawn(move || carry(server, to_client, |piece| shared.let_through(piece)));
    }

    /// What of `piece` is handed over, and whether the connection goes on.
    fn let_through(&self, piece: &mut Vec<u8>) -> bool {
        let mut fault = self.fault.lock().unwrap();
        if let Fault::Delay(time) = *fault {
            drop(fault);
            thread::park_timeout(time);
            return true;
        }
        let stalls = |fault: &mut Fault| *fault == Fault::Stall;
        fault = self.change.wait_timeout_while(fault, PATIENCE, stalls).unwrap().0;
        if *fault == Fault::Cut {
            *fault = Fault::None;
            piece.truncate(piece.len() / 2);
            return false;
        }
        true
    }
}

/// Carries what comes from one side to the other, to the end of either.
fn carry(mut from: TcpStream, mut to: TcpStream, let_through: impl Fn(&mut Vec<u8>) -> bool) {
    let mut buffer = vec![0; 65_536];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        let mut piece = buffer[..count].to_vec();
        let goes_on = let_through(&mut piece);
        if to.write_all(&piece).is_err() || !goes_on {
            break;
        }
    }
    for stream in [&from, &to] {
        let _ = stream.shutdown(Shutdown::Both);
    }
}
