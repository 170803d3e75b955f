//! Keywords are the prefilter: each must be rare in real logs, or the pattern behind it
//! is tried too often.

use crate::corpus::{corpus, logs};
use crate::sample::sample;
use crate::scanner;
use aho_corasick::{AhoCorasick, AhoCorasickKind};
use std::collections::{BTreeMap, BTreeSet};

/// No rarer literal is in every URI with a password; `@` behind it decides.
const COMMON: &str = "://";
/// Hits per MB of log that a keyword may have.
const MOST_PER_MB: f64 = 40.0;
/// … and all of them together.
const MOST_PER_MB_TOGETHER: f64 = 150.0;

#[test]
fn keywords_are_long_enough() {
    for rule in scanner().rules().rules() {
        let has_filter = !rule.keywords.is_empty() || !rule.context.is_empty();
        assert_eq!(has_filter, !rule.pattern.is_empty(), "{}", rule.id);
        assert!(rule.keywords.is_empty() || rule.context.is_empty(), "{}", rule.id);
        assert!(rule.keywords.iter().all(|keyword| keyword.len() >= 3), "{}", rule.id);
    }
}

#[test]
fn keywords_are_rare_in_real_logs() {
    let Some(corpus) = corpus() else { return };
    let mut owners: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for rule in scanner().rules().rules() {
        for keyword in &rule.keywords {
            owners.entry(keyword).or_default().push(&rule.id);
        }
    }
    let keywords: Vec<&str> = owners.keys().copied().collect();
    let finder = AhoCorasick::builder().kind(Some(AhoCorasickKind::DFA)).build(&keywords).unwrap();
    let (mut hits, mut bytes) = (vec![0_usize; keywords.len()], 0);
    for (_, text) in logs(&corpus) {
        bytes += text.len();
        finder.find_overlapping_iter(&text).for_each(|hit| hits[hit.pattern().as_usize()] += 1);
    }
    let per_mb = |count: usize| count as f64 / bytes as f64 * 1e6;
    let mut ranked: Vec<(f64, &str)> =
        hits.iter().map(|count| per_mb(*count)).zip(keywords.iter().copied()).collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
    eprintln!("{} keywords in {bytes} bytes, most common: {:?}", keywords.len(), ranked.get(..12));
    let common: Vec<_> = ranked
        .iter()
        .filter(|(rate, keyword)| *rate > MOST_PER_MB && *keyword != COMMON)
        .map(|(rate, keyword)| (keyword, rate, &owners[keyword]))
        .collect();
    assert!(common.is_empty(), "too common: {common:?}");
    let together: f64 = ranked.iter().filter(|(_, keyword)| *keyword != COMMON).map(|(rate, _)| rate).sum();
    assert!(together <= MOST_PER_MB_TOGETHER, "{together} hits per MB");
}

#[test]
fn keywords_are_in_every_match() {
    for rule in scanner().rules().rules().iter().filter(|rule| !rule.keywords.is_empty()) {
        let mut used = BTreeSet::new();
        for seed in 0..80 {
            let text = sample(rule, seed);
            let held: Vec<&String> = rule
                .keywords
                .iter()
                .filter(|keyword| memchr::memmem::find(&text, keyword.as_bytes()).is_some())
                .collect();
            assert!(!held.is_empty(), "{} without keyword", rule.id);
            used.extend(held);
        }
        assert_eq!(used.len(), rule.keywords.len(), "{}: only {used:?} occur", rule.id);
    }
}
