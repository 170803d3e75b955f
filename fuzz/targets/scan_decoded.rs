//! What hides behind encodings of encodings is looked for within a budget.
//!
//! Input: how many wrappers, the wrappers, what stands around, and the text.

#![no_main]

use leakgraph_fuzz::{check_scan, choice, scanner, wrap::wrap};
use libfuzzer_sys::fuzz_target;

const AROUND: [(&[u8], &[u8]); 6] = [
    (b"", b""),
    (b"value: ", b"\n"),
    (b"{\"data\": \"", b"\"}"),
    (b"echo ", b" | base64 -d"),
    (b"\x1b[36;1m", b"\x1b[0m\r\n"),
    (b"https://host.test/?q=", b"&x=1"),
];

fuzz_target!(|data: &[u8]| {
    let Some((count, rest)) = choice(data) else { return };
    let (wrappers, rest) = rest.split_at(rest.len().min(count % 5));
    let Some((around, text)) = choice(rest) else { return };
    let mut text = text.to_vec();
    for wrapper in wrappers {
        text = wrap(&text, *wrapper);
    }
    let (before, after) = AROUND[around % AROUND.len()];
    let text = [before, &text, after].concat();
    let scan = scanner().worker().scan(&text);
    check_scan(&text, &scan);
    assert!(scan.gaps.iter().all(|gap| ["budget", "long_line"].contains(&gap.reason)));
});
