//! Secrets that a line end cuts, at every position, by value.

use crate::sample::{Sample, drawn};
use crate::scanner;
use leakgraph_scan::{Confidence, Rule, Worker};

const STAMP: &str = "2026-11-02T09:14:07.1234567Z ";
const WIDTHS: [usize; 7] = [60, 64, 76, 80, 120, 200, 256];
/// All widths that tools wrap at.
const WRAPPED: [usize; 14] = [60, 64, 72, 76, 78, 79, 80, 100, 120, 128, 132, 160, 200, 256];
const SEED: u64 = 11;

/// Blocks of several lines: what cuts them at a line end is their own form. Whole lines of
/// them are in `shapes`.
const ARMOURED: [&str; 5] =
    ["pem-private-key", "pgp-private-key", "openvpn-static", "cosign", "putty-private-key"];

/// Keywords with signs that no token has (`$`, `%`, `|`, quotes): cut inside its keyword
/// such a secret begins on neither line with anything that could be looked for.
const SIGNS_IN_KEYWORD: [&str; 4] = ["braintree", "convex", "jwk", "twitter-bearer"];

/// A secret with a line end in it.
struct Cut {
    /// The line's beginning, and the rest.
    head: String,
    tail: String,
}

fn cuts(made: &Sample) -> impl Iterator<Item = (usize, Cut)> {
    let text = String::from_utf8(made.text.clone()).unwrap();
    (made.secret.start + 1..made.secret.end).map(move |at| {
        let (head, tail) = text.split_at(at);
        (at, Cut { head: head.to_owned(), tail: tail.to_owned() })
    })
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+/-_=.~:@!".contains(&byte)
}

/// Whether a part has digits, or capitals behind small letters, as words do not.
fn is_odd(part: &str) -> bool {
    let pairs = part.as_bytes().windows(2);
    part.bytes().any(|byte| byte.is_ascii_digit())
        || pairs.into_iter().any(|two| two[0].is_ascii_lowercase() && two[1].is_ascii_uppercase())
}

fn fingerprints(worker: &mut Worker<'_>, rule: &Rule, text: &str) -> Vec<(String, Confidence)> {
    let sightings = worker.scan(text.as_bytes()).sightings;
    let of_rule = sightings.into_iter().filter(|seen| seen.rule == rule.id);
    of_rule.map(|seen| (seen.fingerprint, seen.confidence)).collect()
}

