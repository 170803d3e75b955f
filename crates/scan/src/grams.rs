//! Many literals at once, by three bytes of each.
//!
//! One load, one product and one bit per position decide that nothing begins there. Unlike
//! in an automaton no step waits for the one before, and the bits stay in the first cache.

use crate::lanes::{self, LANE, Lead};
use regex_automata::Span;

pub(crate) const HASH_BITS: u32 = 16;
/// Upper to lower case in each of three bytes; other bytes change, too, which the
/// comparison of the whole literal puts right.
const FOLD: u32 = 0x0020_2020;

/// Literals of at least three bytes each.
pub(crate) struct Grams {
    /// One bit per hash of three bytes that some literal has.
    bits: Vec<u64>,
    /// Those three bytes, the literal's number and how far into it they stand; sorted.
    places: Vec<(u32, u32, u32)>,
    /// Where in `places` the bytes of a hash begin; [`EMPTY`] ends a search.
    slots: Vec<u16>,
    literals: Vec<Vec<u8>>,
    fold: u32,
}

impl Grams {
    /// `None` if a literal is too short.
    pub(crate) fn new(literals: &[Vec<u8>], ignores_case: bool) -> Option<Self> {
        let fold = if ignores_case { FOLD } else { 0 };
        let mut places = Vec::new();
        let mut bits = vec![0; 1 << (HASH_BITS - 6)];
        for (number, literal) in literals.iter().enumerate() {
            // With one more byte behind them, if there is one: that is looked at, too.
            let width = literal.len().clamp(3, 4);
            let (at, three) = literal.windows(width).enumerate().max_by_key(|(_, bytes)| rarity(bytes))?;
            let gram = u32::from_le_bytes([three[0], three[1], three[2], 0]) | fold;
            places.push((gram, u32::try_from(number).ok()?, u32::try_from(at).ok()?));
            let hash = hash(gram);
            bits[hash >> 6] |= 1 << (hash & 63);
        }
        places.sort_unstable();
        let slots = slots(&places)?;
        Some(Self { bits, places, slots, literals: literals.to_vec(), fold })
    }

    /// Three or four bytes of each literal: where they are not, no literal is.
    pub(crate) fn leads(&self) -> Vec<Lead> {
        let lead = |(gram, number, at): &(u32, u32, u32)| {
            let [one, two, three, _] = gram.to_le_bytes();
            ([one, two, three], self.literals[*number as usize].get(*at as usize + 3).copied())
        };
        let mut leads: Vec<Lead> = self.places.iter().map(lead).collect();
        leads.sort_unstable();
        leads.dedup();
        leads
    }

    /// Every literal of a text, of which `leads` has a bit for each position where one of
    /// [`Self::leads`] may stand.
    pub(crate) fn find_marked(&self, text: &[u8], leads: &[u64], mut found: impl FnMut(usize, Span)) {
        let all = Span::from(0..text.len());
        for (lane, marks) in leads.iter().enumerate() {
            self.find_at(text, all, lane * LANE, *marks, &mut found);
        }
    }

    /// Those in `part` of which three bytes may stand where `marks` has a bit, from `at` on.
    #[inline(always)]
    pub(crate) fn find_at(
        &self,
        text: &[u8],
        part: Span,
        at: usize,
        marks: u64,
        mut found: impl FnMut(usize, Span),
    ) {
        let Some(bits) = self.bits.first_chunk::<{ 1 << (HASH_BITS - 6) }>() else { return };
        for bit in lanes::ones(marks) {
            let at = at + bit;
            let Some(three) = text.get(at..).and_then(|rest| rest.first_chunk::<3>()) else { return };
            let gram = u32::from_le_bytes([three[0], three[1], three[2], 0]);
            let hash = hash(gram);
            if bits[hash >> 6] >> (hash & 63) & 1 != 0 {
                self.check(text, part, at, gram, &mut found);
            }
        }
    }

