//! Rows of Parquet files.
//!
//! Read with the decoder of Apache Arrow, which trusts what a file says of itself: `pages`
//! looks first. Compression by Snappy, Zstandard and LZ4 (raw) is read, because their
//! output is bounded by the page header, that of gzip and Brotli is not; encodings are
//! PLAIN and dictionaries, which is what writers use unless told otherwise.

use super::pages::{page, schema_elements};
use super::record::Members;
use super::rows::{Rows, listed};
use super::schema::{TAG, Table};
use crate::limits::Limits;
use ::parquet::arrow::ProjectionMask;
use ::parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use ::parquet::basic::Compression;
use ::parquet::file::metadata::ColumnChunkMetaData;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, Field, FieldRef, Schema, TimeUnit};
use bytes::Bytes;
use leakgraph_model::{Timestamp, hex};
use serde_json::Value;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

const MAGIC: &[u8] = b"PAR1";
const ENCRYPTED: &[u8] = b"PARE";
/// A footer of more is refused: ten thousand column chunks need two.
const MAX_FOOTER_BYTES: usize = 8 << 20;
/// Columns and groups of columns.
const MAX_ELEMENTS: u64 = 1024;
/// Values of a column chunk or a page.
const MAX_VALUES: usize = 4 << 20;
const BATCH_ROWS: usize = 1024;
/// What a row costs beside its texts.
const ROW_BYTES: u64 = 64;
/// Sizes are judged by ratio only beyond this many bytes, as with archives.
const RATIO_FREE_BYTES: u64 = 1 << 20;
/// PLAIN, PLAIN_DICTIONARY, RLE (of truth values), RLE_DICTIONARY.
const ENCODINGS: [i32; 4] = [0, 2, 3, 8];

pub(super) fn is_parquet(bytes: &[u8]) -> bool {
    let head = bytes.get(..bytes.len().min(4096)).unwrap_or_default();
    // A text may begin with these letters; a file that is cut off lacks them at its end.
    let is_plain = bytes.starts_with(MAGIC) && (bytes.ends_with(MAGIC) || head.contains(&0));
    is_plain || (bytes.starts_with(ENCRYPTED) && bytes.ends_with(ENCRYPTED))
}

/// Why a file or the rest of it is not read.
struct Refused {
    code: &'static str,
    reason: String,
}

fn refused(code: &'static str, reason: impl Into<String>) -> Refused {
    Refused { code, reason: reason.into() }
}

fn malformed(reason: impl std::fmt::Display) -> Refused {
    // What the decoder says may quote the file.
    let reason: String = reason.to_string().chars().filter(|letter| !letter.is_control()).take(200).collect();
    refused("malformed_parquet", format!("malformed Parquet: {reason}"))
}

/// Adds the rows of a file; what is wrong with it becomes a problem.
pub(super) fn import(bytes: &[u8], limits: &Limits, rows: &mut Rows<'_>) {
    // The decoder is not ours: should it panic on a file, the other files are still read.
    let outcome = catch_unwind(AssertUnwindSafe(|| read(bytes, limits, rows)));
    let refused = match outcome {
        Ok(Ok(())) => return,
        Ok(Err(refused)) => refused,
        Err(_) => malformed("the decoder gave up"),
    };
    rows.problem(refused.code, refused.reason, true);
}

fn read(bytes: &[u8], limits: &Limits, rows: &mut Rows<'_>) -> Result<(), Refused> {
    check_footer(bytes)?;
    let file = Bytes::copy_from_slice(bytes);
    let options = || ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let plain = ArrowReaderMetadata::load(&file, options()).map_err(malformed)?;
    let fields = plain.schema().fields();
    let names: Vec<&str> = fields.iter().map(|field| field.name().as_str()).collect();
    let table = table(&plain, &names);
    announce(table, &names, rows);
    let read: Vec<usize> = (0..fields.len())
        .filter(|index| fields.get(*index).is_some_and(|field| is_readable(field.data_type())))
        .collect();
    let budget = (bytes.len() as u64)
        .saturating_mul(limits.max_ratio)
        .max(RATIO_FREE_BYTES)
        .min(limits.max_json_bytes);
    check_pages(bytes, &plain, &read, budget)?;
    // Views share the text of a dictionary; copies would multiply it.
    let views: Vec<FieldRef> = fields.iter().map(viewed).collect();
    let metadata = ArrowReaderMetadata::try_new(
        Arc::clone(plain.metadata()),
        options().with_schema(Arc::new(Schema::new(views))),
    )
    .map_err(malformed)?;
    let mask = ProjectionMask::roots(plain.parquet_schema(), read);
    let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata)
        .with_projection(mask)
        .with_batch_size(BATCH_ROWS)
        .build()
        .map_err(malformed)?;
    let mut left = budget;
    for batch in reader {
        add(&batch.map_err(malformed)?, table, &mut left, rows)?;
    }
    Ok(())
}

