//! Checksums, colour codes and pairs.

use crate::sample::sample;
use crate::scanner;
use leakgraph_scan::Confidence;

fn github(good: bool) -> String {
    let body: String = (0..30u8).map(|i| char::from(b'a' + (i * 7) % 26)).collect();
    let mut crc = crc32fast::hash(body.as_bytes()) ^ u32::from(!good);
    let alphabet = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut sum = [b'0'; 6];
    for digit in sum.iter_mut().rev() {
        *digit = alphabet[(crc % 62) as usize];
        crc /= 62;
    }
    format!("{}{}{}", "ghp_", body, String::from_utf8_lossy(&sum))
}
#[test]
fn the_checksum_decides_confidence() {
    let scanner = scanner();
    for (good, confidence) in [(true, Confidence::VerifiedStructure), (false, Confidence::Possible)] {
        let scan = scanner.worker().scan(format!("first\nTOKEN={}\n", github(good)).as_bytes());
        assert_eq!(scan.sightings.len(), 1);
        assert_eq!((scan.sightings[0].line, scan.sightings[0].offset), (2, 12));
        assert_eq!(scan.sightings[0].confidence, confidence);
    }
}
#[test]
fn a_token_cut_by_colour_is_found_and_redacted() {
    let token = github(true);
    let (left, right) = token.split_at(9);
    let text = format!("2026-11-02T09:14:07.1234567Z use {left}\u{1b}[31m{right}\u{1b}[0m now");
    let redacted = scanner().worker().redact(&text);
    assert!(redacted.contains("use [github_pat "), "{redacted}");
    assert!(!redacted.contains(left) && !redacted.contains(right));
}
#[test]
fn a_short_token_is_not_found() {
    let token = github(true);
    assert!(scanner().worker().scan(&token.as_bytes()[..30]).sightings.is_empty());
}

#[test]
fn a_secret_access_key_is_found_beside_its_id() {
    let id = ["AKIA", "W5TFQ2LN6ZJ7RBXA"].concat();
    let secret = ["q8Zr2Lk0Vn5Tw7BxHc3M", "d9Fj1Gs6Ye4Ua+PiKo/T"].concat();
    for text in [
        format!("AWS_ACCESS_KEY_ID={id}\nAWS_REGION=eu-central-1\nAWS_SECRET_ACCESS_KEY={secret}\n"),
        format!("[default]\n{id}\n{secret}\n"),
        format!("{{\"AccessKeyId\":\"{id}\",\"SecretAccessKey\":\"{secret}\"}}"),
    ] {
        let scan = scanner().worker().scan(text.as_bytes());
        let kinds: Vec<&str> = scan.sightings.iter().map(|seen| seen.kind.as_str()).collect();
        assert_eq!(kinds, ["aws_access_key_id", "aws_secret_access_key"], "{text}");
    }
}

#[test]
fn what_is_inside_a_uri_is_named_after_its_issuer() {
    let text = format!("fatal: unable to access 'https://x-access-token:{}@github.com/o/r/'", github(true));
    let scan = scanner().worker().scan(text.as_bytes());
    assert_eq!(scan.sightings.len(), 1);
    assert_eq!(scan.sightings[0].kind, "github_pat");
}

#[test]
fn budgets_are_said_to_be_hit() {
    let text = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo".repeat(60_000);
    let scan = scanner().worker().scan(text.as_bytes());
    assert_eq!(scan.gaps.first().map(|gap| gap.reason), Some("budget"));
}

/// Entra client secrets: three letters of Marvin32 over the 37 before (the sample that
/// Microsoft publishes is in `check::azure`).
#[test]
fn an_entra_secret_counts_by_its_checksum() {
    let rules = scanner().rules().rules();
    let rule = rules.iter().find(|rule| rule.id == "azure-client-secret").unwrap();
    for seed in 0..40 {
        let value = String::from_utf8(sample(rule, seed)).unwrap();
        let last = if value.ends_with('x') { "y" } else { "x" };
        let wrong = format!("{}{last}", value.split_at(value.len() - 1).0);
        for (shown, confidence) in [(value, Confidence::VerifiedStructure), (wrong, Confidence::Possible)] {
            for text in [
                format!("AZURE_CLIENT_SECRET={shown}\n"),
                format!("{{\"clientSecret\": \"{shown}\"}}"),
                format!("az login --service-principal -u app {shown} now"),
            ] {
                let seen = scanner().worker().scan(text.as_bytes()).sightings;
                let of_rule: Vec<_> = seen.iter().filter(|one| one.rule == rule.id).collect();
                assert_eq!(of_rule.len(), 1, "{text}: {seen:?}");
                assert_eq!(of_rule[0].confidence, confidence, "{text}");
            }
        }
    }
}

#[test]
fn a_token_short_of_one_character_is_the_whole_one() {
    let token = github(true);
    let (short, _) = token.split_at(token.len() - 1);
    let worker = &mut scanner().worker();
    let seen = worker.scan(format!("token {short} end").as_bytes()).sightings;
    assert_eq!(seen.len(), 1);
    assert_eq!((seen[0].value_bytes, seen[0].len), (token.len(), short.len()));
    assert_eq!(seen[0].fingerprint, worker.fingerprint(token.as_bytes()));
    // Without the right checksum nothing tells it from another word.
    assert!(worker.scan(format!("token {}x end", token.split_at(38).0).as_bytes()).sightings.is_empty());
}
