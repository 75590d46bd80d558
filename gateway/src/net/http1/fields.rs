//! Header fields as HTTP/1 writes them.

use bytes::{BufMut, BytesMut};
use http::HeaderMap;

/// Writes `fields`, and the empty line that ends a head.
pub fn put(head: &mut BytesMut, fields: &HeaderMap) {
    for (name, value) in fields {
        head.put_slice(name.as_str().as_bytes());
        head.put_slice(b": ");
        head.put_slice(value.as_bytes());
        head.put_slice(b"\r\n");
    }
    head.put_slice(b"\r\n");
}
