//! Writing: a batch of rows over many tables, visible all at once or not at all.

use crate::Error;
use crate::tables::{BatchRow, IngestedSource, Storage, joined, stamped};
use arrow::array::RecordBatch;
use leakgraph_model::{Key, Row, Timestamp};
use std::collections::BTreeMap;
use std::fs::File;

/// What a batch holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchKind {
    /// New evidence.
    Ingest,
    /// Links, scores and findings of all evidence; replaces the former Score batch.
    Score,
}

impl BatchKind {
    /// The name in the table `batches`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Score => "score",
        }
    }
}

/// A committed batch.
#[derive(Clone, Debug)]
pub struct BatchInfo {
    /// Id of the batch.
    pub batch_id: String,
    /// Rows of all its tables.
    pub rows: usize,
}

/// Bytes of rows held back before they are written.
const FLUSH_BYTES: usize = 256 << 20;

/// An open batch. Dropping it without [`Batch::commit`] leaves nothing visible.
#[derive(Debug)]
pub struct Batch<'l> {
    storage: &'l Storage,
    kind: BatchKind,
    batch_id: String,
    sequence: i64,
    pending: BTreeMap<String, Vec<RecordBatch>>,
    pending_bytes: usize,
    sources: Vec<IngestedSource>,
    rows: usize,
    _lock: File,
}

impl<'l> Batch<'l> {
    pub(crate) fn begin(storage: &'l Storage, kind: BatchKind, lock: File) -> Result<Self, Error> {
        let committed = storage.committed()?;
        storage.sweep(&committed)?;
        let sequence = committed.last().map_or(0, |row| row.sequence) + 1;
        let now = Timestamp::now().to_string();
        let process = std::process::id().to_string();
        let key = Key::of("batch", &[kind.as_str(), &sequence.to_string(), &now, &process]);
        Ok(Self {
            storage,
            kind,
            batch_id: format!("{}-{sequence}-{}", kind.as_str(), &key.to_string()),
            sequence,
            pending: BTreeMap::new(),
            pending_bytes: 0,
            sources: Vec::new(),
            rows: 0,
            _lock: lock,
        })
    }

    /// Adds rows of a table (without `batch_id`).
    ///
    /// # Errors
    /// The rows do not have the table's columns, or cannot be written.
    pub fn write(&mut self, table: &str, batch: RecordBatch) -> Result<(), Error> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let batch = stamped(&batch, &self.batch_id, table)?;
        self.rows += batch.num_rows();
        self.pending_bytes += batch.get_array_memory_size();
        self.pending.entry(table.to_owned()).or_default().push(batch);
        if self.pending_bytes > FLUSH_BYTES { self.flush() } else { Ok(()) }
    }

    /// Notes that a source was ingested, so that it is not read again.
    pub fn source(&mut self, content_sha256: &str, importer_version: i64, ruleset: &str) {
        self.sources.push(IngestedSource {
            batch_id: self.batch_id.clone(),
            content_sha256: content_sha256.to_owned(),
            importer_version,
            ruleset: ruleset.to_owned(),
        });
    }

    /// Makes the batch visible.
    ///
    /// # Errors
    /// Something cannot be written; then nothing of the batch is visible.
    pub fn commit(mut self) -> Result<BatchInfo, Error> {
        self.flush()?;
        if !self.sources.is_empty() {
            self.append_rows(&self.sources)?;
        }
        let row = BatchRow {
            batch_id: self.batch_id.clone(),
            kind: self.kind.as_str().to_owned(),
            sequence: self.sequence,
            committed_at: Some(Timestamp::now()),
            rows: i64::try_from(self.rows).unwrap_or(i64::MAX),
        };
        self.append_rows(&[row])?;
        Ok(BatchInfo { batch_id: self.batch_id, rows: self.rows })
    }

    /// Writes what is pending, all tables side by side: each waits on the disk, not on the others.
    fn flush(&mut self) -> Result<(), Error> {
        let pending = std::mem::take(&mut self.pending);
        self.pending_bytes = 0;
        let joined: Vec<(String, RecordBatch)> = pending
            .into_iter()
            .map(|(table, batches)| Ok((table.clone(), joined(&table, &batches)?)))
            .collect::<Result<_, Error>>()?;
        let storage = self.storage;
        storage.runtime.block_on(async {
            let writes = joined
                .into_iter()
                .map(|(table, batch)| async move { storage.append(&table, vec![batch]).await });
            futures::future::try_join_all(writes).await.map(|_| ())
        })
    }

    fn append_rows<R: Row>(&self, rows: &[R]) -> Result<(), Error> {
        let table = R::TABLE.name;
        let batch = R::to_batch(rows).map_err(|error| Error::table(table, &error))?;
        self.storage.runtime.block_on(self.storage.append(table, vec![batch]))
    }
}
