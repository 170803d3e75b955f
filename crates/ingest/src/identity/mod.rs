//! Identity inventories.

use crate::Document;
use leakgraph_model::Evidence;
use serde_json::Value;

pub(crate) fn recognise(_value: &Value) -> Option<&'static str> {
    None
}

pub(crate) fn import(_kind: &str, _document: &Document<'_>, _value: &Value) -> Evidence {
    Evidence::default()
}
