//! Which lines a rule has to be looked for in, read off its pattern.

use crate::grams::rarity;
use crate::runs::{self, MIN_RUN, TOKEN, WORD};
use regex_syntax::hir::{Class, ClassBytes, Hir, HirKind};

/// Where a rule's keywords are looked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Tier {
    /// Tokens with a long run of word characters: every match is one, or a part of one.
    Token,
    /// Lines with such a run: every match holds one.
    Line,
    /// The same, but the keyword names the secret and stands beside it. The run has a
    /// digit, which a made-up value of this length all but always has.
    Near,
    /// Every line.
    Any,
}

pub(crate) fn of(hir: &Hir, ignores_case: bool) -> Tier {
    match (guaranteed(hir, WORD).best >= MIN_RUN, ignores_case) {
        (false, _) => Tier::Any,
        (true, false) if guaranteed(hir, TOKEN).whole => Tier::Token,
        (true, false) => Tier::Line,
        (true, true) => Tier::Near,
    }
}

/// Whether every match begins with a long run of word characters.
pub(crate) fn begins_with_run(hir: &Hir) -> bool {
    guaranteed(hir, WORD).start >= MIN_RUN
}

/// A literal byte that every match holds behind its keyword, and few lines do.
pub(crate) fn rare_byte_behind(hir: &Hir, keywords: &[String]) -> Option<u8> {
    literals_behind(hir, keywords).flatten().find(|byte| b"@|^".contains(byte))
}

/// Whether a match has no slash between its keyword and the byte that [`rare_byte_behind`]
/// found, as addresses with a password have none and most others do.
pub(crate) fn bars_slash(hir: &Hir, keywords: &[String], rare: u8) -> bool {
    let parts = parts(hir);
    let is_keyword = |part: &Hir| {
        literal(part).is_some_and(|literal| keywords.iter().all(|keyword| literal == keyword.as_bytes()))
    };
    let holds_rare = |part: &Hir| literal(part).is_some_and(|literal| literal.contains(&rare));
    let Some(behind) = parts.iter().position(is_keyword).and_then(|at| parts.get(at + 1..)) else {
        return false;
    };
    let end = behind.iter().position(holds_rare);
    end.and_then(|end| behind.get(..=end)).is_some_and(|parts| !parts.iter().any(|part| may_hold(part, b'/')))
}

/// Whether a match of an expression can hold a byte.
fn may_hold(hir: &Hir, byte: u8) -> bool {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => false,
        HirKind::Literal(literal) => literal.0.contains(&byte),
        HirKind::Class(Class::Bytes(class)) => has(class, byte),
        HirKind::Class(Class::Unicode(_)) => true,
        HirKind::Repetition(repetition) => may_hold(&repetition.sub, byte),
        HirKind::Capture(capture) => may_hold(&capture.sub, byte),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().any(|part| may_hold(part, byte)),
    }
}

/// The longest literal of some length that every match holds behind its keyword.
pub(crate) fn literal_behind(hir: &Hir, keywords: &[String]) -> Option<Vec<u8>> {
    const MIN_BYTES: usize = 8;
    literals_behind(hir, keywords).filter(|literal| literal.len() >= MIN_BYTES).max_by_key(Vec::len)
}

/// The longest literal that every match holds and no keyword does; of those as long the
/// rarest.
pub(crate) fn literal_apart(hir: &Hir, keywords: &[String]) -> Option<Vec<u8>> {
    let is_apart = |literal: &&[u8]| {
        !keywords.iter().any(|keyword| memchr::memmem::find(keyword.as_bytes(), literal).is_some())
    };
    let literals = parts(hir).iter().filter_map(literal).filter(is_apart);
    literals.max_by_key(|literal| (literal.len(), rarity(literal))).map(<[u8]>::to_vec)
}

/// How far before a keyword a match can begin: up to the end of the first part of the
/// pattern that is always one of the keywords, or holds it.
pub(crate) fn lead(hir: &Hir, keywords: &[String]) -> Option<usize> {
    let HirKind::Concat(parts) = hir.kind() else { return None };
    let at = parts.iter().position(|part| holds_literally(part, keywords))?;
    parts.iter().take(at + 1).map(|part| part.properties().maximum_len()).sum()
}

