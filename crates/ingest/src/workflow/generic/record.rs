//! Cells of a row in their canonical types.

use super::schema::Table;
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{ArrowError, DataType, Field};
use leakgraph_model::{Column, Key, Timestamp};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashMap};

/// A row of a file: its columns by name. Absent, null and empty are the same.
pub(super) type Members = Map<String, Value>;

/// A value of a canonical column.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell {
    Text(String),
    Int(i64),
    Float(f64),
    Bool(bool),
    Time(Timestamp),
    Key(Key),
    List(Vec<String>),
}

/// The cells of one canonical row.
pub(super) type Cells = HashMap<&'static str, Cell>;

/// A column as text: numbers as they are written, nothing where it is empty.
pub(super) fn text(members: &Members, column: &str) -> Option<String> {
    match members.get(column)? {
        Value::String(text) if text.is_empty() => None,
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        _ => None,
    }
}

/// A column of whole numbers.
pub(super) fn int(members: &Members, column: &str) -> Option<i64> {
    match members.get(column)? {
        // Tools that know no null integers write 3.0 for 3.
        Value::Number(number) => number.as_i64().or_else(|| whole(number.as_f64()?)),
        Value::String(text) => text.trim().parse().ok().or_else(|| whole(text.trim().parse().ok()?)),
        _ => None,
    }
}

fn whole(number: f64) -> Option<i64> {
    let fits = number.fract() == 0.0 && number.abs() < 9e15;
    fits.then_some(number as i64)
}

/// A column of keys: 32 hexadecimal digits.
pub(super) fn key(members: &Members, column: &str) -> Option<Key> {
    Key::from_hex(members.get(column)?.as_str()?.trim())
}

/// Whether a column says anything.
pub(super) fn is_given(members: &Members, column: &str) -> bool {
    match members.get(column) {
        None | Some(Value::Null) => false,
        Some(Value::String(text)) => !text.is_empty(),
        Some(_) => true,
    }
}

/// The value of a column in the type of the canonical one; `None` if it is no such thing.
fn cell(members: &Members, column: &str, data_type: &DataType) -> Option<Cell> {
    match data_type {
        DataType::Utf8 => text(members, column).map(Cell::Text),
        DataType::Int64 => int(members, column).map(Cell::Int),
        DataType::Float64 => match members.get(column)? {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        }
        .filter(|number| number.is_finite())
        .map(Cell::Float),
        DataType::Boolean => match text(members, column)?.to_ascii_lowercase().as_str() {
            "true" | "t" | "1" => Some(Cell::Bool(true)),
            "false" | "f" | "0" => Some(Cell::Bool(false)),
            _ => None,
        },
        DataType::Timestamp(..) => Timestamp::parse(members.get(column)?.as_str()?).map(Cell::Time),
        DataType::Binary => key(members, column).map(Cell::Key),
        DataType::List(_) => list(members.get(column)?).map(Cell::List),
        _ => None,
    }
}

/// A list, or in CSV its JSON text, or its items with semicolons between them.
fn list(value: &Value) -> Option<Vec<String>> {
    let texts = |items: &[Value]| items.iter().map(|item| item.as_str().map(str::to_owned)).collect();
    match value {
        Value::Array(items) => texts(items),
        Value::String(text) if text.starts_with('[') => {
            texts(serde_json::from_str::<Value>(text).ok()?.as_array()?)
        }
        Value::String(text) => Some(text.split(';').map(|item| item.trim().to_owned()).collect()),
        _ => None,
    }
}

/// Rows with the same trouble: how many, and which is the first.
#[derive(Clone, Copy)]
pub(super) struct Seen {
    pub(super) rows: usize,
    pub(super) first: usize,
}

impl Seen {
    /// Notes the trouble of a row.
    pub(super) fn note<K: Ord>(seen: &mut BTreeMap<K, Self>, trouble: K, row: usize) {
        seen.entry(trouble).or_insert(Self { rows: 0, first: row }).rows += 1;
    }
}

/// The values of a column that are not of its type.
pub(super) type Mistyped = BTreeMap<(&'static str, &'static str), Seen>;

