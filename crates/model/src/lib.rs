//! The vocabulary of leakgraph: canonical tables, stable keys, severities,
//! finding kinds and the framework catalogs they map to.
//!
//! Every table is a Rust struct whose fields *are* its columns (see [`mod@table`]);
//! the Arrow schema, the column documentation and the conversion to a
//! `RecordBatch` all come from that one declaration.

pub mod column;
mod entropy;
pub mod evidence;
pub mod framework;
pub mod key;
pub mod scored;
pub mod severity;
pub mod table;
pub mod tables;
pub mod time;

pub use column::Column;
pub use entropy::entropy;
pub use evidence::Evidence;
pub use key::{Key, hex};
pub use severity::Severity;
pub use table::{ColumnDoc, Row, TableDoc};
pub use time::Timestamp;
