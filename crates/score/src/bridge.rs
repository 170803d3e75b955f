//! The one place where Arrow and Polars meet: an in-memory Arrow IPC stream.
//!
//! The two implement Arrow apart; sharing buffers would need `unsafe`.

use crate::Error;
use arrow::ipc::writer::StreamWriter;
use arrow_array::RecordBatch;
use polars::prelude::*;
use std::io::Cursor;

/// Copies a batch into Polars.
pub(crate) fn to_polars(batch: &RecordBatch) -> Result<DataFrame, Error> {
    let mut bytes = Vec::new();
    let mut writer = StreamWriter::try_new(&mut bytes, &batch.schema())?;
    writer.write(batch)?;
    writer.finish()?;
    drop(writer);
    Ok(IpcStreamReader::new(Cursor::new(bytes)).finish()?)
}