/// The table of a file; `Some(None)` where each row says it.
type Told = Option<Option<&'static Table>>;

fn table(metadata: &ArrowReaderMetadata, names: &[&str]) -> Told {
    if names.contains(&TAG) {
        return Some(None);
    }
    let pairs = metadata.metadata().file_metadata().key_value_metadata();
    let tag = pairs.into_iter().flatten().find(|pair| pair.key == TAG);
    match tag.and_then(|pair| pair.value.as_deref()) {
        Some(tag) => Table::named(tag).map(Some),
        None => Table::of_header(names).map(Some),
    }
}

/// Says what the columns of the file are, as far as they are not the table's.
fn announce(table: Told, names: &[&str], rows: &mut Rows<'_>) {
    match table {
        Some(Some(table)) => rows.columns(table, names),
        Some(None) => {}
        None => {
            let names = listed(names.iter().copied());
            let reason =
                format!("a Parquet file of no table of the generic schema: scanned only; columns {names}");
            rows.problem("unrecognised", reason, true);
        }
    }
}

/// Magic, length and schema of the footer.
fn check_footer(bytes: &[u8]) -> Result<(), Refused> {
    if bytes.ends_with(ENCRYPTED) {
        return Err(refused("encrypted", "an encrypted Parquet file"));
    }
    let without_magic = bytes.strip_suffix(MAGIC).ok_or_else(|| malformed("cut off: no footer"))?;
    let (rest, length) = without_magic.split_last_chunk::<4>().ok_or_else(|| malformed("no footer"))?;
    let length = u32::from_le_bytes(*length) as usize;
    if length > MAX_FOOTER_BYTES {
        return Err(refused("too_large", format!("a Parquet footer of {length} bytes")));
    }
    let start = rest.len().checked_sub(length).ok_or_else(|| malformed("a footer longer than the file"))?;
    let footer = rest.get(start..).unwrap_or_default();
    let elements = schema_elements(footer).ok_or_else(|| malformed("no schema"))?;
    if elements > MAX_ELEMENTS {
        return Err(refused("too_large", format!("a Parquet schema of {elements} elements")));
    }
    Ok(())
}

/// Whether values of a type become cells.
fn is_readable(data_type: &DataType) -> bool {
    match data_type {
        DataType::List(item) => item.data_type() == &DataType::Utf8,
        DataType::FixedSizeBinary(_) | DataType::Timestamp(..) => true,
        DataType::Utf8 | DataType::Binary | DataType::Boolean => true,
        other => other.is_integer() || matches!(other, DataType::Float32 | DataType::Float64),
    }
}

fn viewed(field: &FieldRef) -> FieldRef {
    let data_type = match field.data_type() {
        DataType::Utf8 => DataType::Utf8View,
        DataType::Binary => DataType::BinaryView,
        DataType::List(item) if item.data_type() == &DataType::Utf8 => DataType::List(viewed(item)),
        _ => return Arc::clone(field),
    };
    Arc::new(Field::clone(field).with_data_type(data_type))
}

/// Judges all pages of the columns that are read by their headers.
fn check_pages(
    bytes: &[u8],
    metadata: &ArrowReaderMetadata,
    read: &[usize],
    budget: u64,
) -> Result<(), Refused> {
    let schema = metadata.parquet_schema();
    let mut claimed = 0_u64;
    for group in metadata.metadata().row_groups() {
        for (leaf, chunk) in group.columns().iter().enumerate() {
            if leaf < schema.num_columns() && read.contains(&schema.get_column_root_idx(leaf)) {
                claimed = claimed.saturating_add(chunk_bytes(bytes, chunk)?);
            }
        }
    }
    if claimed > budget {
        let reason = format!("a Parquet file of {} bytes that claims to hold {claimed}", bytes.len());
        return Err(refused("ratio_exceeded", reason));
    }
    Ok(())
}

