//! What must hold for any text.

use crate::sample::sample;
use crate::{new_scanner, scanner};
use proptest::prelude::*;

use leakgraph_scan::{Scan, Scanner};
use std::sync::OnceLock;

/// With the memo, and without.
fn scanners() -> &'static (Scanner, Scanner) {
    static BOTH: OnceLock<(Scanner, Scanner)> = OnceLock::new();
    BOTH.get_or_init(|| (new_scanner(), new_scanner().with_memo_lines(0)))
}

fn shown(scan: Scan) -> String {
    format!("{:?} {:?}", scan.sightings, scan.gaps)
}

/// Lines that start, continue or end what spans lines, and lines that do nothing.
fn line() -> impl Strategy<Value = Vec<u8>> {
    (0_u64..24, 0_u64..6, 0_usize..40).prop_map(|(kind, seed, cut)| {
        let rules: Vec<_> =
            scanners().0.rules().rules().iter().filter(|rule| !rule.pattern.is_empty()).collect();
        let value = sample(rules[usize::try_from(seed * 11 + kind).unwrap() % rules.len()], seed);
        let cut = cut.min(value.len());
        let id = ["AKIA", "W5TFQ2LN6ZJ7RBXA"].concat();
        let secret = ["q8Zr2Lk0Vn5Tw7BxHc3M", "d9Fj1Gs6Ye4Ua+PiKo/T"].concat();
        let pem = sample(rules.iter().find(|rule| rule.id == "pem-private-key").unwrap(), seed);
        let encoded: Vec<u8> = {
            use base64::Engine as _;
            let text = [b"k: ".as_slice(), &value, &value].concat();
            base64::engine::general_purpose::STANDARD.encode(text).into_bytes()
        };
        match kind {
            0 => value,
            1 => [b"v ".as_slice(), &value[..cut]].concat(),
            2 => value[cut..].to_vec(),
            3 => [b"part=".as_slice(), &value[cut..]].concat(),
            4 => id.into_bytes(),
            5 => secret.into_bytes(),
            6 => pem,
            7 => pem.split(|byte| *byte == b'\n').nth(cut % 6).unwrap().to_vec(),
            8 => encoded,
            9 => encoded.chunks(64).nth(cut % 2).unwrap_or_default().to_vec(),
            10 => encoded.chunks(64).collect::<Vec<_>>().join(&b'\n'),
            11 => b"00000000: 774a 616c 7258 5574 6e46 454d 492f 4b37  wJalrXUtnFEMI/K7".to_vec(),
            12 => b"password:".to_vec(),
            13 => b"\x1b[36;1mnpm ci\x1b[0m\r".to_vec(),
            14 => format!("db_password = \"{}\"", String::from_utf8_lossy(&value)).into_bytes(),
            15 => b"2024-05-22T12:43:46.962646Z 00O a line".to_vec(),
            16 => b"2024-05-22T12:43:46.962646Z 00O+that goes on".to_vec(),
            17 => b"short".to_vec(),
            18 => Vec::new(),
            19 => format!("added {seed} packages in 3s, see https://docs.test/{cut}").into_bytes(),
            20 => b"/home/runner/work/shop/shop/node_modules/.bin/eslint --fix".to_vec(),
            _ => b"2026-11-02T09:14:07.1234567Z Successfully compiled all of the modules".to_vec(),
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// What was seen before, and in what company, changes nothing.
    #[test]
    fn the_memo_never_changes_a_result(texts in proptest::collection::vec(proptest::collection::vec(line(), 1..24), 1..4)) {
        let (with, without) = scanners();
        let (mut with, mut without) = (with.worker(), without.worker());
        for lines in texts {
            let text = lines.join(&b'\n');
            let expected = shown(without.scan(&text));
            prop_assert_eq!(shown(with.scan(&text)), expected.clone());
            prop_assert_eq!(shown(with.scan(&text)), expected);
        }
    }

    /// Blocks end elsewhere when something stands before.
    #[test]
    fn block_boundaries_never_change_a_result(lines in proptest::collection::vec(line(), 1..12), fill in 0_usize..400) {
        let (_, without) = scanners();
        let mut worker = without.worker();
        let text = [b"x\n".as_slice(), &lines.join(&b'\n')].concat();
        let padding = [vec![b'.'; 47 << 10], b".\n".repeat(fill), vec![b'.'; 400]].concat();
        let alone = worker.scan(&text).sightings;
        let behind = worker.scan(&[padding.as_slice(), b"\n", &text].concat()).sightings;
        let seen = |all: Vec<leakgraph_scan::Sighting>, from: usize| -> Vec<String> {
            all.into_iter().map(|one| format!("{} {} {} {:?}", one.offset - from, one.rule, one.fingerprint, one.name)).collect()
        };
        prop_assert_eq!(seen(behind, padding.len() + 1), seen(alone, 0), "{}", String::from_utf8_lossy(&text));
    }
}

/// The value is too plain alone and not with the line behind it: its line is not clean.
#[test]
fn a_line_whose_match_fails_alone_is_looked_at_again() {
    let (with, without) = scanners();
    let text =
        [b".123\0\0\x0eaSCWVA?access_token=\x003333333".as_slice(), b"?api_key=sot6gNcF3s3333ne\ngNcF"]
            .concat();
    let expected = shown(without.worker().scan(&text));
    assert!(expected.contains("url-query-token"));
    let mut worker = with.worker();
    for time in ["first", "second"] {
        assert_eq!(shown(worker.scan(&text)), expected, "the {time} time");
    }
}

#[test]
fn clean_lines_are_kept_for_a_later_run_of_the_same_rules_and_key() {
    use leakgraph_scan::{FingerprintKey, RuleSet};
    let text = b"2026-11-02T09:14:07.1234567Z Successfully compiled all of the modules\n".repeat(3);
    let first = new_scanner();
    first.worker().scan(&text);
    let kept = first.export_memo();
    assert_eq!(kept.len(), 32);
    let second = new_scanner();
    assert!(second.import_memo(&kept));
    let mut worker = second.worker();
    worker.start_profile();
    assert!(worker.scan(&text).sightings.is_empty());
    assert_eq!(worker.take_profile().unwrap().skipped_bytes, text.len() as u64);
    let other = Scanner::new(RuleSet::builtin().unwrap(), FingerprintKey::from_bytes([8; 32])).unwrap();
    assert!(!other.import_memo(&kept));
}

/// Lines are counted part by part; some of these are longer than a part, or than a window.
#[test]
fn lines_are_counted_whatever_their_length() {
    let value = ["q8Zr2Lk0", "Vn5Tw7Bx"].concat();
    let mut text = String::from("\u{feff}");
    let mut expected = Vec::new();
    for (number, width) in
        [0, 40, 16_300, 16_383, 16_384, 16_385, 50_000, 1_100_000, 9].into_iter().enumerate()
    {
        text.push_str(&"word ".repeat(width / 5));
        text.push_str(&" ".repeat(width % 5));
        text.push_str(if number % 2 == 0 { "\n" } else { "\r\n" });
        text.push_str(
            "2024-05-22T12:43:46.962646Z 00O a line\n2024-05-22T12:43:46.962646Z 00O+that goes on\n",
        );
        expected.push(1 + text.matches('\n').count());
        text.push_str(&format!("DB_PASSWORD={value}{}\n", 1234 + number));
    }
    let scan = scanner().worker().scan(text.as_bytes());
    let lines: Vec<usize> = scan.sightings.iter().map(|sighting| sighting.line).collect();
    assert_eq!(lines, expected);
}

#[test]
fn threads_find_the_same() {
    let scanner = scanner();
    let rules: Vec<_> = scanner.rules().rules().iter().filter(|rule| !rule.pattern.is_empty()).collect();
    let texts: Vec<Vec<u8>> = (0..200)
        .map(|seed| {
            [b"first line\nv ".as_slice(), &sample(rules[seed % rules.len()], seed as u64), b" end\n"]
                .concat()
        })
        .collect();
    let alone: Vec<String> = texts.iter().map(|text| shown(scanner.worker().scan(text))).collect();
    let halves: Vec<String> = std::thread::scope(|scope| {
        let handles: Vec<_> = texts
            .chunks(50)
            .map(|part| {
                scope.spawn(move || {
                    let mut worker = scanner.worker();
                    part.iter().map(|text| shown(worker.scan(text))).collect::<Vec<_>>()
                })
            })
            .collect();
        handles.into_iter().flat_map(|handle| handle.join().unwrap()).collect()
    });
    assert_eq!(alone, halves);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_bytes_are_scanned(bytes in proptest::collection::vec(any::<u8>(), 0..4096)) {
        let scan = scanner().worker().scan(&bytes);
        for seen in &scan.sightings {
            prop_assert!(seen.offset + seen.len <= bytes.len());
            prop_assert!(seen.line >= 1);
        }
    }

    #[test]
    fn what_stands_before_does_not_matter(padding in "[ a-z.,\n]{0,300}", seed in 0_u64..5000) {
        let scanner = scanner();
        let rules: Vec<_> = scanner.rules().rules().iter().filter(|rule| !rule.pattern.is_empty()).collect();
        let rule = rules[usize::try_from(seed).unwrap() % rules.len()];
        let value = sample(rule, seed);
        let mut worker = scanner.worker();
        let mut fingerprints = |text: Vec<u8>| -> Vec<String> {
            worker.scan(&text).sightings.into_iter().filter(|seen| seen.rule == rule.id).map(|seen| seen.fingerprint).collect()
        };
        let alone = fingerprints([b" ".as_slice(), &value, b" "].concat());
        let padded = fingerprints([padding.as_bytes(), b"\n ", &value, b" \n", padding.as_bytes()].concat());
        prop_assert_eq!(alone.len(), 1, "{}", rule.id);
        prop_assert_eq!(alone, padded, "{}", rule.id);
    }

    #[test]
    fn redacted_text_holds_no_secret(padding in "[ a-z.,\n]{0,80}", seed in 0_u64..5000) {
        let scanner = scanner();
        let rules: Vec<_> = scanner.rules().rules().iter().filter(|rule| !rule.pattern.is_empty()).collect();
        let rule = rules[usize::try_from(seed).unwrap() % rules.len()];
        let value = String::from_utf8(sample(rule, seed)).unwrap();
        let redacted = scanner.worker().redact(&format!("{padding} {value} {padding}"));
        prop_assert!(!redacted.contains(&value));
    }
}
