//! The generic schema: runs, jobs, steps, handoffs, logs, identities and what belongs to them,
//! from any system that can write a table. `docs/generic-schema.md` describes it for those who do.
//!
//! A file says its table in a column (or member, or Parquet key) `leakgraph_schema`; a CSV or
//! Parquet file whose columns fit one table only need not. Columns are called as in the
//! canonical tables; natural ids stand in for keys. Formats:
//!
//! | format | rows | table |
//! |---|---|---|
//! | CSV | records after a header | column, or by the header |
//! | JSON | objects: JSON Lines, an array, or `rows` of an object | member of each or of the wrapper |
//! | Parquet | rows | column, key of the footer, or by the columns |
//!
//! An unknown column, a missing one and a value of another type are problems, each with its
//! name; the rest of the row or file is imported. Texts go to the scanner: logs as the text
//! of their job, everything else row by row.

mod csv;
pub(crate) mod identities;
mod json;
mod keys;
mod logs;
mod pages;
mod parquet;
mod record;
mod rows;
mod schema;

use crate::TextSink;
use crate::importer::{Importer, Recognised, TextFile};
use crate::limits::Limits;
use crate::reader::source_file;
use leakgraph_model::Evidence;
use rows::Rows;

/// Files of the generic schema.
pub(crate) struct Generic;

impl Importer for Generic {
    fn platform(&self) -> &'static str {
        "generic"
    }

    fn recognise_text(&self, file: TextFile<'_>) -> Option<Recognised> {
        if parquet::is_parquet(file.bytes) {
            return Some(Recognised::new("generic_parquet", "the magic number of Parquet"));
        }
        json::recognise(file.bytes).or_else(|| csv::recognise(file.bytes))
    }

    fn import_text(
        &self,
        kind: &'static str,
        file: TextFile<'_>,
        limits: &Limits,
        sink: &mut dyn TextSink,
    ) -> Evidence {
        let content = file.content();
        let mut rows = Rows::new(file.path, content.key, sink);
        if file.bytes.len() as u64 > limits.max_json_bytes && kind != "generic_csv" {
            let reason = format!("a structured file of more than {} bytes", limits.max_json_bytes);
            rows.problem("too_large", reason, true);
        } else {
            match kind {
                "generic_parquet" => parquet::import(file.bytes, limits, &mut rows),
                "generic_json" => json::import(file.path, file.bytes, &mut rows),
                _ => csv::import(file.bytes, &mut rows),
            }
        }
        let mut evidence = rows.finish();
        let row = source_file(file.path, &content, self.platform(), kind, evidence.rows());
        evidence.source_files.push(row);
        evidence
    }

    fn takes_json(&self, kind: &str) -> bool {
        kind == "generic_json"
    }
}
