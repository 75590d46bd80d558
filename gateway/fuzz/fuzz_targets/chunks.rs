//! A chunked body: its end is where a plain reader finds it, however the body arrives.
#![no_main]

use influx_gateway::internals::{Broken, Chunks};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut chunks = Chunks::START;
    let at_once = chunks.follow(bytes);
    assert_eq!(in_pieces(bytes), at_once.map(|taken| (taken, chunks.is_done())));
    let Ok(taken) = at_once else { return };
    assert!(chunks.is_done() || taken == bytes.len(), "all of it, or up to its end");
    if chunks.is_done() {
        let data = decoded(&bytes[..taken]);
        let written =
            [format!("{:x}\r\n", data.len()).as_bytes(), &data, b"\r\n0\r\n\r\n"].concat();
        let written = if data.is_empty() { b"0\r\n\r\n" } else { &*written };
        let mut again = Chunks::START;
        assert_eq!((again.follow(written), again.is_done()), (Ok(written.len()), true));
    }
});

/// What was taken, and whether the body ended, when each byte comes alone.
fn in_pieces(bytes: &[u8]) -> Result<(usize, bool), Broken> {
    let mut chunks = Chunks::START;
    let mut taken = 0;
    for byte in bytes.chunks(1) {
        taken += chunks.follow(byte)?;
    }
    Ok((taken, chunks.is_done()))
}

/// The data of a whole chunked body, which ends where `body` does.
fn decoded(body: &[u8]) -> Vec<u8> {
    let (mut data, mut rest) = (Vec::new(), body);
    loop {
        let line = line_of(&mut rest);
        let size = line.split(|&byte| byte == b';').next().expect("the first part");
        let size = std::str::from_utf8(size).expect("digits");
        let size = usize::from_str_radix(size, 16).expect("a size in hexadecimal digits");
        if size == 0 {
            while !line_of(&mut rest).is_empty() {}
            assert!(rest.is_empty(), "something follows the end");
            return data;
        }
        data.extend_from_slice(&rest[..size]);
        rest = &rest[size..];
        assert!(line_of(&mut rest).is_empty(), "something follows the data of a chunk");
    }
}

fn line_of<'a>(rest: &mut &'a [u8]) -> &'a [u8] {
    let end = rest.windows(2).position(|pair| pair == b"\r\n").expect("the end of a line");
    let line = &rest[..end];
    *rest = &rest[end + 2..];
    line
}
