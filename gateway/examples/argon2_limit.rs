//! How many Argon2 hashes a second this machine can do: what sign-ins are measured against in
//! `docs/signin.md`.
//!
//! `cargo run --release --example argon2_limit -- 2 5` hashes in two threads for five seconds, at the
//! cost of the gateway's own default, and prints hashes a second. Each thread has one memory that it
//! keeps, and the priority that the gateway's hashing threads have.

use std::thread;
use std::time::{Duration, Instant};

use argon2::{Algorithm, Argon2, Block, Params, Version};
use rustix::process::setpriority_process;

/// The `nice` of the gateway's hashing threads: whoever else is busy on the machine meanwhile is in
/// the way of both alike.
const NICE: i32 = 10;

#[expect(clippy::print_stdout, reason = "the answer")]
fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut number = || arguments.next().and_then(|argument| argument.parse().ok());
    let (Some(threads), Some(seconds)) = (number(), number()) else {
        panic!("two whole numbers: threads, seconds");
    };
    let time = Duration::from_secs(seconds);
    let running: Vec<_> = (0..threads).map(|_| thread::spawn(move || hash_for(time))).collect();
    let all = running.into_iter().map(|thread| thread.join().expect("hashing does not panic"));
    println!("{:.3}", all.sum::<f64>());
}

/// Hashes for `time`; hashes a second, to the end of the last one.
fn hash_for(time: Duration) -> f64 {
    // Of this thread alone. Where it is not allowed, hashing goes on as before.
    let _ = setpriority_process(None, NICE);
    let params = Params::new(19 * 1024, 2, 1, Some(32)).expect("Argon2 is defined for this");
    let mut memory = vec![Block::new(); params.block_count()];
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let mut hash = || {
        let mut output = [0; 32];
        let done = argon2.hash_password_into_with_memory(
            b"correct horse",
            b"sixteen of bytes",
            &mut output,
            &mut memory[..],
        );
        done.expect("Argon2 is defined for these lengths");
    };
    // The first one finds its memory without pages.
    hash();
    let (began, mut count) = (Instant::now(), 0_u32);
    while began.elapsed() < time {
        hash();
        count += 1;
    }
    f64::from(count) / began.elapsed().as_secs_f64()
}
