//! Every table of the scored demo, as a snapshot: what each column holds, and the first rows.
//!
//! `cargo insta review` shows what a change does to the tables.

use crate::{demo, leakgraph, stdout};
use leakgraph_model::TableDoc;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

/// Columns that differ from run to run by design.
const VOLATILE: [&str; 3] = ["batch_id", "committed_at", "created_at"];
const SHOWN_ROWS: usize = 3;

pub(crate) fn documented() -> impl Iterator<Item = &'static TableDoc> {
    leakgraph_model::Evidence::TABLES.iter().chain(leakgraph_model::scored::TABLES)
}

/// The rows of a table, one JSON object each, in an order that depends on nothing but content.
pub(crate) fn rows(lake: &Path, table: &str) -> Vec<Value> {
    let sql = format!("SELECT * FROM {table}");
    let text = stdout(leakgraph(lake).args(["sql", "--format", "ndjson", "-c", &sql]), 0);
    let folder = demo().folder.path().display().to_string();
    let mut lines: Vec<Value> = text
        .replace(&folder, "")
        .lines()
        .map(|line| serde_json::from_str(line).expect("one JSON object a line"))
        .map(|mut row: Value| {
            let object = row.as_object_mut().expect("an object");
            VOLATILE.iter().for_each(|name| drop(object.remove(*name)));
            row
        })
        .collect();
    lines.sort_by_cached_key(Value::to_string);
    lines
}

fn describe(doc: &TableDoc) -> String {
    let rows = rows(&demo().lake(), doc.name);
    let mut text =
        format!("{} rows\n\n{:<24} {:>6} {:>8}  digest\n", rows.len(), "column", "nulls", "distinct");
    for column in doc.columns.iter().filter(|column| !VOLATILE.contains(&column.name)) {
        let values: Vec<String> = rows
            .iter()
            .filter_map(|row| row.get(column.name))
            .filter(|value| !value.is_null())
            .map(Value::to_string)
            .collect();
        let distinct: BTreeSet<&String> = values.iter().collect();
        let digest: String =
            Sha256::digest(values.join("\n")).iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        let nulls = rows.len() - values.len();
        writeln!(text, "{:<24} {nulls:>6} {:>8}  {digest}", column.name, distinct.len()).expect("memory");
    }
    for row in rows.iter().take(SHOWN_ROWS) {
        writeln!(text, "\n{}", serde_json::to_string_pretty(row).expect("JSON")).expect("memory");
    }
    text
}

#[test]
fn every_table_of_the_demo_is_as_reviewed() {
    for doc in documented() {
        insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(doc.name, describe(doc));
        });
    }
}