/// Bytes that the pages of a column chunk claim.
fn chunk_bytes(file: &[u8], chunk: &ColumnChunkMetaData) -> Result<u64, Refused> {
    if !matches!(
        chunk.compression(),
        Compression::UNCOMPRESSED | Compression::SNAPPY | Compression::ZSTD(_) | Compression::LZ4_RAW
    ) {
        let reason = "a Parquet compression other than Snappy, Zstandard or LZ4 (raw)";
        return Err(refused("unsupported_encoding", reason));
    }
    let start = chunk.dictionary_page_offset().unwrap_or_else(|| chunk.data_page_offset());
    let pages = usize::try_from(start)
        .ok()
        .zip(usize::try_from(chunk.compressed_size()).ok())
        .and_then(|(start, length)| file.get(start..start.checked_add(length)?));
    let mut rest = pages.ok_or_else(|| malformed("a column beyond the end of the file"))?;
    if chunk.num_values() > MAX_VALUES as i64 {
        return Err(refused("too_large", format!("a Parquet column of {} values", chunk.num_values())));
    }
    let (mut claimed, mut values) = (0_u64, 0_usize);
    while !rest.is_empty() {
        let page = page(rest).ok_or_else(|| malformed("a page without a header"))?;
        let length = page.header.saturating_add(page.stored);
        rest = rest.get(length..).ok_or_else(|| malformed("a page beyond the end of its column"))?;
        if !ENCODINGS.contains(&page.encoding) {
            let reason = "a Parquet encoding other than plain or dictionary";
            return Err(refused("unsupported_encoding", reason));
        }
        if page.is_dictionary && page.values > page.bytes {
            return Err(malformed("a dictionary of more values than bytes"));
        }
        values = values.saturating_add(page.values);
        if values > 2 * MAX_VALUES {
            return Err(refused("too_large", format!("Parquet pages of more than {values} values")));
        }
        claimed = claimed.saturating_add(page.bytes as u64).saturating_add(page.header as u64);
    }
    Ok(claimed)
}

/// Adds the rows of a batch, as far as the budget goes.
fn add(batch: &RecordBatch, table: Told, left: &mut u64, rows: &mut Rows<'_>) -> Result<(), Refused> {
    let schema = batch.schema();
    for row in 0..batch.num_rows() {
        let mut members = Members::new();
        let mut bytes = ROW_BYTES;
        for (field, column) in schema.fields().iter().zip(batch.columns()) {
            if !column.is_null(row)
                && let Some(value) = value(column, row)
            {
                bytes += size(&value);
                members.insert(field.name().clone(), value);
            }
        }
        *left = left.checked_sub(bytes).ok_or_else(|| {
            refused("ratio_exceeded", "Parquet rows that hold far more than their file: the rest is not read")
        })?;
        match table {
            Some(table) => rows.row(table, &members),
            None => rows.foreign(&members),
        }
    }
    Ok(())
}

fn size(value: &Value) -> u64 {
    match value {
        Value::String(text) => text.len() as u64,
        Value::Array(items) => items.iter().map(|item| 8 + size(item)).sum(),
        _ => 8,
    }
}

/// The value of a cell: keys as hexadecimal digits, times in RFC 3339, those of no time
/// zone without an offset, so that they are not taken for UTC.
fn value(column: &dyn Array, row: usize) -> Option<Value> {
    macro_rules! number {
        ($type:ty) => {
            Value::from(column.as_primitive_opt::<$type>()?.value(row))
        };
    }
    macro_rules! time {
        ($type:ty, $zone:expr, $micros:expr) => {{
            let micros: fn(i64) -> Option<i64> = $micros;
            let at = Timestamp(micros(column.as_primitive_opt::<$type>()?.value(row))?).to_string();
            Value::from(if $zone.is_some() { at } else { at.trim_end_matches('Z').to_owned() })
        }};
    }
    Some(match column.data_type() {
        DataType::Utf8View => Value::from(column.as_string_view_opt()?.value(row)),
        DataType::BinaryView => Value::from(hex(column.as_binary_view_opt()?.value(row))),
        DataType::FixedSizeBinary(_) => Value::from(hex(column.as_fixed_size_binary_opt()?.value(row))),
        DataType::Boolean => Value::from(column.as_boolean_opt()?.value(row)),
        DataType::Int8 => number!(Int8Type),
        DataType::Int16 => number!(Int16Type),
        DataType::Int32 => number!(Int32Type),
        DataType::Int64 => number!(Int64Type),
        DataType::UInt8 => number!(UInt8Type),
        DataType::UInt16 => number!(UInt16Type),
        DataType::UInt32 => number!(UInt32Type),
        DataType::UInt64 => number!(UInt64Type),
        DataType::Float32 => number!(Float32Type),
        DataType::Float64 => number!(Float64Type),
        DataType::Timestamp(unit, zone) => match unit {
            TimeUnit::Second => time!(TimestampSecondType, zone, |at| at.checked_mul(1_000_000)),
            TimeUnit::Millisecond => time!(TimestampMillisecondType, zone, |at| at.checked_mul(1_000)),
            TimeUnit::Microsecond => time!(TimestampMicrosecondType, zone, Some),
            TimeUnit::Nanosecond => time!(TimestampNanosecondType, zone, |at| Some(at.div_euclid(1_000))),
        },
        DataType::List(_) => {
            let items = column.as_list_opt::<i32>()?.value(row);
            let items = items.as_string_view_opt()?;
            items.iter().map(|item| item.map_or(Value::Null, Value::from)).collect()
        }
        _ => return None,
    })
}
