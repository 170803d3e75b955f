//! Which hits stand, where several explain the same bytes.

use crate::Confidence;
use crate::engine::{Hit, Worker};
use regex_automata::Span;
use std::collections::BTreeMap;
use zeroize::Zeroizing;

impl Worker<'_> {
    pub(crate) fn kind(&self, rule: usize) -> &str {
        self.scanner.rules.rules().get(rule).map_or("", |rule| rule.kind.as_str())
    }

    /// Whether a rule says where a secret stands and not what it looks like.
    pub(crate) fn is_shape(&self, rule: usize) -> bool {
        self.scanner.rules.rules().get(rule).is_some_and(|rule| rule.shape)
    }

    /// 0 for a provider's format, then weaker and weaker shapes.
    pub(crate) fn rank(&self, hit: &Hit) -> u8 {
        match self.kind(hit.rule) {
            "authorization" | "kubernetes_secret" => 2,
            "generic_secret" => 3,
            _ => u8::from(self.is_shape(hit.rule)),
        }
    }

    /// Of overlapping hits the most specific one, then one whose check holds, then the longest.
    pub(crate) fn resolved(&self, mut hits: Vec<Hit>) -> Vec<Hit> {
        hits.sort_by_key(|hit| {
            let is_verified = hit.checked.confidence == Confidence::VerifiedStructure;
            let length = std::cmp::Reverse(hit.span.len());
            (self.rank(hit), !is_verified, length, hit.span.start, hit.rule)
        });
        let mut taken: BTreeMap<usize, usize> = BTreeMap::new();
        hits.retain(|hit| {
            let before = taken.range(..hit.span.end).next_back();
            let is_free = before.is_none_or(|(_, end)| *end <= hit.span.start);
            if is_free {
                taken.insert(hit.span.start, hit.span.end);
            }
            is_free
        });
        hits
    }

    /// All hits of a text in order. What was put together from several lines replaces
    /// what its lines showed alone.
    pub(crate) fn settled(&self, mut hits: Vec<Hit>) -> Vec<Hit> {
        hits.sort_by(|a, b| {
            (a.span.start, a.span.end, a.rule, &*a.value, a.encodings.len()).cmp(&(
                b.span.start,
                b.span.end,
                b.rule,
                &*b.value,
                b.encodings.len(),
            ))
        });
        let mut kept: Vec<Hit> = Vec::with_capacity(hits.len());
        for hit in hits {
            // The same value by two ways: lines alone and together, windows that overlap.
            let is_known = kept
                .iter()
                .rev()
                .take(16)
                .any(|one| one.rule == hit.rule && one.value == hit.value && overlap(one.span, hit.span));
            if !is_known {
                kept.push(hit);
            }
        }
        let mut hits = kept;
        let joined: Vec<(Span, usize, Zeroizing<Vec<u8>>)> = hits
            .iter()
            .filter(|hit| hit.is_joined)
            .map(|hit| (hit.span, hit.rule, hit.value.clone()))
            .collect();
        if !joined.is_empty() {
            hits.retain(|hit| {
                hit.is_joined
                    || !joined.iter().any(|(span, rule, value)| {
                        overlap(hit.span, *span)
                            && (*rule == hit.rule
                                || *value == hit.value
                                || hit.span.start >= span.start && hit.span.end <= span.end)
                    })
            });
        }
        hits
    }

    /// Of what two searches found in clear the better.
    pub(crate) fn joined(&self, hits: Vec<Hit>, more: Vec<Hit>) -> Vec<Hit> {
        let (mut clear, other): (Vec<Hit>, Vec<Hit>) =
            hits.into_iter().partition(|hit| hit.encodings.is_empty() && !hit.is_joined);
        clear.extend(more);
        let mut hits = self.resolved(clear);
        hits.extend(other);
        hits
    }
}

pub(crate) fn overlap(a: Span, b: Span) -> bool {
    a.start < b.end && b.start < a.end
}
