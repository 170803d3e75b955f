//! Redacted text holds no planted secret, whatever stands around it.
//!
//! Input: which secret, where, and the text.

#![no_main]

use leakgraph_fuzz::{Secret, choice, scanner, secrets};
use libfuzzer_sys::fuzz_target;
use std::sync::OnceLock;

/// Secrets of rules that need no words around them, on one line.
fn planted() -> &'static [&'static Secret] {
    static PLANTED: OnceLock<Vec<&Secret>> = OnceLock::new();
    PLANTED.get_or_init(|| {
        let stands_alone = |secret: &&Secret| {
            secret.rule.context.is_empty()
                && !secret.rule.shape
                && secret.value == secret.text
                && secret.value.iter().all(u8::is_ascii_graphic)
        };
        secrets().iter().filter(stands_alone).collect()
    })
}

fuzz_target!(|data: &[u8]| {
    let Some((which, rest)) = choice(data) else { return };
    let Some((place, rest)) = choice(rest) else { return };
    let text = String::from_utf8_lossy(rest);
    let secret = planted()[which % planted().len()];
    let value = String::from_utf8_lossy(&secret.value);
    // Glued to other letters it is no token.
    if text.contains(&*value) {
        return;
    }
    let at = (0..=text.len() * place / 255).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let (before, after) = text.split_at(at);
    let mut worker = scanner().worker();
    let _alone = worker.redact(&text);
    let redacted = worker.redact(&format!("{before}\n{value}\n{after}"));
    assert!(!redacted.contains(&*value), "a secret of {} is left", secret.rule.id);
});
