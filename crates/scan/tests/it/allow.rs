//! Exceptions suppress what they cover, and nothing is lost.

use crate::{key, scanner};
use leakgraph_model::Timestamp;
use leakgraph_scan::{Allow, AllowedBy, Error, FingerprintKey, RuleSet, Scan, Scanner};

fn value() -> String {
    ["q8Zr2Lk0", "Vn5Tw7Bx"].concat()
}

fn scan(allow: Allow, text: &str) -> Scan {
    crate::new_scanner().with_allow(allow).unwrap().worker().scan(text.as_bytes())
}

fn now() -> Timestamp {
    Timestamp::parse("2026-11-21T12:00:00Z").unwrap()
}

#[test]
fn comments_in_a_log_are_ignored_unless_turned_on() {
    for comment in ["leakgraph:allow", "gitleaks:allow", "leakgraph:allow=generic-assignment"] {
        let text = format!("DB_PASSWORD={} # {comment}\n", value());
        let ignored = scan(Allow::new(), &text);
        assert_eq!((ignored.sightings.len(), ignored.suppressed.len()), (1, 0), "{comment}");
        let honoured = scan(Allow::new().with_comments(), &text);
        assert_eq!((honoured.sightings.len(), honoured.suppressed.len()), (0, 1), "{comment}");
        assert_eq!(honoured.suppressed[0].by, AllowedBy::Comment);
        assert_eq!(honoured.suppressed[0].sighting.rule, "generic-assignment");
    }
}

#[test]
fn comments_cover_their_line_and_rule_only() {
    let other_line = format!("# leakgraph:allow\nDB_PASSWORD={}\n# leakgraph:allow", value());
    let other_rule = format!("DB_PASSWORD={} # leakgraph:allow=npm", value());
    for text in [other_line, other_rule] {
        let seen = scan(Allow::new().with_comments(), &text);
        assert_eq!((seen.sightings.len(), seen.suppressed.len()), (1, 0), "{text}");
    }
}

#[test]
fn listed_fingerprints_are_suppressed_until_they_end() {
    let fingerprint = scanner().worker().fingerprint(value().as_bytes());
    let text = format!("DB_PASSWORD={}", value());
    for (line, is_allowed) in [
        (fingerprint.clone(), true),
        (format!("{} until=2026-11-21 rotated next week # ticket 7", fingerprint.to_uppercase()), true),
        (format!("{fingerprint} until=2026-11-20 rotated"), false),
        ("0".repeat(32), false),
    ] {
        let mut allow = Allow::new();
        let list = format!("# reviewed\n\nkey_id={}\n{line}\n", key().key_id());
        let warnings = allow.add_fingerprints("allow.txt", &list, now()).unwrap();
        let seen = scan(allow, &text);
        assert_eq!(seen.suppressed.len(), usize::from(is_allowed), "{line}");
        assert_eq!(seen.sightings.len(), usize::from(!is_allowed), "{line}");
        if line.contains("until=2026-11-21") {
            assert_eq!(seen.suppressed[0].reason, "rotated next week");
        }
        let has_ended = line.contains("until=2026-11-20");
        assert_eq!(warnings.len(), usize::from(has_ended));
        assert!(warnings.iter().all(|warning| warning.line == 4 && warning.message.contains("has ended")));
    }
}

#[test]
fn broken_lists_are_refused_as_a_whole() {
    let fingerprint = "0".repeat(32);
    let text = format!("{fingerprint}\nnothing\n{fingerprint} until=tomorrow\n");
    let mut allow = Allow::new();
    let Err(Error::UserRules(errors)) = allow.add_fingerprints("allow.txt", &text, now()) else {
        panic!("the list is taken")
    };
    assert_eq!(errors.iter().map(|error| error.line).collect::<Vec<_>>(), [2, 3]);
    assert!(errors[0].to_string().starts_with("allow.txt:2: error: "), "{}", errors[0]);
    assert_eq!(allow.fingerprints(), 0);
}

#[test]
fn lists_under_another_key_are_refused() {
    let mut allow = Allow::new();
    allow.add_fingerprints("a", &format!("key_id=00000000\n{}", "0".repeat(32)), now()).unwrap();
    let scanner = Scanner::new(RuleSet::builtin().unwrap(), FingerprintKey::from_bytes([7; 32])).unwrap();
    assert!(matches!(scanner.with_allow(allow), Err(Error::AllowKey { .. })));
}

#[test]
fn what_is_suppressed_is_still_redacted() {
    let scanner = crate::new_scanner().with_allow(Allow::new().with_comments()).unwrap();
    let redacted = scanner.worker().redact(&format!("DB_PASSWORD={} # leakgraph:allow", value()));
    assert!(!redacted.contains(&value()));
}

#[test]
fn known_secrets_are_covered_by_fingerprint_only() {
    use leakgraph_scan::known::{Format, Import, KnownSecrets};
    let import = || KnownSecrets::new([Import::read(Format::Bytes, "kv", value().as_bytes()).unwrap()]);
    let text = format!("out {} # leakgraph:allow", value());
    let commented =
        crate::new_scanner().with_known(import()).with_allow(Allow::new().with_comments()).unwrap();
    assert_eq!(commented.worker().scan(text.as_bytes()).sightings.len(), 1);
    let mut allow = Allow::new();
    let fingerprint = scanner().worker().fingerprint(value().as_bytes());
    allow.add_fingerprints("a", &fingerprint, now()).unwrap();
    let listed =
        crate::new_scanner().with_known(import()).with_allow(allow).unwrap().worker().scan(text.as_bytes());
    assert_eq!((listed.sightings.len(), listed.suppressed.len()), (0, 1));
}
