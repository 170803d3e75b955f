//! Members of JSON values, by pointer (RFC 6901).

use leakgraph_model::Timestamp;
use serde_json::Value;

/// A text, or a number as text: ids come as both.
pub(crate) fn text(value: &Value, pointer: &str) -> Option<String> {
    match value.pointer(pointer)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// An RFC 3339 time.
pub(crate) fn time(value: &Value, pointer: &str) -> Option<Timestamp> {
    Timestamp::parse(value.pointer(pointer)?.as_str()?)
}

/// The texts of a list; what is no list has none.
pub(crate) fn strings(value: &Value, pointer: &str) -> Vec<String> {
    let items = value.pointer(pointer).and_then(Value::as_array).into_iter().flatten();
    items.filter_map(|item| item.as_str().map(str::to_owned)).collect()
}