    /// Every literal that lies in `part`.
    pub(crate) fn find(&self, text: &[u8], part: Span, mut found: impl FnMut(usize, Span)) {
        let Some(bits) = self.bits.first_chunk::<{ 1 << (HASH_BITS - 6) }>() else { return };
        let bytes = &text[part.range()];
        let fold = self.fold;
        let bit = |gram: u32| {
            let hash = hash(gram | fold);
            bits[hash >> 6] >> (hash & 63)
        };
        let gram_at = |at: usize| -> u32 {
            bytes[at..at + 3].iter().rev().fold(0, |gram, byte| gram << 8 | u32::from(*byte))
        };
        let mut at = 0;
        // Six bytes hold four times three; one branch for all of them.
        while let Some(eight) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
            let eight = u64::from_le_bytes(*eight);
            let four = [0, 8, 16, 24].map(|shift| (eight >> shift) as u32 & 0x00ff_ffff);
            if four.iter().fold(0, |any, gram| any | bit(*gram)) & 1 != 0 {
                for (step, gram) in four.into_iter().enumerate() {
                    if bit(gram) & 1 != 0 {
                        self.check(text, part, part.start + at + step, gram | fold, &mut found);
                    }
                }
            }
            at += 4;
        }
        // The last eight bytes, from where the loop has stopped.
        let Some(last) = bytes.last_chunk::<8>().map(|last| u64::from_le_bytes(*last)) else {
            for at in 0..(bytes.len() + 1).saturating_sub(3) {
                if bit(gram_at(at)) & 1 != 0 {
                    self.check(text, part, part.start + at, gram_at(at) | fold, &mut found);
                }
            }
            return;
        };
        let from = bytes.len() - 8;
        let six = [0, 8, 16, 24, 32, 40].map(|shift| (last >> shift) as u32 & 0x00ff_ffff);
        if six.iter().fold(0, |any, gram| any | bit(*gram)) & 1 != 0 {
            for (step, gram) in six.into_iter().enumerate() {
                if from + step >= at && bit(gram) & 1 != 0 {
                    self.check(text, part, part.start + from + step, gram | fold, &mut found);
                }
            }
        }
    }

    /// The literals that have three bytes.
    fn places(&self, gram: u32) -> impl Iterator<Item = &(u32, u32, u32)> {
        let mask = self.slots.len() - 1;
        let mut slot = hash(gram) & mask;
        let first = loop {
            match self.places.get(usize::from(self.slots[slot])) {
                None => break self.places.len(),
                Some(place) if place.0 == gram => break usize::from(self.slots[slot]),
                Some(_) => slot = (slot + 1) & mask,
            }
        };
        self.places[first..].iter().take_while(move |place| place.0 == gram)
    }

    fn check(&self, text: &[u8], part: Span, at: usize, gram: u32, found: &mut impl FnMut(usize, Span)) {
        for (_, number, offset) in self.places(gram) {
            let literal = &self.literals[*number as usize];
            let Some(start) = at.checked_sub(*offset as usize).filter(|start| *start >= part.start) else {
                continue;
            };
            let span = Span::from(start..start + literal.len());
            let is_there = span.end <= part.end
                && match self.fold {
                    0 => text[span.range()] == **literal,
                    _ => text[span.range()].eq_ignore_ascii_case(literal),
                };
            if is_there {
                found(*number as usize, span);
            }
        }
    }
}

const EMPTY: u16 = u16::MAX;

/// A table of the first place of each three bytes, with open addressing.
fn slots(places: &[(u32, u32, u32)]) -> Option<Vec<u16>> {
    let mut slots = vec![EMPTY; (4 * places.len()).next_power_of_two()];
    let mask = slots.len() - 1;
    let mut last = None;
    for (index, place) in places.iter().enumerate() {
        if last.replace(place.0) != Some(place.0) {
            let mut slot = hash(place.0) & mask;
            while slots[slot] != EMPTY {
                slot = (slot + 1) & mask;
            }
            slots[slot] = u16::try_from(index).ok().filter(|index| *index != EMPTY)?;
        }
    }
    Some(slots)
}

