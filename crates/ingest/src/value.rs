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
