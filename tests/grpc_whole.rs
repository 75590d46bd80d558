use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use crate::frames::*;
use crate::gateway_tokens;
use crate::secure::SecureGateway;
use crate::support::*;

const DO_GET: &str = "/arrow.flight.protocol.FlightService/DoGet";

/// What a server of HTTP/2 lets each stream send at first (RFC 9113 section 6.5.2).
const INITIAL_WINDOW_SIZE: u16 = 4;

/// An upstream that has no room for any message, and answers each call at its head with the status 5. It tells the kind and
/// the stream of each frame that comes.
fn narrow() -> (SocketAddr, Receiver<(u8, u32)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, told) = channel();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let tell = tell.clone();
            thread::spawn(move || be_narrow(stream, &tell));
        }
    });
    (address, told)
}

fn be_narrow(mut stream: TcpStream, tell: &Sender<(u8, u32)>) -> std::io::Result<()> {
    stream.read_exact(&mut [0; 24])?;
    let no_room = [&INITIAL_WINDOW_SIZE.to_be_bytes()[..], &0_u32.to_be_bytes()].concat();
    stream.write_all(&frame(SETTINGS, 0, 0, &no_room))?;
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head)?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        stream.read_exact(&mut vec![0; usize::try_from(length).unwrap()])?;
        let call = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        let _ = tell.send((head[3], call));
        let answer = match head[3] {
            SETTINGS if head[4] & ACK == 0 => frame(SETTINGS, ACK, 0, &[]),
            HEADERS => {
                let fields = [(":status", "200"), ("grpc-status", "5"), ("grpc-message", "none")];
                frame(HEADERS, END_HEADERS | END_STREAM, call, &block(&fields))
            }
            _ => continue,
        };
        stream.write_all(&answer)?;
    }
}

#[test]
fn an_answer_comes_through_though_the_upstream_takes_nothing_of_the_call() {
    let (address, told) = narrow();
    let folder = Gateway::prepare("http://127.0.0.1:1", "", &users(&["ada"]));
    let token = format!("Bearer {}", gateway_tokens::add(folder.path(), &["ada"]));
    let users = std::fs::read_to_string(folder.path().join("users.toml")).unwrap();
    let config = "kind = \"influxdb3\"\ngrpc = true\n[server]\nthreads = 1\n";
    let secure = SecureGateway::start_for(address, "", config, &users);
    let mut connection = Connection::open(&secure, &[]);
    // The first may be sent before it is known that there is no room.
    for _ in 0..3 {
        let more = [("te", "trailers"), ("content-type", "application/grpc")];
        let fields = [&head("POST", DO_GET)[..], &more, &[("authorization", &token)]].concat();
        let stream = connection.send(&fields, Some(&[0; 5]));
        let answer = connection.finish(stream).answer();
        assert_eq!(answer.header("grpc-status"), Some("5"), "{answer:?}");
        assert_eq!((answer.header("grpc-message"), &*answer.body), (Some("none"), &b""[..]));
    }
    let told: Vec<_> = told.try_iter().collect();
    let calls: Vec<_> = told.iter().filter(|(kind, _)| *kind == HEADERS).collect();
    assert_eq!(calls, [&(HEADERS, 1), &(HEADERS, 3), &(HEADERS, 5)], "on one connection");
    assert!(!told.contains(&(DATA, 5)), "there was no room for a message: {told:?}");
}