/// The cells that a file gives for the canonical columns of its table.
pub(super) fn cells(
    table: &Table,
    fields: &[Field],
    (row, members): (usize, &Members),
    mistyped: &mut Mistyped,
) -> Cells {
    let mut found = Cells::new();
    for (name, field) in table.canonical.iter().flat_map(|doc| doc.columns).zip(fields) {
        let name = name.name;
        if is_given(members, name) {
            match cell(members, name, field.data_type()) {
                Some(cell) => {
                    found.insert(name, cell);
                }
                None => Seen::note(mistyped, (name, called(field.data_type())), row),
            }
        }
    }
    for (name, value) in table.defaults {
        let default = || Members::from_iter([((*name).to_owned(), Value::from(*value))]);
        let field = fields.iter().find(|field| field.name() == name);
        if let (false, Some(field)) = (found.contains_key(name), field)
            && let Some(cell) = cell(&default(), name, field.data_type())
        {
            found.insert(name, cell);
        }
    }
    found
}

/// What the values of a type are called.
fn called(data_type: &DataType) -> &'static str {
    match data_type {
        DataType::Int64 => "whole number",
        DataType::Float64 => "number",
        DataType::Boolean => "truth value",
        DataType::Timestamp(..) => "time with an offset (RFC 3339)",
        DataType::Binary => "key of 32 hexadecimal digits",
        DataType::List(_) => "list of texts",
        _ => "text",
    }
}

/// Rows as a batch of the canonical table; lists that are absent are empty.
///
/// # Errors
/// A row has no value in a column that must have one: see [`is_whole`].
pub(super) fn batch(table: &Table, rows: &[Cells]) -> Result<RecordBatch, ArrowError> {
    let Some(doc) = &table.canonical else {
        return Err(ArrowError::SchemaError(format!("{} is no canonical table", table.name)));
    };
    let schema = (doc.schema)();
    let columns = schema.fields().iter().map(|field| column(field, rows)).collect();
    RecordBatch::try_new(schema, columns)
}

/// Whether a row has all that its table must have.
pub(super) fn is_whole(fields: &[Field], cells: &Cells) -> bool {
    missing(fields, cells).next().is_none()
}

/// The columns that a row must have and lacks.
pub(super) fn lacking(fields: &[Field], cells: &Cells) -> String {
    missing(fields, cells).collect::<Vec<_>>().join(", ")
}

fn missing<'f>(fields: &'f [Field], cells: &Cells) -> impl Iterator<Item = &'f str> {
    let has = |field: &&Field| {
        field.is_nullable()
            || matches!(field.data_type(), DataType::List(_))
            || cells.contains_key(field.name().as_str())
    };
    fields.iter().filter(move |field| !has(field)).map(|field| field.name().as_str())
}

fn column(field: &Field, rows: &[Cells]) -> ArrayRef {
    let values = || rows.iter().map(|row| row.get(field.name().as_str()));
    macro_rules! array {
        ($rust:ty, $variant:ident) => {{
            let typed: Vec<$rust> = values()
                .map(|cell| match cell {
                    Some(Cell::$variant(value)) => Some(value.clone()),
                    _ => None,
                })
                .collect();
            <$rust as Column>::to_array(typed.iter())
        }};
    }
    match field.data_type() {
        DataType::Int64 => array!(Option<i64>, Int),
        DataType::Float64 => array!(Option<f64>, Float),
        DataType::Boolean => array!(Option<bool>, Bool),
        DataType::Timestamp(..) => array!(Option<Timestamp>, Time),
        DataType::Binary => array!(Option<Key>, Key),
        DataType::List(_) => {
            let lists: Vec<Vec<String>> = values()
                .map(|cell| match cell {
                    Some(Cell::List(items)) => items.clone(),
                    _ => Vec::new(),
                })
                .collect();
            Column::to_array(lists.iter())
        }
        _ => array!(Option<String>, Text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_read_in_the_ways_tools_write_them() {
        let value = json!({"a": "3", "b": 3.0, "c": "3.5", "d": "2026-10-01 10:00:00+02:00", "e": "a; b",
            "f": "[\"x;y\"]", "g": "True", "h": "2026-10-01 10:00:00", "i": 7, "j": ""});
        let members = value.as_object().unwrap();
        assert_eq!((int(members, "a"), int(members, "b"), int(members, "c")), (Some(3), Some(3), None));
        let time = DataType::Timestamp(arrow_schema::TimeUnit::Microsecond, None);
        let at = Timestamp::parse("2026-10-01T08:00:00Z").unwrap();
        assert_eq!(cell(members, "d", &time), Some(Cell::Time(at)));
        // Whose time is it? Not ours to guess.
        assert_eq!(cell(members, "h", &time), None);
        assert_eq!(list(&value["e"]), Some(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(list(&value["f"]), Some(vec!["x;y".to_owned()]));
        assert_eq!(cell(members, "g", &DataType::Boolean), Some(Cell::Bool(true)));
        assert_eq!((text(members, "i").as_deref(), is_given(members, "j")), (Some("7"), false));
    }
}
