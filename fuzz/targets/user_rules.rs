//! Rule files in our own format, and lists of allowed fingerprints.
//!
//! Input: as it stands, or (by the first byte) a pattern and keywords of one rule, line by line.

#![no_main]

use leakgraph_fuzz::{choice, rules::load};
use leakgraph_model::Timestamp;
use leakgraph_scan::Allow;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((mode, rest)) = choice(data) else { return };
    let Ok(text) = std::str::from_utf8(rest) else { return };
    match mode % 4 {
        // The key tells the format.
        0 => load(&format!("disabled_rules = []\n{text}")),
        1 => {
            let _refused = Allow::new().add_fingerprints("list", text, Timestamp(0)).is_err();
        }
        mode => {
            let mut lines = text.lines();
            let mut next = || format!("{:?}", lines.next().unwrap_or_default());
            let (pattern, keyword, other, value, path) = (next(), next(), next(), next(), next());
            let words = if mode == 2 { "keywords" } else { "context" };
            load(&format!(
                "[[rules]]\nid = \"one\"\nprovider = \"acme\"\nkind = \"token\"\npattern = {pattern}\n\
                 {words} = [{keyword}, {other}]\nlifetime = \"long\"\nseverity = \"high\"\n\
                 [[allow]]\nreason = \"r\"\nvalues = [{value}]\npaths = [{path}]\n",
            ));
        }
    }
});
