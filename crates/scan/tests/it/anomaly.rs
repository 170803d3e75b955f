//! Masks that say too much, and stars that say nothing.

use crate::corpus::{corpus, logs};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use leakgraph_scan::{MaskAnomalyKind, mask_anomalies};
use proptest::prelude::*;

const STAMP: &str = "2026-11-02T09:14:07.1234567Z ";

/// Kinds and counts in a log of these lines.
fn odd(lines: &[&str]) -> Vec<(MaskAnomalyKind, usize)> {
    let text: String = lines.iter().map(|line| format!("{STAMP}{line}\n")).collect();
    mask_anomalies(text.as_bytes()).into_iter().map(|odd| (odd.kind, odd.count)).collect()
}

#[test]
fn a_mask_in_text_that_is_known_is_enough() {
    for line in [
        // The braces of a JSON secret of several lines are registered.
        "shell: /usr/bin/bash -e ***0***",
        // A port number is a secret.
        "Welcome to Ubuntu ***.04.5 LTS (GNU/Linux 5.15.0-1084-aws x86_64)",
        "Current runner version: '2.***.1'",
        "installed v***.***",
        "Version: 20260907.***.1",
    ] {
        let kinds: Vec<_> = odd(&[line]).iter().map(|(kind, _)| *kind).collect();
        assert_eq!(kinds, [MaskAnomalyKind::OverMasking], "{line}");
    }
    assert_eq!(
        odd(&["mkdir /var/[MASKED]it/ssl", "get acme/larav[MASKED]"]),
        [(MaskAnomalyKind::OverMasking, 2)]
    );
}

#[test]
fn a_mask_in_words_counts_from_the_second_word_on() {
    let lines =
        ["RUN mkdir -p /var/lib/***it/ssl", "Downloading vendor/laravel***", "mkdir -p /var/lib/***it/keys"];
    assert_eq!(odd(&lines), [(MaskAnomalyKind::OverMasking, 3)]);
    assert_eq!(odd(&lines[1..2]), []);
    assert_eq!(odd(&["in con***ure", "in pro***ure"]), [(MaskAnomalyKind::OverMasking, 2)]);
}

#[test]
fn masks_and_stars_as_they_should_be_are_left_alone() {
    let lines = [
        "  token: ***",
        "Authorization: basic ***",
        "https://x-access-token:***@github.com/acme/shop",
        "docker login -u *** --password-stdin",
        "mysql -uroot -p*** shop",
        "curl https://***.example.com/v1",
        "docker push ***/shop:1.4.2",
        "123456.dkr.ecr.***.amazonaws.com",
        "::add-mask::***",
        "make: *** [Makefile:84: test] Error 1",
        "*** Please refer to the manual",
        "***Note*** that ***nothing*** is wrong",
        "*** WARNING ***",
        "***ERROR: broken",
        "***FAILED: broken",
        "key sk-ab***9xYz rejected, key sk-cd***1aBc rejected",
        "john***@example.com and mary***@example.com",
        "card ***1234, card ***5678",
        "match src/**/*.rs, lib/***",
        "/*** a comment ***/ 1 *** 2",
        "**********************",
        "====***====",
        "***=====",
        "if [ \"***\" == \"\" ]; then",
        "Password: ********",
        "\u{1b}[36;1m***\u{1b}[0m",
        "tags: ***/***-it:latest",
        "name%20***",
    ];
    assert_eq!(odd(&lines), []);
    for line in lines {
        assert_eq!(odd(&[line, line]), [], "{line}");
    }
}

#[test]
fn what_is_left_of_base64_is_residue() {
    // The first two letters of the secret share a group with the colon.
    let user = STANDARD.encode(":pa");
    for line in [
        format!("Authorization: Basic {user}***"),
        format!("auth: {}***", STANDARD.encode("deploy:ab")),
        format!("{{\"config\":\"{}***\"}}", STANDARD.encode("{ \"token\": \"")),
        "secret_b64=***=".to_owned(),
        "out ***==".to_owned(),
        format!("***{}", STANDARD.encode("\n")),
        format!("***{}", STANDARD.encode("\",\"next\":1}")),
    ] {
        assert_eq!(odd(&[&line]), [(MaskAnomalyKind::Residue, 1)], "{line}");
    }
}