pub(crate) fn hash(gram: u32) -> usize {
    (gram.wrapping_mul(0x9e37_79b1) >> (32 - HASH_BITS)) as usize
}

/// How seldom a few bytes stand together in logs, roughly: neighbours of one kind, as in
/// words, do so more often.
pub(crate) fn rarity(bytes: &[u8]) -> std::cmp::Reverse<usize> {
    let kind = |byte: u8| match byte {
        b'a'..=b'z' => 0,
        b'A'..=b'Z' => 1,
        b'0'..=b'9' => 2,
        _ => 3,
    };
    let alike = bytes.windows(2).filter(|pair| kind(pair[0]) == kind(pair[1])).count();
    std::cmp::Reverse(bytes.iter().map(|byte| lanes::commonness(*byte)).sum::<usize>() + alike)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(literals: &[&str], ignores_case: bool, text: &str) -> Vec<(usize, usize)> {
        let literals: Vec<Vec<u8>> = literals.iter().map(|literal| literal.as_bytes().to_vec()).collect();
        let mut found = Vec::new();
        let grams = Grams::new(&literals, ignores_case).unwrap();
        grams.find(text.as_bytes(), Span::from(1..text.len() - 1), |literal, span| {
            assert_eq!(span.len(), literals[literal].len());
            found.push((literal, span.start));
        });
        found.sort_unstable();
        found
    }

    #[test]
    fn literals_are_found_wherever_they_stand_and_overlapping() {
        let text = ".ghp_xghp_ghs_.SG.abSG..";
        assert_eq!(
            all(&["ghp_", "SG.", "hp_", "p_g"], false, text),
            [(0, 1), (0, 6), (1, 15), (1, 20), (2, 2), (2, 7), (3, 8)]
        );
        assert_eq!(all(&["ghp_"], false, "xghp_x"), [(0, 1)]);
        assert_eq!(all(&["ghp_"], false, "ghp_xghp_"), []);
        assert_eq!(all(&["GHP_", "token"], true, ".ghP_.ToKeN."), [(0, 1), (1, 6)]);
        assert!(Grams::new(&[b"ab".to_vec()], false).is_none());
    }

    /// The same by comparing everything everywhere.
    fn compared(literals: &[&str], ignores_case: bool, text: &str) -> Vec<(usize, usize)> {
        let mut found = Vec::new();
        for (number, literal) in literals.iter().enumerate() {
            for start in 1..text.len() - literal.len() {
                let there = &text.as_bytes()[start..start + literal.len()];
                if there == literal.as_bytes()
                    || ignores_case && there.eq_ignore_ascii_case(literal.as_bytes())
                {
                    found.push((number, start));
                }
            }
        }
        found
    }

    proptest::proptest! {
        #[test]
        fn nothing_is_missed_and_nothing_is_found_twice(text in "[abAB:]{12,150}", ignores_case: bool) {
            let literals = ["aba", ":ab", "abab", "BBaaB", "a::b:a", "bb:"];
            let expected = compared(&literals, ignores_case, &text);
            proptest::prop_assert_eq!(all(&literals, ignores_case, &text), expected);
            if !ignores_case {
                let owned: Vec<Vec<u8>> = literals.iter().map(|literal| literal.as_bytes().to_vec()).collect();
                let grams = Grams::new(&owned, false).unwrap();
                let mut lanes = lanes::Lanes::default();
                lanes::Classifier::new(&grams.leads(), &[]).fill(text.as_bytes(), &mut lanes);
                let mut found = Vec::new();
                if let Some(leads) = &lanes.leads {
                    grams.find_marked(text.as_bytes(), leads, |literal, span| found.push((literal, span.start)));
                    found.sort_unstable();
                    found.retain(|(literal, start)| *start > 0 && start + literals[*literal].len() < text.len());
                    proptest::prop_assert_eq!(found, compared(&literals, false, &text));
                }
            }
        }
    }
}
