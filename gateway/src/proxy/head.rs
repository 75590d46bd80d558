//! Takes the head of a request from Pingora, and gives it back.

use std::mem;

use http::Request;
use http::request::Parts;
use pingora::http::RequestHeader;

/// Gives up how the client spelled names and target: a second map, which every step has to copy, to
/// search and to drop besides. Names go upstream in lower case, as they do from HTTP/2; of a target in
/// absolute form, the path.
pub fn simplify(request: &mut RequestHeader) {
    rewrite(request, |_| {});
}

/// Has `change` change the head, which is simple then.
pub fn rewrite(request: &mut RequestHeader, change: impl FnOnce(&mut Parts)) {
    let (nothing, ()) = Request::new(()).into_parts();
    let mut parts = Parts::from(mem::replace(request, nothing.into()));
    change(&mut parts);
    *request = parts.into();
}
