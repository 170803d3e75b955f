//! Rule files: whatever is accepted must build and scan.

use crate::{check_scan, key, scratch, secrets};
use leakgraph_scan::user_rules::Level;
use leakgraph_scan::{Error, RuleSet, Scanner};
use std::sync::OnceLock;

/// Every so many texts, by their length, stand beside the embedded rules, which are
/// slower to load.
const WITH_EMBEDDED: usize = 256;

/// Loads a rule file and scans with what it gives.
pub fn load(text: &str) {
    let path = scratch("rules.toml");
    std::fs::write(&path, text).expect("a scratch file");
    let with_embedded = text.len() % WITH_EMBEDDED == 0;
    let base = if with_embedded { RuleSet::builtin().expect("embedded rules") } else { RuleSet::empty() };
    match base.extended(&[path]) {
        Ok((rules, remarks)) => {
            assert!(remarks.iter().all(|remark| remark.level < Level::Error), "{remarks:?}");
            if !with_embedded {
                scan(rules, text.as_bytes());
            }
        }
        Err(Error::UserRules(remarks)) => {
            let lines = 1 + text.bytes().filter(|byte| *byte == b'\n').count();
            assert!(remarks.iter().any(|remark| remark.level == Level::Error), "{remarks:?}");
            assert!(remarks.iter().all(|remark| remark.line <= lines && !remark.message.is_empty()));
        }
        Err(other) => panic!("rule files fail by remarks: {other}"),
    }
}

/// What `extended` accepts must build.
fn scan(rules: RuleSet, own: &[u8]) {
    let scanner = Scanner::new(rules, key()).unwrap_or_else(|error| panic!("accepted, but: {error}"));
    let mut worker = scanner.worker();
    for text in [own, sample_text()] {
        check_scan(text, &worker.scan_at("logs/1_build.txt", text));
    }
}

fn sample_text() -> &'static [u8] {
    static TEXT: OnceLock<Vec<u8>> = OnceLock::new();
    TEXT.get_or_init(|| {
        let lines = secrets().iter().step_by(9).map(|secret| secret.text.as_slice());
        let more: [&[u8]; 3] = [b"aaaaaaaaaaaaaaaaaaaaaaaaaaaa", b"acme_token = \"0123456789abcdef\"", b""];
        lines.chain(more).collect::<Vec<_>>().join(&b'\n')
    })
}
