//! Connections to the upstream that nobody uses at the moment.
//!
//! Pingora has a task watch over each of its own, which is started when the connection is put back and stopped when it is
//! taken. That is dear where it is done for each request. Here a connection is looked at when it is taken: that the other
//! end has closed it is known by then, without a system call. One task for all closes what nobody has taken for long.
//!
//! A connection belongs to the runtime in which it was made: that one's threads hear of what comes over it, and have to wake
//! whoever waits. So nobody takes one from another runtime, for example of a task in the background.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use pingora::protocols::Stream;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::runtime::{Handle, Id};
use tokio::time::sleep;

/// How often those are looked for that nobody has taken for long, or that are closed.
const PACE: Duration = Duration::from_secs(1);

/// Connections that are kept for the next request.
pub struct Idle {
    /// How many, at most.
    most: usize,
    kept: Arc<Mutex<Kept>>,
}

#[derive(Default)]
struct Kept {
    /// In the order in which they came.
    connections: Vec<Connection>,
    /// Whether a task looks after them.
    has_keeper: bool,
}

struct Connection {
    stream: Stream,
    /// To whom it goes.
    key: u64,
    /// That in which it was made.
    runtime: Id,
    /// Until when it is kept.
    until: Instant,
}

impl Idle {
    /// None yet, and never more than `most`.
    pub fn new(most: usize) -> Self {
        Self { most, kept: Arc::default() }
    }

    /// One to whom `key` stands for, if this runtime has one that is open.
    pub fn take(&self, key: u64) -> Option<Stream> {
        let wanted = (key, Handle::current().id());
        loop {
            let mut connection = {
                let mut kept = self.lock();
                let is_wanted = |it: &Connection| (it.key, it.runtime) == wanted;
                let place = kept.connections.iter().rposition(is_wanted)?;
                kept.connections.remove(place)
            };
            if connection.is_open(Instant::now()) {
                return Some(connection.stream);
            }
        }
    }

    /// Keeps `stream`, which was made in this runtime and goes to whom `key` stands for, for the time of `patience`. If there
    /// are too many, the oldest goes.
    pub fn put(&self, stream: Stream, key: u64, patience: Duration) {
        let Some(until) = Instant::now().checked_add(patience).filter(|_| self.most > 0) else {
            return;
        };
        let runtime = Handle::current();
        let mut kept = self.lock();
        let is_full = kept.connections.len() >= self.most;
        let oldest = is_full.then(|| kept.connections.remove(0));
        kept.connections.push(Connection { stream, key, runtime: runtime.id(), until });
        let is_alone = !std::mem::replace(&mut kept.has_keeper, true);
        drop(kept);
        drop(oldest);
        if is_alone {
            runtime.spawn(look_after(Keeper(Arc::downgrade(&self.kept))));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        lock(&self.kept)
    }
}

impl Connection {
    /// Whether the other end has said nothing: it has nothing to say before it is asked, but that it closes.
    fn is_open(&mut self, now: Instant) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        let mut byte = [0];
        let mut buffer = ReadBuf::new(&mut byte);
        // What a task may do at once before others have their turn does not count here: there is no other answer.
        let read = tokio::task::unconstrained(std::future::poll_fn(|context| {
            Pin::new(&mut self.stream).poll_read(context, &mut buffer)
        }));
        now < self.until && std::pin::pin!(read).poll(&mut context).is_pending()
    }
}

/// Whoever looks after them. The next one is needed when it goes, be it with its runtime.
struct Keeper(Weak<Mutex<Kept>>);

impl Drop for Keeper {
    fn drop(&mut self) {
        if let Some(kept) = self.0.upgrade() {
            lock(&kept).has_keeper = false;
        }
    }
}

