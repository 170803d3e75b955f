//! Rows of JSON: one object a row, or `{"leakgraph_schema": …, "rows": […]}`, as JSON Lines,
//! concatenated or in an array.

use super::record::Members;
use super::rows::Rows;
use super::schema::{TAG, Table};
use crate::documents;
use crate::importer::Recognised;
use crate::workflow::github::log::BOM;
use serde::Deserialize;
use serde_json::Value;

/// What of the first value tells.
#[derive(Deserialize)]
struct Tagged {
    #[serde(rename = "leakgraph_schema")]
    _table: String,
}

pub(super) fn recognise(bytes: &[u8]) -> Option<Recognised> {
    let start = bytes.strip_prefix(BOM).unwrap_or(bytes).trim_ascii_start();
    let object = start.strip_prefix(b"[").map_or(start, <[u8]>::trim_ascii_start);
    if !object.starts_with(b"{") || memchr::memmem::find(object, TAG.as_bytes()).is_none() {
        return None;
    }
    serde_json::Deserializer::from_slice(object).into_iter::<Tagged>().next()?.ok()?;
    Some(Recognised::new("generic_json", "objects with the member `leakgraph_schema`"))
}

/// Adds the rows of a file; from where it is malformed on, it is read for its text.
pub(super) fn import(path: &str, bytes: &[u8], rows: &mut Rows<'_>) {
    let mut is_first = true;
    for value in documents::json(bytes) {
        match value {
            Ok(value) => add(value, rows),
            Err(malformed) => {
                let before = bytes.get(..malformed.offset).unwrap_or_default();
                // Where the trouble is in the first value, nothing of it was read.
                let line = memchr::memrchr(b'\n', before).filter(|_| !is_first).map_or(0, |end| end + 1);
                let start = if is_first { 0 } else { line };
                rows.malformed(malformed.problem(path), bytes.get(start..).unwrap_or_default());
            }
        }
        is_first = false;
    }
}

fn add(value: Value, rows: &mut Rows<'_>) {
    match value {
        Value::Array(items) => items.into_iter().for_each(|item| add(item, rows)),
        Value::Object(mut members) => match members.get_mut("rows").map(Value::take) {
            Some(Value::Array(items)) => {
                let tag = members.get(TAG).and_then(Value::as_str).unwrap_or_default();
                let table = Table::named(tag);
                for item in items {
                    match (table, item) {
                        (Some(table), Value::Object(row)) => rows.row(Some(table), &row),
                        (_, item) => rows.row(None, &untold(tag, item)),
                    }
                }
            }
            Some(other) => {
                members.insert("rows".to_owned(), other);
                rows.row(None, &members);
            }
            None => rows.row(None, &members),
        },
        other => rows.row(None, &untold("", other)),
    }
}

/// What is no row, or of no table: read for its text only.
fn untold(tag: &str, value: Value) -> Members {
    let mut members = match value {
        Value::Object(members) => members,
        other => Members::from_iter([("value".to_owned(), other)]),
    };
    members.insert(TAG.to_owned(), Value::from(tag));
    members
}
