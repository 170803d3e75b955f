//! The text form in which n8n stores executions.
//!
//! Format: WebReflection/flatted: an array whose first item is the value; texts inside its items
//! are indices of items.

use serde_json::Value;

/// Values a flatted text may unfold to, per item it has.
const UNFOLDED_PER_ITEM: usize = 16;
/// Nesting that is followed in a flatted text.
const MAX_DEPTH: usize = 100;

/// Flatted data begins with an object whose members are indices.
pub(super) fn is_flatted(value: &Value) -> bool {
    value.pointer("/0/resultData").and_then(Value::as_str).is_some_and(|index| index.parse::<usize>().is_ok())
}

/// The value a flatted array stands for: texts inside its items are indices of items.
/// A cycle ends in null.
pub(super) fn unfold(items: &Value) -> (Value, bool) {
    let items = items.as_array().map(Vec::as_slice).unwrap_or_default();
    let budget = items.len().saturating_mul(UNFOLDED_PER_ITEM).saturating_add(1000);
    let mut unfolding = Unfolding { items, open: Vec::new(), budget, is_cut: false };
    let value = unfolding.item(0);
    (value, unfolding.is_cut)
}

struct Unfolding<'v> {
    items: &'v [Value],
    /// Items that are being unfolded.
    open: Vec<usize>,
    budget: usize,
    is_cut: bool,
}

impl Unfolding<'_> {
    fn item(&mut self, index: usize) -> Value {
        let items = self.items;
        let Some(item) = items.get(index) else { return Value::Null };
        if matches!(item, Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_)) {
            return item.clone();
        }
        if self.open.contains(&index) {
            return Value::Null;
        }
        if self.open.len() >= MAX_DEPTH {
            self.is_cut = true;
            return Value::Null;
        }
        self.open.push(index);
        let value = match item {
            Value::Array(values) => values.iter().map(|value| self.member(value)).collect(),
            Value::Object(members) => {
                let members = members.iter().map(|(name, value)| (name.clone(), self.member(value)));
                Value::Object(members.collect())
            }
            other => other.clone(),
        };
        self.open.pop();
        value
    }

    fn member(&mut self, value: &Value) -> Value {
        let Some(left) = self.budget.checked_sub(1) else {
            self.is_cut = true;
            return Value::Null;
        };
        self.budget = left;
        match value {
            Value::String(index) => index.parse().map_or(Value::Null, |index| self.item(index)),
            other => other.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn flatted_texts_unfold() {
        let flat = json!([{"a": "1", "b": 2, "c": "3"}, "one", "unused", ["1", "4", null], {"d": "1"}]);
        let expected = json!({"a": "one", "b": 2, "c": ["one", {"d": "one"}, null]});
        assert_eq!(unfold(&flat), (expected, false));
    }

    #[test]
    fn cycles_and_doublings_end() {
        assert_eq!(unfold(&json!([{"self": "0"}])), (json!({"self": null}), false));
        let mut doubling: Vec<Value> =
            (0..60).map(|at| json!([(at + 1).to_string(), (at + 1).to_string()])).collect();
        doubling.push(json!("end"));
        assert!(unfold(&Value::Array(doubling)).1, "2^60 values");
    }
}
