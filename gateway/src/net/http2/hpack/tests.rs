//! Tests of how blocks of fields are followed.

use httlib_hpack::{Decoder, Encoder};
use proptest::prelude::*;

use super::*;

type Field = (Vec<u8>, Vec<u8>);

/// A field, and how it is written: with a name of the table, in Huffman's code, for the table.
fn field() -> impl Strategy<Value = (Field, u8)> {
    let name = prop_oneof![
        3 => Just(":path".to_owned()),
        1 => "(:pat|:paths|:scheme|cookie|x-[a-z]{0,3}|[#:a-z]{1,20})",
    ];
    let value = prop_oneof![
        3 => "/[#a-z?]{0,12}",
        1 => "[ -~]{0,200}",
        1 => "#{0,300}",
    ];
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    (name, value, flags).prop_map(|(name, value, (table, kept, short_name, short_value))| {
        let flag = |is_set, flag| if is_set { flag } else { 0 };
        let flags = flag(table, Encoder::BEST_FORMAT)
            | flag(kept, Encoder::WITH_INDEXING)
            | flag(short_name, Encoder::HUFFMAN_NAME)
            | flag(short_value, Encoder::HUFFMAN_VALUE);
        ((name.into_bytes(), value.into_bytes()), flags)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// However a block is written: in paths there is no `#` any more, and nothing else is changed.
    #[test]
    fn a_fragment_is_found_and_nothing_else(
        blocks in proptest::collection::vec(proptest::collection::vec(field(), 0..8), 1..8),
        room in proptest::option::of(0_u32..200),
        size in prop_oneof![1_usize..9, Just(usize::MAX)],
    ) {
        let (mut encoder, mut decoder) = (Encoder::default(), Decoder::default());
        let mut followed = Blocks::default();
        for (number, fields) in blocks.into_iter().enumerate() {
            let (mut bytes, mut expected) = (Vec::new(), Vec::new());
            if let (Some(room), 2) = (room, number) {
                encoder.update_max_dynamic_size(room, &mut bytes).unwrap();
            }
            for ((name, value), flags) in fields {
                encoder.encode((name.clone(), value.clone(), flags), &mut bytes).unwrap();
                let cleaned = |byte: &u8| if *byte == b'#' { b'>' } else { *byte };
                let is_path = name == PATH;
                let value = if is_path { value.iter().map(cleaned).collect() } else { value };
                expected.push((name, value));
            }
            let length = bytes.len();
            for piece in bytes.chunks_mut(size) {
                prop_assert!(followed.follow(piece).is_ok());
            }
            prop_assert_eq!(bytes.len(), length);
            prop_assert!(!followed.is_in_field());
            let mut read = Vec::new();
            decoder.decode(&mut bytes, &mut read).unwrap();
            let read: Vec<_> = read.into_iter().map(|(name, value, _)| (name, value)).collect();
            prop_assert_eq!(read, expected);
        }
    }

    #[test]
    fn following_is_total(
        mut bytes in proptest::collection::vec(any::<u8>(), 0..300),
        size in 1_usize..300,
    ) {
        let mut blocks = Blocks::default();
        for piece in bytes.chunks_mut(size) {
            if blocks.follow(piece).is_err() {
                break;
            }
        }
        prop_assert!(blocks.table.taken <= blocks.table.room);
    }
}