/// Whether all that an expression matches holds a keyword, as its literals show.
fn holds_literally(hir: &Hir, keywords: &[String]) -> bool {
    match hir.kind() {
        HirKind::Literal(literal) => {
            keywords.iter().any(|keyword| memchr::memmem::find(&literal.0, keyword.as_bytes()).is_some())
        }
        HirKind::Capture(capture) => holds_literally(&capture.sub, keywords),
        HirKind::Concat(parts) => parts.iter().any(|part| holds_literally(part, keywords)),
        HirKind::Alternation(parts) => parts.iter().all(|part| holds_literally(part, keywords)),
        _ => false,
    }
}

/// The bytes that a pattern reads on over for long, if these are those of any text.
pub(crate) fn reads_over(hir: &Hir) -> Option<ClassBytes> {
    const MANY: u32 = 1000;
    match hir.kind() {
        HirKind::Repetition(repetition) if repetition.max.is_none_or(|most| most >= MANY) => {
            match repetition.sub.kind() {
                HirKind::Class(Class::Bytes(class)) if has(class, b' ') => Some(class.clone()),
                _ => None,
            }
        }
        HirKind::Capture(capture) => reads_over(&capture.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().find_map(reads_over),
        _ => None,
    }
}

/// How many of the first bytes are of a class.
pub(crate) fn leading(bytes: &[u8], class: &ClassBytes) -> usize {
    bytes.iter().position(|byte| !has(class, *byte)).unwrap_or(bytes.len())
}

fn has(class: &ClassBytes, byte: u8) -> bool {
    class.iter().any(|range| (range.start()..=range.end()).contains(&byte))
}

fn literals_behind(hir: &Hir, keywords: &[String]) -> impl Iterator<Item = Vec<u8>> {
    let parts = parts(hir);
    let literal = |part: &Hir| literal(part).unwrap_or_default().to_vec();
    let holds = |part: &Hir| {
        let literal = literal(part);
        keywords.iter().all(|keyword| memchr::memmem::find(&literal, keyword.as_bytes()).is_some())
    };
    let behind = parts.iter().position(holds).map_or(parts.len(), |at| at + 1);
    parts.iter().skip(behind).map(literal)
}

/// What an expression consists of, one after the other.
fn parts(hir: &Hir) -> &[Hir] {
    match hir.kind() {
        HirKind::Concat(parts) => parts,
        _ => &[],
    }
}

/// What an expression matches, if that is one literal.
pub(crate) fn literal(hir: &Hir) -> Option<&[u8]> {
    match hir.kind() {
        HirKind::Literal(literal) => Some(&literal.0),
        _ => None,
    }
}

/// Runs of word characters that every match of an expression has.
#[derive(Clone, Copy)]
struct Guaranteed {
    /// At its start, at its end, and the longest anywhere.
    start: usize,
    end: usize,
    best: usize,
    /// Whether all of it is one run.
    whole: bool,
}

impl Guaranteed {
    const NOTHING: Self = Self { start: 0, end: 0, best: 0, whole: false };

    fn run(length: usize) -> Self {
        Self { start: length, end: length, best: length, whole: true }
    }

    fn then(self, next: Self) -> Self {
        Self {
            start: if self.whole { self.start + next.start } else { self.start },
            end: if next.whole { self.end + next.end } else { next.end },
            best: self.best.max(next.best).max(self.end + next.start),
            whole: self.whole && next.whole,
        }
    }

    fn or(self, other: Self) -> Self {
        Self {
            start: self.start.min(other.start),
            end: self.end.min(other.end),
            best: self.best.min(other.best),
            whole: self.whole && other.whole,
        }
    }
}

fn guaranteed(hir: &Hir, kind: u8) -> Guaranteed {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Guaranteed::run(0),
        HirKind::Literal(literal) => literal.0.iter().fold(Guaranteed::run(0), |sum, byte| {
            sum.then(if runs::is(*byte, kind) { Guaranteed::run(1) } else { Guaranteed::NOTHING })
        }),
        HirKind::Class(class) => {
            if is_all(class, kind) {
                Guaranteed::run(1)
            } else {
                Guaranteed::NOTHING
            }
        }
        HirKind::Capture(capture) => guaranteed(&capture.sub, kind),
        HirKind::Concat(parts) => {
            parts.iter().fold(Guaranteed::run(0), |sum, part| sum.then(guaranteed(part, kind)))
        }
        HirKind::Alternation(parts) => parts
            .iter()
            .map(|part| guaranteed(part, kind))
            .reduce(Guaranteed::or)
            .unwrap_or(Guaranteed::NOTHING),
        HirKind::Repetition(repetition) => {
            let one = guaranteed(&repetition.sub, kind);
            // More repetitions than the least may follow without breaking a run of words.
            let least = (0..repetition.min.min(64)).fold(Guaranteed::run(0), |sum, _| sum.then(one));
            Guaranteed { whole: one.whole, ..least }
        }
    }
}

