//! Tells the service manager that has started the process, such as systemd, how it is.

use std::os::unix::net::{SocketAddr, UnixDatagram};

use rustix::time::{ClockId, clock_gettime};

/// What is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Requests are served, by what the files say now.
    Ready,
    /// Files are being read again.
    Reloading,
    /// The process is about to end.
    Stopping,
}

impl State {
    fn text(self) -> String {
        match self {
            Self::Ready => "READY=1\n".to_owned(),
            Self::Reloading => {
                let now = clock_gettime(ClockId::Monotonic);
                let micros = now.tv_sec * 1_000_000 + now.tv_nsec / 1000;
                format!("RELOADING=1\nMONOTONIC_USEC={micros}\n")
            }
            Self::Stopping => "STOPPING=1\n".to_owned(),
        }
    }
}

/// Tells it, if there is a service manager that wants to know: it names a socket in `NOTIFY_SOCKET`.
pub fn tell(state: State) {
    #[expect(
        clippy::disallowed_methods,
        reason = "it is no configuration, but by whom the process was started"
    )]
    let Ok(socket) = std::env::var("NOTIFY_SOCKET") else { return };
    let sent = address(&socket).and_then(|address| {
        UnixDatagram::unbound()?.send_to_addr(state.text().as_bytes(), &address)
    });
    if let Err(error) = sent {
        log::warn!("the service manager was not told {state:?}: {error} (NOTIFY_SOCKET)");
    }
}

#[cfg(target_os = "linux")]
fn address(socket: &str) -> std::io::Result<SocketAddr> {
    use std::os::linux::net::SocketAddrExt;
    match socket.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(socket),
    }
}

#[cfg(not(target_os = "linux"))]
fn address(socket: &str) -> std::io::Result<SocketAddr> {
    SocketAddr::from_pathname(socket)
}
