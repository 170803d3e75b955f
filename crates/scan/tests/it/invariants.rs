//! What must hold for any text.

use crate::sample::sample;
use crate::scanner;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_are_scanned(bytes in proptest::collection::vec(any::<u8>(), 0..4096)) {
        let scan = scanner().worker().scan(&bytes);
        for seen in &scan.sightings {
            prop_assert!(seen.offset + seen.len <= bytes.len());
            prop_assert!(seen.line >= 1);
        }
    }

    #[test]
    fn what_stands_before_does_not_matter(padding in "[ a-z.,\n]{0,300}", seed in 0_u64..500) {
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
        prop_assert_eq!(alone.len(), 1);
        prop_assert_eq!(alone, padded);
    }

    #[test]
    fn redacted_text_holds_no_secret(padding in "[ a-z.,\n]{0,80}", seed in 0_u64..500) {
        let scanner = scanner();
        let rules: Vec<_> = scanner.rules().rules().iter().filter(|rule| !rule.pattern.is_empty()).collect();
        let rule = rules[usize::try_from(seed).unwrap() % rules.len()];
        let value = String::from_utf8(sample(rule, seed)).unwrap();
        let redacted = scanner.worker().redact(&format!("{padding} {value} {padding}"));
        prop_assert!(!redacted.contains(&value));
    }
}
