use std::future::{pending, poll_fn};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use h2::server::{Connection, SendResponse, handshake};
use h2::{Reason, RecvStream};
use http::{HeaderMap, HeaderValue, Request, Response};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, oneshot};

use crate::support::{PATIENCE, wait_until};

/// What the upstream was told.
#[derive(Debug)]
pub(crate) enum Told {
    /// A call, of this path, with these headers.
    Call(String, HeaderMap),
    /// Trailers of a request.
    Trailers(HeaderMap),
    /// A call was reset, for this reason.
    Cancelled(Reason),
}

impl Told {
    pub(crate) fn call(self) -> (String, HeaderMap) {
        match self {
            Self::Call(path, headers) => (path, headers),
            other => panic!("no call: {other:?}"),
        }
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled(_))
    }
}

/// An upstream that speaks HTTP/2 as InfluxDB 3 does: by the library under its own server (tonic).
///
/// It answers a call with one message, or does what its `x-do` says: `wait MILLISECONDS` before that, and perhaps so many
/// once more between message and end, `open` (a message,
/// and no end), `hang` (nothing more on any connection, not even the answer to a ping, until it is revived).
pub(crate) struct H2Upstream {
    pub(crate) address: SocketAddr,
    told: Receiver<Told>,
    hangs: Arc<AtomicBool>,
    closing: Arc<Notify>,
    accepted: Arc<AtomicUsize>,
    _stop: oneshot::Sender<()>,
}

impl H2Upstream {
    pub(crate) fn start() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, told) = channel();
        let hangs = Arc::<AtomicBool>::default();
        let hanging = Arc::clone(&hangs);
        let (closing, accepted) = (Arc::<Notify>::default(), Arc::<AtomicUsize>::default());
        let (closed, counted) = (Arc::clone(&closing), Arc::clone(&accepted));
        let (stop, stopped) = oneshot::channel::<()>();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                tokio::select! {
                    _ = stopped => {}
                    () = accept(TcpListener::from_std(listener).unwrap(), tell, hanging, (closed, counted)) => {}
                }
            });
        });
        Self { address, told, hangs, closing, accepted, _stop: stop }
    }

    /// Has it say nothing on new connections.
    pub(crate) fn deafen(&self) {
        self.hangs.store(true, Ordering::Relaxed);
    }

    /// Has it take no new connections.
    pub(crate) fn close(&self) {
        self.closing.notify_one();
        wait_until("nobody listens", || std::net::TcpStream::connect(self.address).is_err());
    }

    /// How many connections of HTTP/2 there were.
    pub(crate) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Has it answer again, on new connections.
    pub(crate) fn revive(&self) {
        self.hangs.store(false, Ordering::Relaxed);
    }

    /// The next thing that it is told.
    pub(crate) fn next(&self) -> Told {
        self.told.recv_timeout(PATIENCE).expect("the upstream is told something")
    }

    /// The same, if it comes in time.
    pub(crate) fn next_within(&self, time: Duration) -> Option<Told> {
        self.told.recv_timeout(time).ok()
    }
}

async fn accept(
    listener: TcpListener,
    tell: Sender<Told>,
    hangs: Arc<AtomicBool>,
    (closed, counted): (Arc<Notify>, Arc<AtomicUsize>),
) {
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => accepted.unwrap().0,
            () = closed.notified() => break,
        };
        tokio::spawn(serve(stream, tell.clone(), (Arc::clone(&hangs), Arc::clone(&counted))));
    }
    drop(listener);
    pending::<()>().await;
}

async fn serve(
    stream: TcpStream,
    tell: Sender<Told>,
    (hangs, counted): (Arc<AtomicBool>, Arc<AtomicUsize>),
) {
    if hangs.load(Ordering::Relaxed) {
        return pending().await;
    }
    let Ok(mut connection): Result<Connection<_, bytes::Bytes>, _> = handshake(stream).await else {
        return;
    };
    counted.fetch_add(1, Ordering::Relaxed);
    while let Some(Ok((request, respond))) = connection.accept().await {
        if request.headers().get("x-do").is_some_and(|it| it == "hang") {
            hangs.store(true, Ordering::Relaxed);
            // Whoever polls the connection is this loop.
            return pending().await;
        }
        tokio::spawn(answer(request, respond, tell.clone()));
    }
}

async fn answer(
    request: Request<RecvStream>,
    mut respond: SendResponse<bytes::Bytes>,
    tell: Sender<Told>,
) {
    let (head, body) = request.into_parts();
    let what = head.headers.get("x-do").map(|it| it.to_str().unwrap().to_owned());
    let what = what.unwrap_or_default();
    // Whoever does not listen any more has seen enough.
    let _ = tell.send(Told::Call(head.uri.path().to_owned(), head.headers));
    tokio::spawn(read(body, tell.clone()));
    let mut times = what.strip_prefix("wait ").unwrap_or_default().split_whitespace();
    let mut next = || times.next().map(|time| Duration::from_millis(time.parse().unwrap()));
    let (before, after) = (next(), next());
    if let Some(time) = before {
        tokio::time::sleep(time).await;
    }
    let mut response = Response::new(());
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    let mut stream = match respond.send_response(response, false) {
        Ok(stream) => stream,
        Err(error) => {
            let _ = tell.send(Told::Cancelled(error.reason().unwrap_or(Reason::INTERNAL_ERROR)));
            return;
        }
    };
    let _ = stream.send_data(vec![0; 5].into(), false);
    if what == "open" {
        if let Ok(reason) = poll_fn(|context| stream.poll_reset(context)).await {
            let _ = tell.send(Told::Cancelled(reason));
        }
        return;
    }
    if let Some(time) = after {
        tokio::time::sleep(time).await;
    }
    let status = HeaderMap::from_iter([("grpc-status".parse().unwrap(), HeaderValue::from(0))]);
    let _ = stream.send_trailers(status);
}

async fn read(mut body: RecvStream, tell: Sender<Told>) {
    while let Some(Ok(data)) = body.data().await {
        let _ = body.flow_control().release_capacity(data.len());
    }
    if let Ok(Some(trailers)) = body.trailers().await {
        let _ = tell.send(Told::Trailers(trailers));
    }
}