/// Closes what nobody has taken for long, until there is nothing left.
async fn look_after(mut keeper: Keeper) {
    loop {
        sleep(PACE).await;
        let Some(kept) = keeper.0.upgrade() else { return };
        let mut kept = lock(&kept);
        let now = Instant::now();
        let over = kept.connections.extract_if(.., |it| !it.is_open(now)).collect::<Vec<_>>();
        let is_done = kept.connections.is_empty();
        if is_done {
            // Under the lock: who puts one back from now on starts another.
            kept.has_keeper = false;
            keeper.0 = Weak::new();
        }
        drop(kept);
        drop(over);
        if is_done {
            return;
        }
    }
}

fn lock(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use pingora::protocols::l4::stream;
    use tokio::io::AsyncWriteExt;
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    /// A connection, and its other end.
    async fn pair() -> (Stream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (near, far) =
            tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
        (Box::new(stream::Stream::from(near.unwrap())), far.unwrap().0)
    }

    /// Has the runtime hear of what has happened, until so many are `open`.
    async fn hear(idle: &Idle, open: usize) {
        let is_heard = || {
            let mut kept = idle.lock();
            kept.connections
                .iter_mut()
                .filter_map(|it| it.is_open(Instant::now()).then_some(()))
                .count()
                == open
        };
        while !is_heard() {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_connection_goes_to_whom_it_was_to() {
        let idle = Idle::new(2);
        let (near, _far) = pair().await;
        idle.put(near, 1, LONG);
        assert!(idle.take(2).is_none());
        assert!(idle.take(1).is_some());
        assert!(idle.take(1).is_none());
    }

    #[tokio::test]
    async fn what_is_closed_or_has_something_to_say_is_not_used() {
        let idle = Idle::new(3);
        let ((near, far), (other, mut talks), (third, _silent)) =
            (pair().await, pair().await, pair().await);
        for near in [third, near, other] {
            idle.put(near, 1, LONG);
        }
        drop(far);
        talks.write_all(b"HTTP/1.1 408 Request Timeout\r\n\r\n").await.unwrap();
        hear(&idle, 1).await;
        assert!(idle.take(1).is_some());
        assert!(idle.take(1).is_none());
    }

    #[test]
    fn a_runtime_keeps_its_connections_to_itself_and_those_of_others_are_looked_after_without_it() {
        let runtime =
            || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (one, other) = (runtime(), runtime());
        let idle = Idle::new(2);
        let _far = one.block_on(async {
            let (near, far) = pair().await;
            idle.put(near, 1, LONG);
            far
        });
        other.block_on(async {
            assert!(idle.take(1).is_none());
            // The one that looks after all goes with its runtime.
            one.shutdown_background();
            let (near, mut far) = pair().await;
            idle.put(near, 1, Duration::from_millis(1));
            assert_closed(&mut far).await;
        });
    }

    #[tokio::test]
    async fn the_oldest_makes_room_and_none_is_kept_without_room_or_time() {
        let idle = Idle::new(1);
        let ((first, mut first_far), (second, _second_far)) = (pair().await, pair().await);
        idle.put(first, 1, LONG);
        idle.put(second, 2, LONG);
        assert!(idle.take(1).is_none());
        assert!(idle.take(2).is_some());
        assert_closed(&mut first_far).await;

        let (near, mut far) = pair().await;
        idle.put(near, 1, Duration::ZERO);
        assert!(idle.take(1).is_none());
        assert_closed(&mut far).await;

        let (near, mut far) = pair().await;
        Idle::new(0).put(near, 1, LONG);
        assert_closed(&mut far).await;
    }

    #[tokio::test]
    async fn what_nobody_takes_is_closed() {
        let idle = Idle::new(1);
        let (near, mut far) = pair().await;
        idle.put(near, 1, Duration::from_millis(1));
        // By the task that looks after it.
        assert_closed(&mut far).await;
        assert!(!idle.lock().has_keeper || idle.lock().connections.is_empty());
    }

    async fn assert_closed(far: &mut TcpStream) {
        let mut byte = [0];
        let read = tokio::io::AsyncReadExt::read(far, &mut byte);
        assert_eq!(tokio::time::timeout(LONG, read).await.unwrap().unwrap(), 0);
    }
}
