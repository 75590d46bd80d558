//! HTTP/2, as far as it is read before Pingora does: the preface, and the paths of requests.

pub mod frames;
mod hpack;
mod huffman;
