//! Rows of CSV: RFC 4180, with commas, semicolons or tabs; the first record names the columns.

use super::record::Members;
use super::rows::Rows;
use super::schema::{TAG, Table};
use crate::importer::Recognised;
use crate::workflow::github::log::BOM;
use ::csv::{ByteRecord, Reader, ReaderBuilder};
use serde_json::Value;

/// A header beyond this is none.
const MAX_HEADER_BYTES: usize = 64 << 10;

/// How a file is written and which columns it has.
struct Header {
    delimiter: u8,
    columns: Vec<String>,
}

impl Header {
    fn of(bytes: &[u8]) -> Option<Self> {
        let start = bytes.strip_prefix(BOM).unwrap_or(bytes);
        let head = start.get(..start.len().min(MAX_HEADER_BYTES)).unwrap_or_default();
        let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
        // Nearly every text is no table, and says so in its first line.
        let is_worth_it = [TAG, "run_id", "run_key", "job_key", "handoff", "native_id", "identity_key"]
            .iter()
            .any(|word| memchr::memmem::find(line, word.as_bytes()).is_some());
        if !is_worth_it || line.len() == MAX_HEADER_BYTES {
            return None;
        }
        b",;\t".iter().find_map(|delimiter| {
            let record = reader(line, *delimiter).into_byte_records().next()?.ok()?;
            let columns: Vec<String> =
                record.iter().map(|name| String::from_utf8_lossy(name).trim().to_owned()).collect();
            let header = Self { delimiter: *delimiter, columns };
            header.table().is_some().then_some(header)
        })
    }

    /// `Some(None)` where each row says it.
    #[expect(clippy::option_option, reason = "no header of ours, rows of tables they name, rows of a table")]
    fn table(&self) -> Option<Option<&'static Table>> {
        let columns: Vec<&str> = self.columns.iter().map(String::as_str).collect();
        if columns.contains(&TAG) {
            return Some(None);
        }
        Table::of_header(&columns).map(Some)
    }
}

fn reader(bytes: &[u8], delimiter: u8) -> Reader<&[u8]> {
    ReaderBuilder::new().has_headers(false).flexible(true).delimiter(delimiter).from_reader(bytes)
}

pub(super) fn recognise(bytes: &[u8]) -> Option<Recognised> {
    let because = match Header::of(bytes)?.table()? {
        None => "a header with the column `leakgraph_schema`",
        Some(_) => "a header with the columns of one table of the generic schema",
    };
    Some(Recognised::new("generic_csv", because))
}

pub(super) fn import(bytes: &[u8], rows: &mut Rows<'_>) {
    let Some(header) = Header::of(bytes) else { return };
    let table = header.table().flatten();
    let start = bytes.strip_prefix(BOM).unwrap_or(bytes);
    let mut records = reader(start, header.delimiter);
    let mut record = ByteRecord::new();
    let (mut is_header, mut short) = (true, 0);
    // From a slice nothing fails to be read, and records of any length are taken.
    while records.read_byte_record(&mut record).unwrap_or(false) {
        if std::mem::take(&mut is_header) {
            continue;
        }
        short += usize::from(record.len() < header.columns.len());
        rows.row(table, &members(&header.columns, &record));
    }
    if short > 0 {
        let reason = format!("{short} records have fewer cells than the header");
        rows.problem("malformed_csv", reason, true);
    }
}

fn members(columns: &[String], record: &ByteRecord) -> Members {
    let cells = record.iter().enumerate().filter(|(_, cell)| !cell.is_empty());
    cells
        .map(|(index, cell)| {
            let name = columns.get(index).cloned().unwrap_or_else(|| format!("column {}", index + 1));
            (name, Value::String(String::from_utf8_lossy(cell).into_owned()))
        })
        .collect()
}
