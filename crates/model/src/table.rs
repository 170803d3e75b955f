//! One declaration per table: struct, Arrow schema, documentation, conversion.

use arrow_array::RecordBatch;
use arrow_schema::{ArrowError, SchemaRef};

/// Name, type and meaning of one column.
#[derive(Clone, Debug)]
pub struct ColumnDoc {
    /// Column name.
    pub name: &'static str,
    /// What the column means, in one or two sentences.
    pub doc: &'static str,
}

/// What a table is and which columns it has.
#[derive(Clone, Debug)]
pub struct TableDoc {
    /// Table name, as used in SQL.
    pub name: &'static str,
    /// What one row is.
    pub doc: &'static str,
    /// The columns in order.
    pub columns: &'static [ColumnDoc],
    /// Arrow schema of the rows (without the lake's own `batch_id`).
    pub schema: fn() -> SchemaRef,
}

/// A row type declared with [`table!`](crate::table!).
pub trait Row: Sized {
    /// Name, documentation and schema of the table.
    const TABLE: TableDoc;
    /// Rows as one Arrow batch.
    ///
    /// # Errors
    /// Only if the declaration itself is inconsistent.
    fn to_batch(rows: &[Self]) -> Result<RecordBatch, ArrowError>;
    /// Rows read back by column name; extra columns are ignored.
    ///
    /// # Errors
    /// A column is missing, has another type, or holds a null where none may be.
    fn from_batch(batch: &RecordBatch) -> Result<Vec<Self>, ArrowError>;
    /// Hands every text of the row to `visit`, which may change it.
    fn for_each_text(&mut self, visit: &mut dyn FnMut(&mut String));
}

/// Declares a canonical table.
///
/// ```
/// leakgraph_model::table! {
///     /// One row per pet.
///     "pets" Pet {
///         /// Stable key of (name).
///         pet_key: leakgraph_model::Key,
///         /// Its name, if it answers to one.
///         name: Option<String>,
///     }
/// }
/// use leakgraph_model::Row as _;
/// let pets = vec![Pet { pet_key: leakgraph_model::Key::of("pet", &["Rex"]), name: None }];
/// let batch = Pet::to_batch(&pets).unwrap();
/// assert_eq!(Pet::from_batch(&batch).unwrap(), pets);
/// ```
#[macro_export]
macro_rules! table {
    (
        $(#[doc = $table_doc:literal])+
        $table:literal $name:ident {
            $( $(#[doc = $doc:literal])+ $field:ident : $type:ty, )+
        }
    ) => {
        $(#[doc = $table_doc])+
        #[derive(Clone, Debug, PartialEq, Default)]
        pub struct $name {
            $( $(#[doc = $doc])+ pub $field: $type, )+
        }

        impl $crate::table::Row for $name {
            const TABLE: $crate::table::TableDoc = $crate::table::TableDoc {
                name: $table,
                doc: concat!($($table_doc),+).trim_ascii(),
                columns: &[
                    $( $crate::table::ColumnDoc {
                        name: stringify!($field),
                        doc: concat!($($doc),+).trim_ascii(),
                    }, )+
                ],
                schema: || std::sync::Arc::new($crate::table::arrow::Schema::new(vec![
                    $( $crate::table::arrow::Field::new(
                        stringify!($field),
                        <$type as $crate::Column>::data_type(),
                        <$type as $crate::Column>::NULLABLE,
                    ), )+
                ])),
            };

            fn to_batch(
                rows: &[Self],
            ) -> Result<$crate::table::arrow::RecordBatch, $crate::table::arrow::ArrowError> {
                $crate::table::arrow::RecordBatch::try_new((Self::TABLE.schema)(), vec![
                    $( <$type as $crate::Column>::to_array(rows.iter().map(|row| &row.$field)), )+
                ])
            }

            fn from_batch(
                batch: &$crate::table::arrow::RecordBatch,
            ) -> Result<Vec<Self>, $crate::table::arrow::ArrowError> {
                $( let $field = $crate::table::column(batch, $table, stringify!($field))?; )+
                (0..batch.num_rows())
                    .map(|row| {
                        Ok(Self {
                            $( $field: <$type as $crate::Column>::from_array($field, row)
                                .ok_or_else(|| $crate::table::mistyped($table, stringify!($field), row))?, )+
                        })
                    })
                    .collect()
            }

            fn for_each_text(&mut self, visit: &mut dyn FnMut(&mut String)) {
                $( $crate::Column::for_each_text(&mut self.$field, visit); )+
            }
        }
    };
}

/// What the expansion of [`table!`](crate::table!) names.
pub mod arrow {
    pub use arrow_array::RecordBatch;
    pub use arrow_schema::{ArrowError, Field, Schema};
}

/// The column called `name`, for [`table!`](crate::table!).
#[doc(hidden)]
pub fn column<'a>(
    batch: &'a RecordBatch,
    table: &str,
    name: &str,
) -> Result<&'a dyn arrow_array::Array, ArrowError> {
    batch
        .column_by_name(name)
        .map(AsRef::as_ref)
        .ok_or_else(|| ArrowError::SchemaError(format!("{table} lacks the column {name}")))
}

/// The error for a value of the wrong type, for [`table!`](crate::table!).
#[doc(hidden)]
pub fn mistyped(table: &str, name: &str, row: usize) -> ArrowError {
    ArrowError::SchemaError(format!("{table}.{name}: unexpected type or null in row {row}"))
}
