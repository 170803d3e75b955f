//! How Rust field types become Arrow columns, and back.

use crate::{Key, Timestamp};
use arrow_array::builder::{ListBuilder, StringBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Float64Array, Int64Array, ListArray, StringArray,
    TimestampMicrosecondArray,
};
use arrow_schema::{DataType, Field, TimeUnit};
use std::sync::Arc;

/// A Rust type that can stand as a column of a canonical table.
///
/// Keys are `Binary` of 16 bytes, because Delta Lake has no fixed-size type;
/// numbers are `Int64`/`Float64`, because it has no unsigned ones.
pub trait Column: Sized {
    /// Whether the column may hold nulls.
    const NULLABLE: bool;
    /// The Arrow type of the column.
    fn data_type() -> DataType;
    /// Builds the column.
    fn to_array<'a>(values: impl Iterator<Item = &'a Self>) -> ArrayRef
    where
        Self: 'a;
    /// Reads one value; `None` where the array has another type or an unexpected null.
    fn from_array(array: &dyn Array, row: usize) -> Option<Self>;
    /// Hands every text of the value to `visit`.
    fn for_each_text(&mut self, _visit: &mut dyn FnMut(&mut String)) {}
}

/// The type of elements of string lists.
fn item() -> Field {
    Field::new("item", DataType::Utf8, true)
}

macro_rules! scalar {
    ($rust:ty, $data_type:expr, $array:ty, $to:expr, $from:expr $(, $texts:expr)?) => {
        impl Column for $rust {
            const NULLABLE: bool = false;
            fn data_type() -> DataType {
                $data_type
            }
            fn to_array<'a>(values: impl Iterator<Item = &'a Self>) -> ArrayRef {
                let to: fn(&'a $rust) -> _ = $to;
                Arc::new(<$array>::from_iter(values.map(|value| Some(to(value)))))
            }
            fn from_array(array: &dyn Array, row: usize) -> Option<Self> {
                if array.is_null(row) {
                    return None;
                }
                let from: fn(&dyn Array, usize) -> Option<$rust> = $from;
                from(array, row)
            }
            $(fn for_each_text(&mut self, visit: &mut dyn FnMut(&mut String)) {
                let texts: fn(&mut $rust, &mut dyn FnMut(&mut String)) = $texts;
                texts(self, visit);
            })?
        }
        impl Column for Option<$rust> {
            const NULLABLE: bool = true;
            fn data_type() -> DataType {
                $data_type
            }
            fn to_array<'a>(values: impl Iterator<Item = &'a Self>) -> ArrayRef {
                let to: fn(&'a $rust) -> _ = $to;
                Arc::new(<$array>::from_iter(values.map(|value| value.as_ref().map(to))))
            }
            fn from_array(array: &dyn Array, row: usize) -> Option<Self> {
                Some(<$rust as Column>::from_array(array, row))
            }
            fn for_each_text(&mut self, visit: &mut dyn FnMut(&mut String)) {
                if let Some(value) = self {
                    value.for_each_text(visit);
                }
            }
        }
    };
}

scalar!(
    String,
    DataType::Utf8,
    StringArray,
    |value| value.as_str(),
    |array, row| array.as_string_opt::<i32>().map(|a| a.value(row).to_owned()),
    |value, visit| visit(value)
);
scalar!(i64, DataType::Int64, Int64Array, |value| *value, |array, row| array
    .as_primitive_opt::<Int64Type>()
    .map(|a| a.value(row)));
scalar!(f64, DataType::Float64, Float64Array, |value| *value, |array, row| array
    .as_primitive_opt::<Float64Type>()
    .map(|a| a.value(row)));
scalar!(bool, DataType::Boolean, BooleanArray, |value| *value, |array, row| array
    .as_boolean_opt()
    .map(|a| a.value(row)));
scalar!(Key, DataType::Binary, BinaryArray, |value| value.0.as_slice(), |array, row| {
    let bytes = array.as_binary_opt::<i32>()?.value(row);
    bytes.try_into().ok().map(Key)
});

impl Column for Option<Timestamp> {
    const NULLABLE: bool = true;
    fn data_type() -> DataType {
        DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
    }
    fn to_array<'a>(values: impl Iterator<Item = &'a Self>) -> ArrayRef {
        let array = TimestampMicrosecondArray::from_iter(values.map(|v| v.map(|t| t.0)));
        Arc::new(array.with_timezone("UTC"))
    }
    fn from_array(array: &dyn Array, row: usize) -> Option<Self> {
        let array = array.as_primitive_opt::<TimestampMicrosecondType>()?;
        Some((!array.is_null(row)).then(|| Timestamp(array.value(row))))
    }
}

impl Column for Vec<String> {
    const NULLABLE: bool = false;
    fn data_type() -> DataType {
        DataType::List(Arc::new(item()))
    }
    fn to_array<'a>(values: impl Iterator<Item = &'a Self>) -> ArrayRef {
        let mut builder = ListBuilder::new(StringBuilder::new()).with_field(item());
        for list in values {
            for text in list {
                builder.values().append_value(text);
            }
            builder.append(true);
        }
        Arc::new(builder.finish())
    }
    fn from_array(array: &dyn Array, row: usize) -> Option<Self> {
        let list: &ListArray = array.as_list_opt::<i32>()?;
        if list.is_null(row) {
            return None;
        }
        let values = list.value(row);
        let texts = values.as_string_opt::<i32>()?;
        Some(texts.iter().flatten().map(str::to_owned).collect())
    }
    fn for_each_text(&mut self, visit: &mut dyn FnMut(&mut String)) {
        self.iter_mut().for_each(visit);
    }
}
