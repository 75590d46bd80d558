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
pub struct ConcurrencyLimits {
    most: AtomicUsize,
    most_per_client: AtomicUsize,
    all: AtomicUsize,
    clients: Mutex<HashMap<ClientKey, Arc<Client>>>,
    most_without_session: usize,
    /// The requests without a session of each connection of HTTP/2 that has any. A connection is known
    /// by where it keeps what it knows of its socket, which a [`AnonymousPermit`] keeps in place.
    connections: Mutex<HashMap<usize, Arc<Semaphore>>>,
}

/// What requests of one client use.
struct Client {
    key: ClientKey,
    used: AtomicUsize,
}

/// A client that has something to do with us. It is known for as long as anybody has this.
pub struct KnownClient {
    limits: Arc<ConcurrencyLimits>,
    client: Arc<Client>,
}

/// The use of one connection to the upstream, while it lasts.
pub struct UpstreamSlot {
    /// Keeps the client known.
    known: Arc<KnownClient>,
}

/// A turn of a request without a session, while it lasts.
pub struct AnonymousPermit {
    limits: Arc<ConcurrencyLimits>,
    connection: Arc<SocketDigest>,
    permit: Option<OwnedSemaphorePermit>,
}

impl ConcurrencyLimits {
    /// As much as `limits` allow.
    pub fn new(limits: &Limits) -> Arc<Self> {
        let streams = usize::try_from(limits.http2_streams).unwrap_or(usize::MAX);
        Arc::new(Self {
            most: AtomicUsize::new(limits.upstream_connections),
            most_per_client: AtomicUsize::new(limits.upstream_connections_per_client),
            all: AtomicUsize::new(0),
            clients: Mutex::default(),
            most_without_session: (streams / WITHOUT_SESSION).max(1),
            connections: Mutex::default(),
        })
    }

    /// Allows so many connections to the upstream from now on.
    pub fn set_limits(&self, limits: &Limits) {
        self.most.store(limits.upstream_connections, Ordering::Relaxed);
        self.most_per_client.store(limits.upstream_connections_per_client, Ordering::Relaxed);
    }

    /// The client at `address`. An IPv6 client counts by its key of 64 bits.
    pub fn client(self: &Arc<Self>, address: Option<IpAddr>) -> Arc<KnownClient> {
        let key = ClientKey::of(address);
        let fresh = || Arc::new(Client { key, used: AtomicUsize::new(0) });
        let client = Arc::clone(lock(&self.clients).entry(key).or_insert_with(fresh));
        Arc::new(KnownClient { limits: Arc::clone(self), client })
    }

    /// A turn for a request without a session that came over `connection`, when there is one.
    pub async fn anonymous_permit(
        self: &Arc<Self>,
        connection: Arc<SocketDigest>,
    ) -> Result<AnonymousPermit, Rejection> {
        let fresh = || Arc::new(Semaphore::new(self.most_without_session));
        let turns =
            Arc::clone(lock(&self.connections).entry(key(&connection)).or_insert_with(fresh));
        // Also while it waits, it is one that keeps the connection's turns.
        let mut turn = AnonymousPermit { limits: Arc::clone(self), connection, permit: None };
        let permit = tokio::time::timeout(WAIT, turns.acquire_owned()).await;
        turn.permit = Some(permit.ok().and_then(Result::ok).ok_or(Rejection::TooManyAtOnce)?);
        Ok(turn)
    }
}

impl KnownClient {
    /// Whether this is the client at `address`.
    pub fn is(&self, address: Option<IpAddr>) -> bool {
        self.client.key == ClientKey::of(address)
    }

    /// The use of another connection to the upstream, if there is one to be had.
    pub fn take(self: &Arc<Self>) -> Result<UpstreamSlot, Rejection> {
        // Gives back what it has taken, whatever comes of it.
        let taken = UpstreamSlot { known: Arc::clone(self) };
        let of_client = self.client.used.fetch_add(1, Ordering::Relaxed);
        let of_all = self.limits.all.fetch_add(1, Ordering::Relaxed);
        if of_client >= self.limits.most_per_client.load(Ordering::Relaxed) {
            return Err(Rejection::TooManyAtOnce);
        }
        if of_all >= self.limits.most.load(Ordering::Relaxed) {
            return Err(Rejection::UpstreamBusy);
        }
        Ok(taken)
    }
}

impl Drop for UpstreamSlot {
    fn drop(&mut self) {
        self.known.client.used.fetch_sub(1, Ordering::Relaxed);
        self.known.limits.all.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for KnownClient {
    fn drop(&mut self) {
        let mut clients = lock(&self.limits.clients);
        // The table's and this one.
        if Arc::strong_count(&self.client) <= 2 {
            clients.remove(&self.client.key);
        }
    }
}

impl Drop for AnonymousPermit {
    fn drop(&mut self) {
        self.permit = None;
        let mut connections = lock(&self.limits.connections);
        let key = key(&self.connection);
        let is_unused = |turns: &Arc<Semaphore>| {
            Arc::strong_count(turns) == 1
                && turns.available_permits() == self.limits.most_without_session
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

    fn limits_of(most: usize, most_per_client: usize) -> Arc<ConcurrencyLimits> {
        Arc::new(ConcurrencyLimits {
            most: most.into(),
            most_per_client: most_per_client.into(),
            all: AtomicUsize::new(0),
            clients: Mutex::default(),
            most_without_session: 2,
            connections: Mutex::default(),
        })
    }

    #[test]
    fn uses_are_counted_for_all_and_for_each() {
        let limits = limits_of(3, 2);
        let client = |address: &str| limits.client(Some(address.parse().unwrap()));
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
        assert_eq!(lock(&limits.clients).len(), 2);
        drop((second, third, fourth));
        assert_eq!((lock(&limits.clients).len(), limits.all.load(Ordering::Relaxed)), (0, 0));
    }

    #[test]
    fn who_has_no_session_waits_for_a_turn_on_the_connection() {
        let limits = limits_of(1, 1);
        let digest = || Arc::new(SocketDigest::from_raw_fd(-1));
        let (one, other) = (digest(), digest());
        let turn = async |connection: &Arc<SocketDigest>| {
            tokio::select! {
                biased;
                turn = limits.anonymous_permit(Arc::clone(connection)) => turn.ok(),
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
            assert_eq!(lock(&limits.connections).len(), 1);
            drop(of_another);
            assert_eq!(lock(&limits.connections).len(), 0);
        });
    }
}
