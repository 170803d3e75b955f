//! Identity inventories, one module per platform.

pub(crate) mod access_keys;
mod aws;
mod github;

use crate::Document;
use leakgraph_model::Evidence;
use serde_json::Value;

/// The kind of an inventory, by its shape.
pub(crate) fn recognise(value: &Value) -> Option<&'static str> {
    aws::recognise(value).or_else(|| access_keys::recognise(value)).or_else(|| github::recognise(value))
}

pub(crate) fn import(kind: &str, document: &Document<'_>, value: &Value) -> Evidence {
    match kind {
        "account_authorization_details" => aws::import(document, value),
        "aws_access_keys" => access_keys::import(document, value),
        _ => github::import(kind, document, value),
    }
}
