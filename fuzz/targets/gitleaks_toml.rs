//! Rule files of gitleaks.
//!
//! Input: as it stands, or (odd first byte) a pattern, keywords and more of one rule, line by line.

#![no_main]

use leakgraph_fuzz::{choice, rules::load};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((mode, rest)) = choice(data) else { return };
    let Ok(text) = std::str::from_utf8(rest) else { return };
    if mode % 2 == 0 {
        // The key tells the format.
        return load(&format!("minVersion = \"1\"\n{text}"));
    }
    let mut lines = text.lines();
    let mut next = || format!("{:?}", lines.next().unwrap_or_default());
    let (regex, keyword, allowed, path, stop) = (next(), next(), next(), next(), next());
    load(&format!(
        "[[rules]]\nid = \"one\"\nregex = {regex}\nkeywords = [{keyword}]\nsecretGroup = {group}\n\
         entropy = 1.5\n[[rules.allowlists]]\nregexes = [{allowed}]\npaths = [{path}]\nstopwords = [{stop}]\n\
         condition = \"AND\"\nregexTarget = \"line\"\n",
        group = mode / 2 % 3,
    ));
});