fn is_all(class: &Class, kind: u8) -> bool {
    let in_range = |low: u32, high: u32| {
        high < 128 && (low..=high).all(|byte| u8::try_from(byte).is_ok_and(|byte| runs::is(byte, kind)))
    };
    match class {
        Class::Bytes(class) => {
            class.iter().all(|range| in_range(u32::from(range.start()), u32::from(range.end())))
        }
        Class::Unicode(class) => {
            class.iter().all(|range| in_range(u32::from(range.start()), u32::from(range.end())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hir(pattern: &str) -> Hir {
        regex_syntax::ParserBuilder::new().unicode(false).utf8(false).build().parse(pattern).unwrap()
    }

    fn tier(pattern: &str) -> Tier {
        of(&hir(pattern), pattern.starts_with("(?i"))
    }

    #[test]
    fn a_match_begins_no_further_before_its_keyword_than_the_pattern_says() {
        let lead = |pattern: &str| lead(&hir(pattern), &["://".to_owned(), "key=".to_owned()]);
        assert_eq!(lead("[a-z]{2,9}://[a-z]{99}"), Some(12));
        assert_eq!(lead("(?:a|b{5})[a-z]{3}(?:key=|ab://)[a-z]{99}"), Some(13));
        assert_eq!(lead("[a-z]{2,9}(?:://|=)[a-z]{99}"), None);
        assert_eq!(lead("(?i:key=)[a-z]{99}"), None);
    }

    #[test]
    fn long_repetitions_of_any_text_are_known() {
        let over = |pattern: &str| reads_over(&hir(pattern)).map(|class| leading(b"a b}c", &class));
        assert_eq!(over("x(?P<a>[^}]{3,2000})y"), Some(3));
        assert_eq!(over("x[^0]*y"), Some(5));
        assert_eq!(over("x[^}]{3,200}y|[0-9A-Za-z]{3,2000}"), None);
    }

    #[test]
    fn the_shortest_match_decides() {
        assert_eq!(tier("AKIA[A-Z2-7]{16}"), Tier::Token);
        assert_eq!(tier("(?i:ab|abcd)_[0-9a-f]{13,40}"), Tier::Near);
        assert_eq!(tier("(?:ab|a.d)[0-9a-f]{13,40}"), Tier::Any);
        assert_eq!(tier("SG\\.[a-z]{8}\\.[a-z_]{16}"), Tier::Token);
        assert_eq!(tier("[a-z]{15}"), Tier::Any);
        assert_eq!(tier("(?:[a-z]{4}-){4}"), Tier::Token);
        assert_eq!(tier("(?:[a-z]{4}:){4}"), Tier::Any);
        assert_eq!(tier("[a-z]{8}x?[a-z]{8}"), Tier::Token);
        assert_eq!(tier("[a-z]{8}:?[a-z]{8}"), Tier::Any);
        assert_eq!(tier("[^ ]{40}"), Tier::Any);
        assert_eq!(tier("\\?k=[a-z]{40}"), Tier::Line);
    }
}
