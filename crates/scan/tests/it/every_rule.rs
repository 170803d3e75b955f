//! Every rule finds a value of its own form, plain and behind every encoding.

use crate::sample::sample;
use crate::scanner;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use flate2::write::GzEncoder;
use leakgraph_scan::{Confidence, Rule, Scanner, Sighting, Worker};
use std::io::Write as _;

fn with_pattern(scanner: &Scanner) -> Vec<&Rule> {
    scanner.rules().rules().iter().filter(|rule| !rule.pattern.is_empty()).collect()
}

/// The sighting of a rule in a text.
fn seen(worker: &mut Worker, rule: &Rule, text: &[u8]) -> Option<Sighting> {
    worker.scan(text).sightings.into_iter().find(|seen| seen.rule == rule.id)
}

fn join(parts: [&[u8]; 3]) -> Vec<u8> {
    parts.concat()
}

#[test]
fn there_are_enough_kinds_and_ids_are_unique() {
    let scanner = scanner();
    let rules = scanner.rules().rules();
    let ids: std::collections::BTreeSet<&str> = rules.iter().map(|rule| rule.id.as_str()).collect();
    let kinds: std::collections::BTreeSet<&str> = rules.iter().map(|rule| rule.kind.as_str()).collect();
    assert_eq!(ids.len(), rules.len());
    let shapes = ["private_key", "jwt", "uri_credential", "generic_secret", "authorization"];
    assert!(shapes.iter().all(|kind| kinds.contains(kind)));
    assert!(kinds.len() - shapes.len() >= 600, "{} provider kinds", kinds.len() - shapes.len());
}

#[test]
fn plain_values_are_found_with_offset_line_and_name() {
    let scanner = scanner();
    let mut worker = scanner.worker();
    let mut missed = Vec::new();
    for rule in with_pattern(scanner) {
        for seed in 0..3 {
            let value = sample(rule, seed);
            let text = join([b"first line\nMY_NAME=\"", &value, b"\"\nlast line\n"]);
            let Some(seen) =
                seen(&mut worker, rule, &text).filter(|seen| seen.confidence >= Confidence::Likely)
            else {
                missed.push(&rule.id);
                continue;
            };
            assert_eq!((seen.line, seen.offset), (2, 20), "{}", rule.id);
            assert_eq!(seen.len, value.len(), "{}", rule.id);
            assert!(seen.encodings.is_empty());
            if seen.value_bytes == value.len() {
                assert_eq!(seen.name.as_deref(), Some("MY_NAME"), "{}", rule.id);
                assert_eq!(seen.fingerprint, worker.fingerprint(&value));
            }
        }
    }
    assert!(missed.is_empty(), "not found, or not likely: {missed:?}");
}

#[test]
fn encoded_values_are_the_same_secret() {
    let scanner = scanner();
    let mut worker = scanner.worker();
    let (mut reversed, mut missed) = (0, Vec::new());
    for rule in with_pattern(scanner) {
        let value = sample(rule, 11);
        // A shorter value gives a run too short to be looked at.
        if value.len() < 18 {
            continue;
        }
        let Some(plain) = seen(&mut worker, rule, &join([b"k: ", &value, b" "])) else {
            missed.push(format!("{} in clear", rule.id));
            continue;
        };
        let hex: String = value.iter().map(|byte| format!("{byte:02x}")).collect();
        let percent: String = value.iter().map(|byte| format!("%{byte:02X}")).collect();
        let once = STANDARD.encode(&value);
        let mut gzip = GzEncoder::new(Vec::new(), flate2::Compression::best());
        gzip.write_all(&value).unwrap();
        let utf16: Vec<u8> = value.iter().flat_map(|byte| [*byte, 0]).collect();
        let cases: Vec<(&[&str], String)> = vec![
            (&["base64"], once.clone()),
            (&["base64"], URL_SAFE_NO_PAD.encode(&value)),
            (&["base64", "base64"], STANDARD.encode(&once)),
            (&["hex"], hex),
            (&["percent"], percent),
            (&["base64", "gzip"], STANDARD.encode(gzip.finish().unwrap())),
            (&["base64", "utf16"], STANDARD.encode(utf16)),
        ];
        for (encodings, text) in cases {
            let found = seen(&mut worker, rule, format!("out {text} end").as_bytes());
            let Some(found) = found else {
                missed.push(format!("{} behind {encodings:?}", rule.id));
                continue;
            };
            assert_eq!(
                (found.encodings.as_slice(), &found.fingerprint),
                (
                    encodings.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>().as_slice(),
                    &plain.fingerprint
                ),
                "{}",
                rule.id
            );
        }
        let backwards: Vec<u8> = value.iter().rev().copied().collect();
        if let Some(found) = seen(&mut worker, rule, &join([b"rev ", &backwards, b" end"])) {
            assert_eq!(found.encodings, ["reversed"], "{}", rule.id);
            assert_eq!(found.fingerprint, plain.fingerprint, "{}", rule.id);
            reversed += 1;
        }
    }
    assert!(missed.is_empty(), "not found: {missed:#?}");
    assert!(reversed >= 30, "only {reversed} kinds are read backwards");
}

#[test]
fn colours_and_timestamps_do_not_hide_a_value() {
    let scanner = scanner();
    let mut worker = scanner.worker();
    for rule in with_pattern(scanner) {
        let value = sample(rule, 5);
        let (head, tail) = value.split_at(value.len() / 2);
        let text =
            [b"2026-10-02T09:14:07.1234567Z v ".as_slice(), head, b"\x1b[0m\x1b[32m", tail, b"\x1b[0m\r\n"]
                .concat();
        let found =
            seen(&mut worker, rule, &text).unwrap_or_else(|| panic!("{} is hidden by colour", rule.id));
        let whole = seen(&mut worker, rule, &join([b"v ", &value, b" "])).expect("plain");
        assert_eq!(found.fingerprint, whole.fingerprint, "{}", rule.id);
    }
}

#[test]
fn previews_show_little() {
    let scanner = scanner();
    let mut worker = scanner.worker();
    for rule in with_pattern(scanner) {
        let value = sample(rule, 2);
        let seen = seen(&mut worker, rule, &join([b"v ", &value, b" "]))
            .unwrap_or_else(|| panic!("{} is not found", rule.id));
        let fixed = rule.keywords.iter().map(String::len).max().unwrap_or(0);
        assert!(seen.preview.chars().count() <= fixed + 5, "{}: {}", rule.id, seen.preview);
    }
}