#[test]
fn aliases_and_kept_lengths_are_told() {
    let alias = "Warning: Permanently added '***,203.0.113.59' (ECDSA) to the list of known hosts.";
    assert_eq!(odd(&[alias, "PING *** (203.0.113.59) 56 bytes"]), [(MaskAnomalyKind::Alias, 2)]);
    let kept = format!("INFO:  --- polaris_access_token = {}", "*".repeat(60));
    assert_eq!(odd(&[&kept]), [(MaskAnomalyKind::LengthKept, 1)]);
}

#[test]
fn the_first_place_is_told() {
    let text = "one\ntwo ***\nUbuntu ***.04.5\nUbuntu ***.04.5\n";
    let odd = mask_anomalies(text.as_bytes());
    assert_eq!(odd.len(), 1);
    assert_eq!((odd[0].offset, odd[0].line, odd[0].count), (19, 3, 2));
}

/// Nothing else in the corpus is odd: the labelled lines were looked at, and each other log
/// with masks, too. In the one that is over-masked a user's name is a secret.
#[test]
fn of_real_logs_the_labelled_ones_are_odd() {
    let Some(corpus) = corpus() else { return };
    let mut found = Vec::new();
    for (path, text) in logs(&corpus) {
        for odd in mask_anomalies(&text) {
            let path = path.strip_prefix(&corpus).unwrap().display();
            found.push((path.to_string(), odd.kind, odd.line));
        }
    }
    let labels = std::fs::read_to_string(corpus.join("labels.csv")).unwrap();
    let labelled: Vec<(String, MaskAnomalyKind, usize)> = labels
        .lines()
        .filter_map(|label| {
            let fields: Vec<&str> = label.splitn(4, ',').collect();
            let kind = match *fields.get(2)? {
                "over_masking_common_word" => MaskAnomalyKind::OverMasking,
                "length_preserving_mask" => MaskAnomalyKind::LengthKept,
                _ => return None,
            };
            Some((fields[0].to_owned(), kind, fields[1].parse().unwrap()))
        })
        .collect();
    assert_eq!(found.len(), labelled.len(), "{found:#?}");
    for ((file, kind, line), (labelled_file, labelled_kind, labelled_line)) in found.iter().zip(&labelled) {
        assert_eq!((file, kind), (labelled_file, labelled_kind));
        // The label names one of several lines.
        assert!(line <= labelled_line, "{file}:{line}");
    }
}

proptest! {
    /// Neither panics nor places outside of the text, whatever it is.
    #[test]
    fn any_bytes_are_surveyed(parts in proptest::collection::vec("[*]{0,5}|[a-z0-9.=+/: \n-]{0,6}|\\PC{0,3}|\\[MASKED\\]", 0..40)) {
        let text = parts.concat();
        for odd in mask_anomalies(text.as_bytes()) {
            prop_assert!(odd.count > 0);
            let rest = &text.as_bytes()[odd.offset..];
            prop_assert!(rest.starts_with(b"***") || rest.starts_with(b"[MASKED]"));
            prop_assert_eq!(odd.line, 1 + text.as_bytes()[..odd.offset].iter().filter(|byte| **byte == b'\n').count());
        }
    }

    /// Registered secrets of ordinary length, printed on their own or behind a sign, are
    /// no over-masking.
    #[test]
    fn ordinary_masks_are_not_odd(names in proptest::collection::vec("[A-Z]{3,9}_(TOKEN|KEY)", 1..20), sign in "(=|: | |=\"|://user:)") {
        let text: String = names.iter().map(|name| format!("{STAMP}  {name}{sign}***\n")).collect();
        prop_assert_eq!(mask_anomalies(text.as_bytes()).len(), 0);
    }
}
