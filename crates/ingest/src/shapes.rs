//! Of an unknown value, the known kind it is closest to.

use crate::importer::IMPORTERS;
use serde_json::Value;
use std::collections::BTreeSet;

/// A kind and the members its objects usually have.
pub(crate) type Shape = (&'static str, &'static [&'static str]);

/// Fewer members in common are chance.
const LEAST_COMMON: usize = 2;

/// What of an unknown value is known: `closest to job_json (3 of its 4 members are known)`.
/// Members are counted, never named: a name may be a secret, too.
pub(crate) fn closest(value: &Value) -> Option<String> {
    let names = names(value);
    let total = names.len();
    let common = |(_, members): &Shape| members.iter().filter(|member| names.contains(**member)).count();
    let best = IMPORTERS
        .iter()
        .flat_map(|importer| importer.shapes())
        .map(|shape| (common(shape), shape))
        // The first of those that know most, and of these the one that has least besides.
        .min_by_key(|(count, (_, members))| (usize::MAX - count, members.len()));
    let (count, (kind, _)) = best.filter(|(count, _)| *count >= LEAST_COMMON)?;
    Some(format!("closest to {kind} ({count} of its {total} members are known there)"))
}

/// The members of an object, or of the first one in lists and pages.
fn names(value: &Value) -> BTreeSet<&str> {
    match value {
        Value::Array(items) => items.first().map(names).unwrap_or_default(),
        Value::Object(members) => {
            // A page says little itself: `{"total_count": 1, "items": [{…}]}`.
            let mut lists = members.values().filter_map(Value::as_array).filter(|list| !list.is_empty());
            match (members.len() <= 3, lists.next(), lists.next()) {
                (true, Some(list), None) if list.iter().all(Value::is_object) => {
                    let inner = list.first().map(names).unwrap_or_default();
                    members.keys().map(String::as_str).chain(inner).collect()
                }
                _ => members.keys().map(String::as_str).collect(),
            }
        }
        _ => BTreeSet::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_kind_that_knows_most_members_is_named() {
        let job = json!([{"run_id": 1, "name": "build", "conclusion": "success", "secret_of_mine": 1}]);
        assert_eq!(
            closest(&job).as_deref(),
            Some("closest to job_json (3 of its 4 members are known there)")
        );
        assert_eq!(closest(&json!({"hello": 1, "world": 2})), None);
        assert_eq!(closest(&json!(7)), None);
    }
}
