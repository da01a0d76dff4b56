//! How do ids come about that never repeat and are the same for one seed?

use std::fmt::Write as _;

/// A well mixed number for one seed, one purpose and one counter.
pub(crate) fn mix(seed: u64, purpose: &str, n: u64) -> u64 {
    let mut state = seed ^ 0x9e37_79b9_7f4a_7c15;
    for byte in purpose.bytes() {
        state = step(state ^ u64::from(byte));
    }
    step(state ^ step(n))
}

/// One of `0..bound`.
pub(crate) fn pick(seed: u64, purpose: &str, n: u64, bound: usize) -> usize {
    let bound = u64::try_from(bound.max(1)).unwrap_or(u64::MAX);
    usize::try_from(mix(seed, purpose, n) % bound).unwrap_or(0)
}

/// A lower-case hexadecimal text of `length` characters.
pub(crate) fn hex(seed: u64, purpose: &str, n: u64, length: usize) -> String {
    let mut text = String::with_capacity(length + 16);
    let mut round = 0;
    while text.len() < length {
        let word = mix(seed ^ round, purpose, n);
        // writing to a String cannot fail
        write!(text, "{word:016x}").unwrap_or_default();
        round += 1;
    }
    text.truncate(length);
    text
}

/// A random-looking version 4 UUID.
pub(crate) fn uuid(seed: u64, purpose: &str, n: u64) -> String {
    let text = hex(seed, purpose, n, 32);
    format!(
        "{}-{}-4{}-a{}-{}",
        &text[0..8],
        &text[8..12],
        &text[13..16],
        &text[17..20],
        &text[20..32]
    )
}

fn step(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::{hex, mix, uuid};

    #[test]
    fn one_seed_gives_one_id_and_another_seed_another() {
        assert_eq!(uuid(1, "chat", 5), uuid(1, "chat", 5));
        assert_ne!(uuid(1, "chat", 5), uuid(2, "chat", 5));
        assert_ne!(uuid(1, "chat", 5), uuid(1, "chat", 6));
        assert_ne!(mix(1, "a", 1), mix(1, "b", 1));
    }

    #[test]
    fn shapes_are_those_of_a_uuid_and_of_a_hex_text() {
        let id = uuid(7, "chat", 1);
        assert_eq!(id.len(), 36);
        assert_eq!(&id[14..15], "4");
        assert_eq!(hex(7, "sign", 1, 128).len(), 128);
    }
}
