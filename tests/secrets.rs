use std::collections::HashSet;
use std::fs::File;
use std::os::unix::fs::FileExt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::support::*;

const PAGE: usize = 4096;

/// What the process has in memory that it may write to, its heaps and stacks, but for pages of
/// zeros.
fn memory(gateway: &Gateway) -> Vec<Vec<u8>> {
    let of = |name: &str| format!("/proc/{}/{name}", gateway.pid());
    let memory = File::open(of("mem")).expect(
        "the memory of a child can be read: by root, or where kernel.yama.ptrace_scope is below 2",
    );
    let mut runs = vec![Vec::new()];
    for line in std::fs::read_to_string(of("maps")).unwrap().lines() {
        let (range, rest) = line.split_once(' ').unwrap();
        let (start, end) = range.split_once('-').unwrap();
        let [start, end] = [start, end].map(|text| u64::from_str_radix(text, 16).unwrap());
        let mut bytes = vec![0; usize::try_from(end - start).unwrap()];
        // What was given back in the meantime is not there to be read.
        if !rest.starts_with("rw") || memory.read_exact_at(&mut bytes, start).is_err() {
            continue;
        }
        for page in bytes.chunks(PAGE) {
            if page == &[0; PAGE][..page.len()] {
                runs.push(Vec::new());
            } else {
                runs.last_mut().unwrap().extend(page);
            }
        }
        runs.push(Vec::new());
    }
    runs.retain(|run| !run.is_empty());
    runs
}

/// What of `wanted` is in memory.
fn find<'a>(memory: &[Vec<u8>], wanted: impl Iterator<Item = &'a Vec<u8>>) -> HashSet<&'a Vec<u8>> {
    // By its first two bytes, or it would take long.
    let mut by_head = vec![Vec::new(); 1 << 16];
    let head = |bytes: &[u8]| usize::from(u16::from_be_bytes([bytes[0], bytes[1]]));
    for one in wanted {
        by_head[head(one)].push(one);
    }
    let mut found = HashSet::new();
    for run in memory {
        for at in 0..run.len() - 1 {
            let begun = by_head[head(&run[at..])].iter().copied();
            found.extend(begun.filter(|one| run[at..].starts_with(one)));
        }
    }
    found
}

const SESSIONS: usize = 200;

/// Sessions are kept by their digests. A token passes through buffers and over stacks; what is freed is
/// not wiped, and copies stay behind until something else comes to lie there: of one token in eight to
/// four, as the allocator has it. If tokens were kept, it would be all of them.
#[test]
fn s_18_the_tokens_of_live_sessions_are_not_kept() {
    let config = format!("[session]\nmax_sessions_per_user = {SESSIONS}\n");
    let gateway = Gateway::start_with(Upstream::start().address, &config, &users(&["ada", "bob"]));
    let visit = |session: &str| {
        for target in ["/api/v2/me", "/api/v2/buckets"] {
            let answer = gateway.connect().send(&get(target, &[&cookie(session)]));
            assert_eq!(answer.status, 200);
        }
    };
    let sessions: Vec<_> = (0..SESSIONS).map(|_| gateway.sign_in("ada")).collect();
    for session in &sessions {
        visit(session);
    }
    let other = gateway.sign_in("bob");
    for _ in 0..50 {
        visit(&other);
    }
    let texts = sessions.iter().map(|session| session.split_once('=').unwrap().1.as_bytes());
    let texts: Vec<_> = texts.map(<[u8]>::to_vec).collect();
    let tokens: Vec<_> = texts.iter().map(|text| URL_SAFE_NO_PAD.decode(text).unwrap()).collect();
    let digests: Vec<_> = tokens.iter().map(|token| Sha256::digest(token).to_vec()).collect();
    let memory = memory(&gateway);
    let found = find(&memory, digests.iter().chain(&texts).chain(&tokens));
    let count = |all: &[Vec<u8>]| all.iter().filter(|one| found.contains(one)).count();
    assert_eq!(count(&digests), SESSIONS, "what is kept is found");
    for (what, all) in [("cookies", &texts), ("tokens", &tokens)] {
        let left = count(all);
        assert!(left <= SESSIONS / 2, "{left} of {SESSIONS} {what} are in memory");
    }
    for session in &sessions {
        visit(session);
    }
}
