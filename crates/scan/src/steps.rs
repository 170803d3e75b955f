//! Patterns that one walk over the bytes decides: literals and runs of classes, as most
//! tokens are. They need no automaton, whose states are built anew in every process and
//! have left the cache when the next token comes.

use crate::tier;
use regex_syntax::hir::{Class, ClassBytes, ClassBytesRange, Hir, HirKind};

/// Groups that stand a fixed number of times are written out up to so many.
const MAX_TIMES: u32 = 8;

/// What a match consists of, one after the other. It never has to be tried in two ways.
pub(crate) struct Steps(Vec<Step>);

enum Step {
    Literal(Box<[u8]>),
    /// As many bytes of a class as there are, up to the most.
    Run {
        class: ClassBytes,
        least: usize,
        most: usize,
    },
    /// One of some literals, of which none begins another.
    Either(Vec<Box<[u8]>>),
    /// What may be missing; always the last.
    Maybe(Steps),
}

impl Steps {
    /// The steps of a pattern, if each has one way only: behind a run of varying length
    /// comes a byte that the run cannot hold.
    pub(crate) fn of(hir: &Hir) -> Option<Self> {
        let mut steps = Vec::new();
        push(hir, &mut steps)?;
        let is_plain = steps.windows(2).all(|two| match two {
            [Step::Run { class, least, most }, next] if least < most => {
                next.first().is_some_and(|first| are_apart(class, &first))
            }
            [Step::Maybe(_), _] => false,
            _ => true,
        });
        is_plain.then_some(Self(steps))
    }

    /// Where the match ends that a text begins with.
    pub(crate) fn end(&self, text: &[u8]) -> Option<usize> {
        let mut at = 0;
        for step in &self.0 {
            let rest = text.get(at..)?;
            at += match step {
                Step::Literal(literal) => rest.starts_with(literal).then_some(literal.len())?,
                Step::Run { class, least, most } => {
                    let length = tier::leading(&rest[..rest.len().min(*most)], class);
                    (length >= *least).then_some(length)?
                }
                Step::Either(literals) => literals.iter().find(|literal| rest.starts_with(literal))?.len(),
                Step::Maybe(steps) => steps.end(rest).unwrap_or_default(),
            };
        }
        Some(at)
    }
}

impl Step {
    /// The bytes it can begin with, if it has any.
    fn first(&self) -> Option<ClassBytes> {
        match self {
            Self::Literal(literal) => first_of(std::slice::from_ref(literal)),
            Self::Run { class, least, .. } => (*least > 0).then(|| class.clone()),
            Self::Either(literals) => first_of(literals),
            Self::Maybe(steps) => steps.0.first()?.first(),
        }
    }
}

/// The bytes that literals begin with.
fn first_of(literals: &[Box<[u8]>]) -> Option<ClassBytes> {
    let firsts = literals.iter().map(|literal| literal.first()).collect::<Option<Vec<_>>>()?;
    Some(ClassBytes::new(firsts.into_iter().map(|byte| ClassBytesRange::new(*byte, *byte))))
}

fn are_apart(one: &ClassBytes, other: &ClassBytes) -> bool {
    let mut both = one.clone();
    both.intersect(other);
    both.ranges().is_empty()
}

