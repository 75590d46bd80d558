//! HTTP/1.0 clients: they get neither chunks nor interim answers.

use http::Version;
use http::header::{EXPECT, TRANSFER_ENCODING};
use pingora::http::ResponseHeader;

use super::Downstream;

/// Sees to it that such a client gets one answer: an expectation of leave to go on is none, and no
/// interim answer is passed on (RFC 9110 sections 10.1.1 and 15.2).
pub fn expect_one_answer(downstream: &mut Downstream) {
    if speaks(downstream) {
        downstream.req_header_mut().remove_header(&EXPECT);
        downstream.as_downstream_mut().set_ignore_info_resp(true);
    }
}

/// Takes the chunks off an answer to such a client: its body ends with the connection (RFC 9112
/// section 6.1).
pub fn unchunk(downstream: &mut Downstream, response: &mut ResponseHeader) {
    if speaks(downstream) && response.remove_header(&TRANSFER_ENCODING).is_some() {
        downstream.set_keepalive(None);
    }
}

fn speaks(downstream: &Downstream) -> bool {
    downstream.req_header().version == Version::HTTP_10
}
