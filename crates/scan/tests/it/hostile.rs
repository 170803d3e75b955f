//! Input made to hurt: endless lines, zeros, broken encodings, bombs.

use crate::sample::sample;
use crate::scanner;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::write::GzEncoder;
use leakgraph_scan::Scanner;
use std::io::Write as _;

fn token(scanner: &Scanner, seed: u64) -> Vec<u8> {
    let rule = scanner.rules().rules().iter().find(|rule| rule.id == "github-classic").unwrap();
    sample(rule, seed)
}

/// Windows of a long line are this long and share so much.
const WINDOW: usize = 1 << 20;
const OVERLAP: usize = 64 << 10;

#[test]
fn secrets_anywhere_in_a_long_line_are_found_once() {
    let scanner = scanner();
    let mut worker = scanner.worker();
    let mut line = b"ab, ".repeat(3 * WINDOW / 4);
    let edges = [WINDOW - OVERLAP, WINDOW - OVERLAP / 2, WINDOW, 2 * (WINDOW - OVERLAP)];
    let mut expected = Vec::new();
    for (index, at) in edges.iter().flat_map(|edge| [edge - 100, edge - 20, edge + 60]).enumerate() {
        let value = [b" ".as_slice(), &token(scanner, 100 + index as u64), b" "].concat();
        expected.push((at + 1, worker.fingerprint(&value[1..value.len() - 1])));
        line.splice(at..at + value.len(), value);
    }
    let encoded = STANDARD.encode([b"k: ".as_slice(), &token(scanner, 99)].concat());
    let hidden = worker.fingerprint(&token(scanner, 99));
    let at = WINDOW + 5000;
    line.splice(at..at + encoded.len(), encoded.bytes());
    expected.sort();
    let seen = worker.scan(&line).sightings;
    let found: Vec<_> = seen
        .iter()
        .filter(|one| one.encodings.is_empty())
        .map(|one| (one.offset, one.fingerprint.clone()))
        .collect();
    assert_eq!(found, expected);
    assert_eq!(seen.iter().filter(|one| one.fingerprint == hidden).count(), 1);
    assert!(seen.iter().all(|one| one.line == 1));
}

#[test]
fn zeros_and_broken_utf8_hide_nothing() {
    let scanner = scanner();
    let mut worker = scanner.worker();
    let value = token(scanner, 1);
    let fingerprint = worker.fingerprint(&value);
    for junk in [&b"\0\0\0"[..], b"\xff\xfe\xfd", b"\xc3", b"\x80 \xf0\x9f", b"\x1b", b"\x1b[0m", b"\x1b]8;;"]
    {
        let text = [b"a\n".as_slice(), junk, b" ", &value, junk, b"\nb"].concat();
        let seen = worker.scan(&text).sightings;
        assert!(seen.iter().any(|one| one.fingerprint == fingerprint), "{junk:?}");
    }
}

/// Long matches that begin everywhere and end nowhere: each alone would be read to its end.
#[test]
fn a_line_of_beginnings_costs_its_share_and_says_so() {
    let scanner = scanner();
    let value = token(scanner, 7);
    let beginnings = [
        ["PuTTY-User-Key-File-3: ssh-rsa ".repeat(300).as_str(), "Private-Lines: 1 "].concat(),
        ["{", "\"kty\":\"RSA\",".repeat(200).as_str(), "\"d\":1,"].concat(),
        ["\"type\":\"external_account_authorized_user\"".repeat(20).as_str(), "\"refresh_token\":"].concat(),
        "eyJ-".to_owned(),
    ];
    for (number, beginning) in beginnings.iter().enumerate() {
        let line = beginning.repeat((1 << 20) / beginning.len());
        let text = [b"first\n", line.as_bytes(), b" ", &value, b" \n", &value, b"\n"].concat();
        // Nothing of such a line is remembered as clean.
        for _ in 0..2 {
            let scan = scanner.worker().scan(&text);
            let gap = scan.gaps.first().map(|gap| (gap.reason, (6..line.len()).contains(&gap.offset)));
            assert_eq!(gap, Some(("budget", true)), "beginning {number}");
            let lines: Vec<_> = scan.sightings.iter().map(|one| one.line).collect();
            assert_eq!(lines, [2, 3], "tokens behind it are found");
        }
        let scan = scanner.worker().scan(&line.as_bytes()[..1000]);
        assert!(scan.gaps.is_empty(), "a line of usual length is read in full");
    }
}

