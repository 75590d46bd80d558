//! Tunnels between connections in memory.

use std::future::poll_fn;

use super::*;
use std::sync::atomic::Ordering;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::timeout;

/// A tunnel between two connections, driven in the background; their other ends.
fn tunnel(
    early: [&'static [u8]; 2],
    patience: Duration,
) -> (DuplexStream, DuplexStream, Arc<Moved>) {
    let ((client, own), (server, other)) = (duplex(100), duplex(100));
    let moved = Arc::<Moved>::default();
    let mut tunnel = Tunnel::new(Box::new(other), early[1].into(), patience, &moved);
    let (mut own, mut early): (Stream, BytesMut) = (Box::new(own), early[0].into());
    tokio::spawn(async move {
        let _ = poll_fn(|context| tunnel.poll(&mut own, &mut early, context)).await;
    });
    (client, server, moved)
}

const LONG: Duration = Duration::from_secs(300);

#[tokio::test(start_paused = true)]
async fn both_ways_at_once_and_what_came_early_first() {
    let (mut client, mut server, moved) = tunnel([b"early", b"first"], LONG);
    let much = vec![7; 100_000];
    client.write_all(b"-").await.unwrap();
    let echo = tokio::spawn(async move {
        let (mut seen, mut buffer) = (Vec::new(), [0; 77]);
        loop {
            let count = server.read(&mut buffer).await.unwrap();
            if count == 0 {
                return seen;
            }
            seen.extend_from_slice(&buffer[..count]);
            server.write_all(&buffer[..count]).await.unwrap();
        }
    });
    let (mut reader, mut writer) = tokio::io::split(client);
    let sent = much.clone();
    let writing = tokio::spawn(async move {
        writer.write_all(&sent).await.unwrap();
        writer.shutdown().await.unwrap();
    });
    let mut back = Vec::new();
    reader.read_to_end(&mut back).await.unwrap();
    writing.await.unwrap();
    let expected = [b"early-", &much[..]].concat();
    assert_eq!(echo.await.unwrap(), expected);
    assert_eq!(back, [b"first", &expected[..]].concat());
    assert_eq!(moved.received.load(Ordering::Relaxed), 100_006);
    assert_eq!(moved.sent.load(Ordering::Relaxed), 100_011);
}

#[tokio::test(start_paused = true)]
async fn it_ends_when_it_is_silent_for_too_long_and_no_sooner() {
    let (mut client, mut server, _) = tunnel([b"", b""], LONG);
    for (from, to) in [(true, false), (false, true), (true, false)] {
        sleep(Duration::from_secs(299)).await;
        let mut byte = [0];
        if from && !to {
            client.write_all(b"a").await.unwrap();
            server.read_exact(&mut byte).await.unwrap();
        } else {
            server.write_all(b"b").await.unwrap();
            client.read_exact(&mut byte).await.unwrap();
        }
    }
    let begun = Instant::now();
    let end = timeout(2 * LONG, client.read(&mut [0])).await;
    assert_eq!(end.expect("it ends").unwrap(), 0);
    assert_eq!(server.read(&mut [0]).await.unwrap(), 0);
    assert_eq!(begun.elapsed().as_secs(), LONG.as_secs());
}

#[tokio::test(start_paused = true)]
async fn who_has_said_the_last_is_soon_left() {
    let (mut client, mut server, _) = tunnel([b"", b""], LONG);
    let begun = Instant::now();
    client.shutdown().await.unwrap();
    assert_eq!(server.read(&mut [0]).await.unwrap(), 0);
    assert_eq!(begun.elapsed(), Duration::ZERO, "it is told at once");
    // The other side does not close by itself, and goes on for a while.
    for _ in 0..10 {
        sleep(Duration::from_secs(1)).await;
        server.write_all(b"x").await.unwrap();
        client.read_exact(&mut [0]).await.unwrap();
    }
    let silent = Instant::now();
    assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
    assert_eq!(silent.elapsed().as_secs(), LAST_WORDS.as_secs());
}

#[tokio::test(start_paused = true)]
async fn who_is_gone_is_not_waited_for() {
    let (client, mut server, _) = tunnel([b"", b""], LONG);
    let begun = Instant::now();
    drop(client);
    while server.write_all(b"x").await.is_ok() {
        sleep(Duration::from_millis(10)).await;
    }
    assert!(begun.elapsed() < LAST_WORDS, "{:?}", begun.elapsed());
}
