//! Limits on requests that use the upstream at once: of all clients, of one client, and of those without a session
//! on one connection.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pingora::protocols::SocketDigest;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::api::rejection::Rejection;
use crate::limits::Limits;
use crate::request_meta::ClientKey;

/// How long a request without a session waits for its turn on its connection.
const WAIT: Duration = Duration::from_secs(10);

/// Of the requests at once on a connection of HTTP/2, one in so many may be without a session.
const WITHOUT_SESSION: usize = 4;

/// Counts the connections to the upstream that requests are using.
pub(super) struct Room {
    most: usize,
    most_per_client: usize,
    all: AtomicUsize,
    clients: Mutex<HashMap<ClientKey, Arc<Client>>>,
    most_without_session: usize,
    /// The requests without a session of each connection of HTTP/2 that has any. A connection is known
    /// by where it keeps what it knows of its socket, which a [`Turn`] keeps in place.
    connections: Mutex<HashMap<usize, Arc<Semaphore>>>,
}

/// What requests of one client use.
struct Client {
    network: ClientKey,
    used: AtomicUsize,
}

/// A client that has something to do with us. It is known for as long as anybody has this.
pub struct Known {
    room: Arc<Room>,
    client: Arc<Client>,
}

/// The use of one connection to the upstream, while it lasts.
pub(super) struct Use {
    /// Keeps the client known.
    known: Arc<Known>,
}

/// A turn of a request without a session, while it lasts.
pub(super) struct Turn {
    room: Arc<Room>,
    connection: Arc<SocketDigest>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Room {
    /// As much as `limits` allow.
    pub(super) fn new(limits: &Limits) -> Arc<Self> {
        let streams = usize::try_from(limits.http2_streams).unwrap_or(usize::MAX);
        Arc::new(Self {
            most: limits.upstream_connections,
            most_per_client: limits.upstream_connections_per_client,
            all: AtomicUsize::new(0),
            clients: Mutex::default(),
            most_without_session: (streams / WITHOUT_SESSION).max(1),
            connections: Mutex::default(),
        })
    }

    /// The client at `address`. An IPv6 client counts by its network of 64 bits.
    pub(super) fn client(self: &Arc<Self>, address: Option<IpAddr>) -> Arc<Known> {
        let network = ClientKey::of(address);
        let fresh = || Arc::new(Client { network, used: AtomicUsize::new(0) });
        let client = Arc::clone(lock(&self.clients).entry(network).or_insert_with(fresh));
        Arc::new(Known { room: Arc::clone(self), client })
    }

    /// A turn for a request without a session that came over `connection`, when there is one.
    pub(super) async fn turn(
        self: &Arc<Self>,
        connection: Arc<SocketDigest>,
    ) -> Result<Turn, Rejection> {
        let fresh = || Arc::new(Semaphore::new(self.most_without_session));
        let turns =
            Arc::clone(lock(&self.connections).entry(key(&connection)).or_insert_with(fresh));
        // Also while it waits, it is one that keeps the connection's turns.
        let mut turn = Turn { room: Arc::clone(self), connection, permit: None };
        let permit = tokio::time::timeout(WAIT, turns.acquire_owned()).await;
        turn.permit = Some(permit.ok().and_then(Result::ok).ok_or(Rejection::TooManyAtOnce)?);
        Ok(turn)
    }
}

impl Known {
    /// Whether this is the client at `address`.
    pub(super) fn is(&self, address: Option<IpAddr>) -> bool {
        self.client.network == ClientKey::of(address)
    }

    /// The use of another connection to the upstream, if there is one to be had.
    pub(super) fn take(self: &Arc<Self>) -> Result<Use, Rejection> {
        // Gives back what it has taken, whatever comes of it.
        let taken = Use { known: Arc::clone(self) };
        let of_client = self.client.used.fetch_add(1, Ordering::Relaxed);
        let of_all = self.room.all.fetch_add(1, Ordering::Relaxed);
        if of_client >= self.room.most_per_client {
            return Err(Rejection::TooManyAtOnce);
        }
        if of_all >= self.room.most {
            return Err(Rejection::UpstreamBusy);
        }
        Ok(taken)
    }
}

impl Drop for Use {
    fn drop(&mut self) {
        self.known.client.used.fetch_sub(1, Ordering::Relaxed);
        self.known.room.all.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Known {
    fn drop(&mut self) {
        let mut clients = lock(&self.room.clients);
        // The table's and this one.
        if Arc::strong_count(&self.client) <= 2 {
            clients.remove(&self.client.network);
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.permit = None;
        let mut connections = lock(&self.room.connections);
        let key = key(&self.connection);
        let is_unused = |turns: &Arc<Semaphore>| {
            Arc::strong_count(turns) == 1
                && turns.available_permits() == self.room.most_without_session
        };
        if connections.get(&key).is_some_and(is_unused) {
            connections.remove(&key);
        }
    }
}

fn key(connection: &Arc<SocketDigest>) -> usize {
    Arc::as_ptr(connection).addr()
}

fn lock<T>(table: &Mutex<T>) -> MutexGuard<'_, T> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(most: usize, most_per_client: usize) -> Arc<Room> {
        Arc::new(Room {
            most,
            most_per_client,
            all: AtomicUsize::new(0),
            clients: Mutex::default(),
            most_without_session: 2,
            connections: Mutex::default(),
        })
    }

    #[test]
    fn uses_are_counted_for_all_and_for_each() {
        let room = room(3, 2);
        let client = |address: &str| room.client(Some(address.parse().unwrap()));
        let (ada, same) = (client("1.2.3.4"), client("::ffff:1.2.3.4"));
        assert!(ada.is("1.2.3.4".parse().ok()) && !ada.is("1.2.3.5".parse().ok()));
        let (first, second) = (ada.take().ok().unwrap(), same.take().ok().unwrap());
        for known in [&ada, &same] {
            assert_eq!(known.take().err(), Some(Rejection::TooManyAtOnce));
        }
        let bob = client("2001:db8::1");
        let third = bob.take().ok().unwrap();
        assert_eq!(bob.take().err(), Some(Rejection::UpstreamBusy));
        drop(first);
        let fourth = client("2001:db8::ffff:1").take().ok().unwrap();
        assert_eq!(ada.take().err(), Some(Rejection::UpstreamBusy));
        // A client is known while anybody has to do with it, and forgotten then.
        drop((ada, same, bob));
        assert_eq!(lock(&room.clients).len(), 2);
        drop((second, third, fourth));
        assert_eq!((lock(&room.clients).len(), room.all.load(Ordering::Relaxed)), (0, 0));
    }

    #[test]
    fn who_has_no_session_waits_for_a_turn_on_the_connection() {
        let room = room(1, 1);
        let digest = || Arc::new(SocketDigest::from_raw_fd(-1));
        let (one, other) = (digest(), digest());
        let turn = async |connection: &Arc<SocketDigest>| {
            tokio::select! {
                biased;
                turn = room.turn(Arc::clone(connection)) => turn.ok(),
                () = tokio::task::yield_now() => None,
            }
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let (first, second) = (turn(&one).await.unwrap(), turn(&one).await.unwrap());
            assert!(turn(&one).await.is_none(), "it waits");
            let of_another = turn(&other).await.unwrap();
            drop(first);
            let third = turn(&one).await.unwrap();
            drop((second, third));
            assert_eq!(lock(&room.connections).len(), 1);
            drop(of_another);
            assert_eq!(lock(&room.connections).len(), 0);
        });
    }
}
