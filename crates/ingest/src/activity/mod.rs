//! Activity logs.

mod cloudtrail;

use crate::Document;
use leakgraph_model::Evidence;
use serde_json::Value;

/// The kind of an activity log, by its shape.
pub(crate) fn recognise(value: &Value) -> Option<&'static str> {
    cloudtrail::recognise(value)
}

pub(crate) fn import(_kind: &str, document: &Document<'_>, value: &Value) -> Evidence {
    cloudtrail::import(document, value)
}