/// Appends the steps of an expression; `None` if it has none.
fn push(hir: &Hir, steps: &mut Vec<Step>) -> Option<()> {
    match hir.kind() {
        HirKind::Empty => {}
        HirKind::Literal(literal) => steps.push(Step::Literal(literal.0.clone())),
        HirKind::Class(Class::Bytes(class)) => {
            steps.push(Step::Run { class: class.clone(), least: 1, most: 1 })
        }
        HirKind::Capture(capture) => push(&capture.sub, steps)?,
        HirKind::Concat(parts) => parts.iter().try_for_each(|part| push(part, steps))?,
        HirKind::Alternation(parts) => steps.push(Step::Either(apart(parts)?)),
        HirKind::Repetition(repetition) => {
            let (least, most) = (repetition.min, repetition.max);
            match repetition.sub.kind() {
                _ if most != Some(least) && !repetition.greedy => return None,
                HirKind::Class(Class::Bytes(class)) => {
                    let most = most.map_or(usize::MAX, |most| most as usize);
                    steps.push(Step::Run { class: class.clone(), least: least as usize, most });
                }
                _ if (least, most) == (0, Some(1)) => steps.push(Step::Maybe(Steps::of(&repetition.sub)?)),
                _ if most == Some(least) && least <= MAX_TIMES => {
                    (0..least).try_for_each(|_| push(&repetition.sub, steps))?;
                }
                _ => return None,
            }
        }
        HirKind::Class(Class::Unicode(_)) | HirKind::Look(_) => return None,
    }
    Some(())
}

/// Alternatives that are literals, of which none begins another.
fn apart(parts: &[Hir]) -> Option<Vec<Box<[u8]>>> {
    let mut literals =
        parts.iter().map(|part| tier::literal(part).map(Box::from)).collect::<Option<Vec<Box<[u8]>>>>()?;
    literals.sort_unstable();
    // Sorted, what begins another stands right before one that it begins.
    let is_plain = literals.windows(2).all(|two| !two[1].starts_with(&two[0]));
    is_plain.then_some(literals)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RuleSet;
    use crate::compiled::{build_prefix, syntax_config};
    use proptest::strategy::{Strategy, ValueTree};
    use regex_automata::{Anchored, Input, util::syntax};

    fn steps(pattern: &str) -> Option<Steps> {
        Steps::of(&syntax::parse_with(pattern, &syntax_config()).unwrap())
    }

    #[test]
    fn patterns_with_one_way_only_have_steps() {
        for pattern in
            ["ab[0-9]{3,5}", "a(?:bc|bd)[a-z]{2,}", "k[0-9]{2}-[a-z]+(?:\\.[0-9]{2})?", "(?:a[0-9]){3}"]
        {
            assert!(steps(pattern).is_some(), "{pattern}");
        }
        let others = [
            "a[0-9a]{2,5}a",
            "a(?:b|bc)c",
            "a[0-9]{2,5}?",
            "a\\b",
            "(?:a|[0-9])b",
            "(?:a)?b",
            "a[0-9]*[a-z]*x",
        ];
        for pattern in others {
            assert!(steps(pattern).is_none(), "{pattern}");
        }
    }

    /// Matches of every rule, some of them damaged, end where an automaton says.
    #[test]
    fn matches_end_where_an_automaton_ends_them() {
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        let mut with_steps = 0;
        for rule in RuleSet::builtin().unwrap().rules().iter().filter(|rule| !rule.keywords.is_empty()) {
            let hir = syntax::parse_with(&rule.pattern, &syntax_config()).unwrap();
            let Some(steps) = Steps::of(&hir) else { continue };
            with_steps += 1;
            let dfa = build_prefix(&hir).unwrap();
            let mut cache = dfa.create_cache();
            let matches = proptest::string::bytes_regex_parsed(&hir).unwrap();
            let damage = (matches, proptest::collection::vec(0_u8..128, 0..4), 0..400_usize, 0..3_u8);
            for _ in 0..6 {
                let (mut text, tail, at, kind) = damage.new_tree(&mut runner).unwrap().current();
                match kind {
                    0 => text.truncate(at),
                    1 if at < text.len() => text[at] = tail.first().copied().unwrap_or(b'!'),
                    _ => text.extend(tail),
                }
                let input = Input::new(&text).anchored(Anchored::Yes);
                let expected = dfa.try_search_fwd(&mut cache, &input).unwrap().map(|end| end.offset());
                assert_eq!(steps.end(&text), expected, "{}: {}", rule.id, text.escape_ascii());
            }
        }
        assert!(with_steps > 300, "{with_steps}");
    }
}