#[test]
fn a_gap_in_what_is_encoded_stands_where_its_encoding_does() {
    let lines = format!("{}\n", "eyJ-".repeat(1000)).repeat(400);
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(lines.as_bytes()).unwrap();
    let text = format!("first\ndata: {}\n", STANDARD.encode(encoder.finish().unwrap()));
    let gaps = scanner().worker().scan(text.as_bytes()).gaps;
    assert_eq!(gaps.iter().map(|gap| (gap.offset, gap.reason)).collect::<Vec<_>>(), [(12, "budget")]);
}

#[test]
fn a_bomb_spends_the_budget_and_says_so() {
    let scanner = scanner();
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&vec![b'a'; 4 << 20]).unwrap();
    let bomb = STANDARD.encode(encoder.finish().unwrap());
    let text = format!("{bomb}\n").repeat(20);
    let scan = scanner.worker().scan(text.as_bytes());
    assert_eq!(scan.gaps.first().map(|gap| gap.reason), Some("budget"));
    let one = scanner.worker().scan(bomb.as_bytes());
    assert!(one.gaps.is_empty());
}

#[test]
fn bombs_do_not_hide_what_stands_behind_them() {
    let scanner = scanner();
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&vec![b'a'; 1 << 20]).unwrap();
    let bomb = STANDARD.encode(encoder.finish().unwrap());
    let hidden = STANDARD.encode([b"k: ".as_slice(), &token(scanner, 5)].concat());
    let mut worker = scanner.worker();
    let fingerprint = worker.fingerprint(&token(scanner, 5));
    for separator in [", ", "\n"] {
        let text = [vec![bomb.as_str(); 20].join(separator), hidden.clone()].join(separator);
        let scan = worker.scan(text.as_bytes());
        assert_eq!(scan.gaps.first().map(|gap| gap.reason), Some("budget"));
        assert!(scan.sightings.iter().any(|seen| seen.fingerprint == fingerprint), "{separator:?}");
    }
}

#[test]
fn every_value_of_a_long_query_is_seen() {
    let scanner = scanner();
    let mut worker = scanner.worker();
    let values: Vec<Vec<u8>> = (0..200).map(|seed| token(scanner, seed)).collect();
    let query = |value: &Vec<u8>| {
        let weak = value.iter().rev().take(24).map(|byte| char::from(*byte)).collect::<String>();
        format!("my_secret={weak}%26t%3D{}%26", String::from_utf8_lossy(value))
    };
    let text: String = values.iter().map(query).collect();
    let seen = worker.scan(text.as_bytes()).sightings;
    for value in &values {
        let fingerprint = worker.fingerprint(value);
        assert_eq!(seen.iter().filter(|one| one.fingerprint == fingerprint).count(), 1);
    }
}

/// Each header, keyword or line could be the beginning of much that follows.
#[test]
fn what_begins_everywhere_is_not_read_to_the_end_each_time() {
    let mut worker = scanner().worker();
    for unit in [
        "H4sI",
        "H4sI+",
        "H4sIAAAAAAAA/",
        "+ABa",
        // Lines that each may be the rest of a token or begin one.
        "YWJjZGVmZ2hpamts=\n",
        "eyJ0eXAiOiAiVENWMiJ9.\n",
        "-keypass \n",
        "amzn1.oa2-cs.v1.\n",
    ] {
        let text = unit.repeat((32 << 10) / unit.len());
        assert!(worker.scan(text.as_bytes()).sightings.is_empty(), "{unit}");
        worker.redact(&text);
    }
}

#[test]
fn nested_and_repeated_encodings_end() {
    let scanner = scanner();
    let mut worker = scanner.worker();
    let mut deep = token(scanner, 3);
    for _ in 0..20 {
        deep = STANDARD.encode(&deep).into_bytes();
        if deep.len() > 1 << 20 {
            break;
        }
    }
    assert!(worker.scan(&deep).sightings.is_empty());
    for unit in [
        "%25",
        "\\\\",
        "\\u005c",
        "-----BEGIN ",
        "ghp_",
        "AKIA",
        "a b ",
        "eyJ",
        "://a:",
        "00000000: 41\n",
        "QUJD\n",
        "password=",
    ] {
        let text = unit.repeat((256 << 10) / unit.len());
        let scan = worker.scan(text.as_bytes());
        assert!(scan.sightings.len() < 1000, "{unit}: {}", scan.sightings.len());
    }
}
