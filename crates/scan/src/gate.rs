//! What keeps noise out: entropy and placeholders.

use aho_corasick::AhoCorasick;
pub(crate) use leakgraph_model::entropy;
use std::sync::LazyLock;

/// Words that only stand where a value should be.
const STAND_INS: [&[u8]; 23] = [
    b"***",
    b"example",
    b"placeholder",
    b"changeme",
    b"change_me",
    b"change-me",
    b"your",
    b"redacted",
    b"dummy",
    b"sample",
    b"insert",
    b"replace",
    b"xxxx",
    b"****",
    b"....",
    b"${",
    b"$(",
    b"{{",
    b"<",
    b"%s",
    b"not-a-",
    b"undefined",
    b"n/a",
];

/// Words that are no values.
const WORDS: [&[u8]; 14] = [
    b"password",
    b"passwd",
    b"secret",
    b"token",
    b"true",
    b"false",
    b"null",
    b"none",
    b"test",
    b"postgres",
    b"root",
    b"admin",
    b"guest",
    b"user",
];

/// All of [`STAND_INS`] in either case.
static ANY_STAND_IN: LazyLock<AhoCorasick> = LazyLock::new(|| {
    let builder = AhoCorasick::builder().ascii_case_insensitive(true).build(STAND_INS);
    builder.expect("constant words")
});

/// Whether a value is a mask, a reference or an example and no secret.
pub(crate) fn is_placeholder(value: &[u8]) -> bool {
    WORDS.iter().any(|word| value.eq_ignore_ascii_case(word))
        || value.starts_with(b"$")
        || ANY_STAND_IN.is_match(value)
        || value.windows(4).any(|four| four.iter().all(|byte| Some(byte) == four.first()) && value.len() < 24)
}

/// Whether a value mixes kinds of characters as made-up ones do.
pub(crate) fn is_mixed(value: &[u8]) -> bool {
    let digits = value.iter().filter(|byte| byte.is_ascii_digit()).count();
    let letters = value.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    digits >= 2 && letters >= 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stand_ins_are_known() {
        for value in
            ["***", "${TOKEN}", "$TOKEN", "<your-token>", "changeme123", "xxxxxxxx", "aaaa", "password"]
        {
            assert!(is_placeholder(value.as_bytes()), "{value}");
        }
        assert!(!is_placeholder(b"q8Zr2Lk0Vn5Tw7"));
        assert!(entropy(b"aaaa") < 0.1 && entropy(b"q8Zr2Lk0Vn5Tw7") > 3.5);
    }
}