/// Calls `tried` for every rule's secret with the fingerprint it has when it is whole.
fn each_secret(mut tried: impl FnMut(&mut Worker<'_>, &Rule, &Sample, &str)) {
    let scanner = scanner();
    let mut worker = scanner.worker();
    for rule in scanner.rules().rules().iter().filter(|rule| !rule.pattern.is_empty()) {
        if ARMOURED.contains(&rule.id.as_str()) {
            continue;
        }
        let made = drawn(rule, SEED, false);
        let text = String::from_utf8(made.text.clone()).unwrap();
        let whole = fingerprints(&mut worker, rule, &format!("v {text} end"));
        assert_eq!(whole.len(), 1, "{}", rule.id);
        tried(&mut worker, rule, &made, &whole[0].0);
    }
}

fn expect_none(misses: &[String], tried: usize) {
    assert!(misses.is_empty(), "{} of {tried} missed\n{}", misses.len(), misses.join("\n"));
}

/// Terminals, loggers and encoders wrap at these widths.
#[test]
fn a_line_of_full_width_may_end_anywhere_in_a_secret() {
    let (mut misses, mut tried) = (Vec::new(), 0);
    each_secret(|worker, rule, made, fingerprint| {
        if SIGNS_IN_KEYWORD.contains(&rule.id.as_str()) {
            return;
        }
        for (at, Cut { head, tail }) in cuts(made) {
            let widths: Vec<usize> = WIDTHS.into_iter().filter(|width| *width >= head.len() + 2).collect();
            let Some(width) = widths.get(at % widths.len().max(1)).copied() else { continue };
            let line = format!("{} {head}{tail}", "z".repeat(width - head.len() - 1));
            let lines: Vec<&str> =
                line.as_bytes().chunks(width).map(|line| std::str::from_utf8(line).unwrap()).collect();
            let text = format!("{STAMP}{}\n{STAMP}next", lines.join(&format!("\n{STAMP}")));
            let found = fingerprints(worker, rule, &text);
            // A few letters before the provider's name, with no digit among them, are a word;
            // and a token may end before padding that is spelled as an escape.
            let is_name = ["gemfury", "deepsource", "sentry-dsn"].contains(&rule.id.as_str());
            let is_word =
                is_name && tail.split('@').next().is_some_and(|part| !is_odd(part)) || "%3D".ends_with(&tail);
            tried += 1;
            if !is_word && !found.iter().any(|(one, _)| one == fingerprint) {
                misses.push(format!("{} at {at} of {} {text}", rule.id, made.text.len()));
            }
        }
    });
    expect_none(&misses, tried);
}

/// Any other line end: what follows may be the rest, or another thing.
#[test]
fn a_short_line_may_end_anywhere_in_a_token() {
    let (mut misses, mut tried, mut ambiguous) = (Vec::new(), 0, 0);
    each_secret(|worker, rule, made, fingerprint| {
        // What only the words around a secret tell ends with their line.
        let is_told = made.secret.len() < made.text.len() && rule.context.is_empty();
        if is_told || !made.text.iter().copied().all(is_token) {
            return;
        }
        for (at, Cut { head, tail }) in cuts(made) {
            tried += 1;
            let text = format!("{STAMP}v {head}\n{STAMP}{tail}\n{STAMP}next");
            if fingerprints(worker, rule, &text).iter().any(|(one, _)| one == fingerprint) {
                continue;
            }
            // A secret as it stands, with a word on the next line: nothing says that the
            // word belongs to it.
            let is_whole = !fingerprints(worker, rule, &format!("v {head}")).is_empty();
            match is_whole && !is_odd(&tail) {
                true => ambiguous += 1,
                false => misses.push(format!("{} at {at} of {}: {text}", rule.id, made.text.len())),
            }
        }
    });
    expect_none(&misses, tried);
    assert!(ambiguous * 100 < tried, "{ambiguous} of {tried} are ambiguous");
}

/// `part1=…`, `part2=…`: names that count say that the values belong together.
#[test]
fn a_token_may_be_assigned_in_two_parts() {
    let (mut misses, mut tried) = (Vec::new(), 0);
    each_secret(|worker, rule, made, fingerprint| {
        if made.secret.len() < made.text.len() || !made.text.iter().copied().all(is_token) {
            return;
        }
        for (at, Cut { head, tail }) in cuts(made) {
            tried += 1;
            let text = format!("{STAMP}part1={head}\n{STAMP}part2={tail}\n{STAMP}next");
            if !fingerprints(worker, rule, &text).iter().any(|(one, _)| one == fingerprint) {
                misses.push(format!("{} at {at} of {}", rule.id, made.text.len()));
            }
        }
    });
    expect_none(&misses, tried);
}

/// A secret that is one by itself stays, and with what may belong to it is only possible.
#[test]
fn what_may_not_belong_together_is_only_possible() {
    let (mut both, mut tried) = (0, 0);
    each_secret(|worker, rule, made, fingerprint| {
        if made.secret.len() < made.text.len() || rule.check.is_some() {
            return;
        }
        for (_, Cut { head, tail }) in cuts(made) {
            // A full line is wrapped: what follows belongs to it.
            if WRAPPED.contains(&(head.len() + 2)) {
                continue;
            }
            let alone = fingerprints(worker, rule, &format!("v {head}\n"));
            let [(head_print, confidence)] = alone.as_slice() else { continue };
            tried += 1;
            let found = fingerprints(worker, rule, &format!("v {head}\n{tail}\nnext\n"));
            assert!(
                found.contains(&(head_print.clone(), *confidence)),
                "{} lost its first part {head} {tail}",
                rule.id
            );
            let joined = found.iter().find(|(one, _)| one == fingerprint);
            both += usize::from(joined.is_some());
            assert!(joined.is_none_or(|(_, joined)| *joined == Confidence::Possible), "{}", rule.id);
        }
    });
    assert!(both > tried / 2, "{both} of {tried}");
}
