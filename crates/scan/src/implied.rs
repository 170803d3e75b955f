//! Whether every match of a pattern holds one of its keywords.
//!
//! The keyword search goes first, so a match without a keyword would never be seen. The
//! question is decided, not guessed: pattern and keyword automata run in step, and a
//! state where the pattern has matched and no keyword was seen is a counterexample.

use crate::compiled::syntax_config;
use aho_corasick::automaton::Automaton as _;
use aho_corasick::dfa::DFA as Keywords;
use regex_automata::dfa::Automaton as _;
use regex_automata::dfa::dense::{self, DFA};
use regex_automata::util::{primitives::StateID, start, syntax};
use regex_automata::{Anchored, MatchKind};
use regex_syntax::hir::{Hir, HirKind};
use std::collections::HashMap;

/// Larger automata are not searched.
const MAX_DFA_BYTES: usize = 4 << 20;
const MAX_STATES: usize = 100_000;
/// So much of a counterexample is shown.
const MAX_EXAMPLE_BYTES: usize = 60;

/// The answer.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Answer {
    /// Every match holds a keyword.
    Always,
    /// This match does not.
    NotIn(String),
    /// The automata are too large.
    TooLarge,
}

type State = (StateID, aho_corasick::automaton::StateID);

/// Decides it for a pattern in our syntax, which has to compile.
pub(crate) fn holds_keyword(pattern: &str, keywords: &[String]) -> Answer {
    if syntax::parse_with(pattern, &syntax_config()).is_ok_and(|hir| is_part(&hir, keywords)) {
        return Answer::Always;
    }
    let config = dense::Config::new()
        .match_kind(MatchKind::All)
        .start_kind(regex_automata::dfa::StartKind::Anchored)
        .dfa_size_limit(Some(MAX_DFA_BYTES))
        .determinize_size_limit(Some(MAX_DFA_BYTES));
    let built = DFA::builder()
        .configure(config)
        .syntax(syntax_config())
        .thompson(regex_automata::nfa::thompson::Config::new().utf8(false))
        .build(pattern);
    let (Ok(dfa), Ok(words)) = (built, Keywords::new(keywords)) else { return Answer::TooLarge };
    let Ok(unseen) = words.start_state(aho_corasick::Anchored::No) else { return Answer::TooLarge };
    // What stands before a match decides about `\b` and `^`.
    let mut came: HashMap<State, Option<(State, u8)>> = HashMap::new();
    let mut queue = Vec::new();
    for before in [None, Some(b'a'), Some(b' '), Some(b'\n'), Some(b'\r')] {
        let config = start::Config::new().anchored(Anchored::Yes).look_behind(before);
        let Ok(state) = dfa.start_state(&config) else { return Answer::TooLarge };
        if came.insert((state, unseen), None).is_none() {
            queue.push((state, unseen));
        }
    }
    while let Some(state) = queue.pop() {
        if came.len() > MAX_STATES {
            return Answer::TooLarge;
        }
        if dfa.is_match_state(dfa.next_eoi_state(state.0)) {
            return Answer::NotIn(example(&came, state));
        }
        for byte in 0..=u8::MAX {
            let next = dfa.next_state(state.0, byte);
            if dfa.is_dead_state(next) {
                continue;
            }
            // Matches are seen one byte late.
            if dfa.is_match_state(next) {
                return Answer::NotIn(example(&came, state));
            }
            let seen = words.next_state(aho_corasick::Anchored::No, state.1, byte);
            if !words.is_match(seen) && !came.contains_key(&(next, seen)) {
                came.insert((next, seen), Some((state, byte)));
                queue.push((next, seen));
            }
        }
    }
    Answer::Always
}

/// Whether a part that no match can do without holds a keyword. Cheap, and enough for most.
fn is_part(hir: &Hir, keywords: &[String]) -> bool {
    match hir.kind() {
        HirKind::Literal(literal) => {
            keywords.iter().any(|keyword| memchr::memmem::find(&literal.0, keyword.as_bytes()).is_some())
        }
        HirKind::Repetition(repetition) => repetition.min > 0 && is_part(&repetition.sub, keywords),
        HirKind::Capture(capture) => is_part(&capture.sub, keywords),
        HirKind::Concat(parts) => parts.iter().any(|part| is_part(part, keywords)),
        HirKind::Alternation(parts) => parts.iter().all(|part| is_part(part, keywords)),
        HirKind::Empty | HirKind::Class(_) | HirKind::Look(_) => false,
    }
}

fn example(came: &HashMap<State, Option<(State, u8)>>, mut state: State) -> String {
    let mut bytes = Vec::new();
    while let Some(Some((before, byte))) = came.get(&state) {
        bytes.push(*byte);
        state = *before;
    }
    bytes.reverse();
    let is_cut = bytes.len() > MAX_EXAMPLE_BYTES;
    bytes.truncate(MAX_EXAMPLE_BYTES);
    format!("{}{}", bytes.escape_ascii(), if is_cut { "…" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An expression that only the automata can answer.
    const SPLIT: &str = "ke(y|z)_[0-9]{4}";

    fn ask(pattern: &str, keywords: &[&str]) -> Answer {
        holds_keyword(pattern, &keywords.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn it_is_decided_exactly() {
        assert_eq!(ask(SPLIT, &["key_", "kez_"]), Answer::Always);
        assert_eq!(ask("ab[cd]e{2,4}", &["abc", "abd"]), Answer::Always);
        assert_eq!(ask("x[a-z]{0,9}key[0-9]{4}", &["key"]), Answer::Always);
        assert_eq!(ask(r"\bkey_[0-9]{4}\b", &["key_"]), Answer::Always);
        assert!(matches!(ask("(?i)key", &["key"]), Answer::NotIn(example) if example != "key"));
        assert!(matches!(ask("ab[cd]e", &["abc"]), Answer::NotIn(example) if example == "abde"));
        assert!(matches!(ask("key_[0-9]{4}|[a-f]{6}", &["key_"]), Answer::NotIn(_)));
    }

    #[test]
    fn the_embedded_rules_hold_their_keywords() {
        let rules = crate::RuleSet::builtin().unwrap();
        // Rules of names have none.
        let asked = rules.rules().iter().filter(|rule| !rule.keywords.is_empty());
        let mut too_large = Vec::new();
        for rule in asked {
            match holds_keyword(&rule.pattern, &rule.keywords) {
                Answer::Always => {}
                Answer::TooLarge => too_large.push(&rule.id),
                Answer::NotIn(example) => panic!("{}: no keyword in {example:?}", rule.id),
            }
        }
        // Those are tested with drawn values instead.
        assert!(too_large.len() <= 20, "{too_large:?}");
    }
}
