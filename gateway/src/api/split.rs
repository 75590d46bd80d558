//! Splitting bytes at separators.

use memchr::memchr_iter;

/// What stands between the bytes `separator` in `bytes`, as `slice::split` gives it, but looking for them
/// many bytes at once: heads, cookies and paths of every request are split.
pub(super) fn split(bytes: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let mut start = 0;
    memchr_iter(separator, bytes).chain([bytes.len()]).map(move |end| {
        let piece = &bytes[start..end];
        start = end + 1;
        piece
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_splits_as_slices_do(text in "[a;]{0,80}") {
            let plain: Vec<_> = text.as_bytes().split(|&byte| byte == b';').collect();
            prop_assert_eq!(split(text.as_bytes(), b';').collect::<Vec<_>>(), plain);
        }
    }
}
