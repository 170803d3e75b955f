//! The Delta tables of a lake and the lake's own bookkeeping tables.

use crate::Error;
use crate::durable::DurableStore;
use arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray};
use arrow::compute::{concat_batches, filter_record_batch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::prelude::SessionContext;
use deltalake::protocol::SaveMode;
use deltalake::{DeltaTable, DeltaTableBuilder, DeltaTableError};
use leakgraph_model::{Evidence, Row, TableDoc, Timestamp, scored};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::runtime::Runtime;
use url::Url;

/// Evidence tables that linking rewrites: of these only the newest Score batch is visible.
pub const LINKED: &[&str] = &[
    "runs",
    "jobs",
    "steps",
    "handoffs",
    "handoff_inputs",
    "identities",
    "identities_used",
    "credentials",
    "grants",
    "activity",
    "assumptions",
    "secrets",
];

/// The column that says which batch a row belongs to.
pub(crate) const BATCH_ID: &str = "batch_id";

leakgraph_model::table! {
    /// One row per committed batch: its presence is the commit.
    "batches" BatchRow {
        /// Id of the batch.
        batch_id: String,
        /// ingest or score.
        kind: String,
        /// Order of commit, from 1.
        sequence: i64,
        /// When it was committed.
        committed_at: Option<Timestamp>,
        /// Rows of all its tables.
        rows: i64,
    }
}

leakgraph_model::table! {
    /// One row per source of an ingest batch: what need not be read again.
    "ingested_sources" IngestedSource {
        /// Id of the batch.
        batch_id: String,
        /// SHA-256 of the content, hexadecimal.
        content_sha256: String,
        /// Version of the importer.
        importer_version: i64,
        /// Hash of the rule set and id of the fingerprint key.
        ruleset: String,
    }
}

/// All tables but `batches`.
pub(crate) fn documented() -> impl Iterator<Item = &'static TableDoc> {
    Evidence::TABLES.iter().chain(scored::TABLES)
}

/// Schema of a table as stored: the model's, with `batch_id`.
pub(crate) fn stored_schema(table: &str) -> Option<SchemaRef> {
    if table == BatchRow::TABLE.name {
        return Some((BatchRow::TABLE.schema)());
    }
    if table == IngestedSource::TABLE.name {
        return Some((IngestedSource::TABLE.schema)());
    }
    let doc = documented().find(|doc| doc.name == table)?;
    let mut fields = (doc.schema)().fields().to_vec();
    fields.push(Arc::new(Field::new(BATCH_ID, DataType::Utf8, false)));
    Some(Arc::new(Schema::new(fields)))
}

/// A batch with its `batch_id` column.
pub(crate) fn stamped(batch: &RecordBatch, batch_id: &str, table: &str) -> Result<RecordBatch, Error> {
    let shape = |message: String| Error::Shape { table: table.to_owned(), message };
    let schema = stored_schema(table).ok_or_else(|| shape("no such table".to_owned()))?;
    let ids: ArrayRef =
        Arc::new(StringArray::from_iter_values(std::iter::repeat_n(batch_id, batch.num_rows())));
    let columns = batch.columns().iter().cloned().chain([ids]).collect();
    RecordBatch::try_new(schema, columns).map_err(|error| shape(error.to_string()))
}

/// The rows of `batch` that belong to one of `batches`.
pub(crate) fn of_batches(
    table: &str,
    batch: &RecordBatch,
    batches: &HashSet<String>,
) -> Result<RecordBatch, Error> {
    let shape = |message: String| Error::Shape { table: table.to_owned(), message };
    let ids = batch
        .column_by_name(BATCH_ID)
        .and_then(|column| column.as_string_opt::<i32>())
        .ok_or_else(|| shape("no batch_id".to_owned()))?;
    let mask: BooleanArray = ids.iter().map(|id| id.map(|id| batches.contains(id))).collect();
    filter_record_batch(batch, &mask).map_err(|error| shape(error.to_string()))
}

/// The folder of tables and the runtime to reach it.
#[derive(Debug)]
pub(crate) struct Storage {
    folder: PathBuf,
    store: Arc<DurableStore>,
    pub(crate) runtime: Runtime,
}

impl Storage {
    pub(crate) fn new(folder: &Path) -> Result<Self, Error> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .thread_name("leakgraph-lake")
            .build()
            .map_err(|source| Error::Folder { path: folder.to_owned(), source })?;
        Ok(Self { folder: folder.to_owned(), store: Arc::new(DurableStore::new()), runtime })
    }

    /// The Delta table, loaded; `None` if it was never written.
    pub(crate) async fn open(&self, table: &str) -> Result<Option<DeltaTable>, Error> {
        if !self.folder.join(table).join("_delta_log").exists() {
            return Ok(None);
        }
        match self.handle(table)?.load().await {
            Ok(loaded) => Ok(Some(loaded)),
            // A writer was killed between making the folder and the first commit.
            Err(DeltaTableError::NotATable(_) | DeltaTableError::InvalidVersion(_)) => Ok(None),
            Err(error) => Err(Error::table(table, &error)),
        }
    }

    fn handle(&self, table: &str) -> Result<DeltaTableBuilder, Error> {
        let path = self.folder.join(table);
        let url = Url::from_directory_path(&path)
            .map_err(|()| Error::table(table, &"the lake's path must be absolute"))?;
        let builder =
            DeltaTableBuilder::from_url(url.clone()).map_err(|error| Error::table(table, &error))?;
        Ok(builder.with_storage_backend(self.store.clone(), url))
    }

    /// Appends rows in one Delta commit.
    pub(crate) async fn append(&self, table: &str, batches: Vec<RecordBatch>) -> Result<(), Error> {
        let fail = |error: &DeltaTableError| Error::table(table, error);
        let opened = match self.open(table).await? {
            Some(opened) => opened,
            None => {
                std::fs::create_dir_all(self.folder.join(table))
                    .map_err(|source| Error::Folder { path: self.folder.join(table), source })?;
                self.handle(table)?.build().map_err(|error| fail(&error))?
            }
        };
        opened.write(batches).with_save_mode(SaveMode::Append).await.map(|_| ()).map_err(|error| fail(&error))
    }

    /// All rows of a table with the schema this version declares; columns that an
    /// older version did not write are missing from the result only if they may be null.
    pub(crate) fn read(&self, table: &str) -> Result<Vec<RecordBatch>, Error> {
        self.runtime.block_on(async {
            let Some(opened) = self.open(table).await? else { return Ok(Vec::new()) };
            let provider = opened.table_provider().await.map_err(|error| Error::table(table, &error))?;
            let context = SessionContext::new();
            let frame = context.read_table(provider).map_err(|error| Error::table(table, &error))?;
            let batches = frame.collect().await.map_err(|error| Error::table(table, &error))?;
            batches.iter().map(|batch| conform(table, batch)).collect()
        })
    }

    /// A provider of the stored rows, if the table exists.
    pub(crate) async fn provider(&self, table: &str) -> Result<Option<Arc<dyn TableProvider>>, Error> {
        let Some(opened) = self.open(table).await? else { return Ok(None) };
        opened.table_provider().await.map(Some).map_err(|error| Error::table(table, &error))
    }

    /// Rows of a bookkeeping table.
    pub(crate) fn rows<R: Row>(&self) -> Result<Vec<R>, Error> {
        let table = R::TABLE.name;
        let mut rows = Vec::new();
        for batch in self.read(table)? {
            rows.extend(R::from_batch(&batch).map_err(|error| Error::table(table, &error))?);
        }
        Ok(rows)
    }

    /// Committed batches, oldest first.
    pub(crate) fn committed(&self) -> Result<Vec<BatchRow>, Error> {
        let mut rows: Vec<BatchRow> = self.rows()?;
        rows.sort_by_key(|row| row.sequence);
        Ok(rows)
    }

    /// Removes rows whose batch was never committed.
    pub(crate) fn sweep(&self, committed: &[BatchRow]) -> Result<(), Error> {
        let known: HashSet<&str> = committed.iter().map(|row| row.batch_id.as_str()).collect();
        let names = documented().map(|doc| doc.name).chain([IngestedSource::TABLE.name]);
        for table in names {
            let leftovers = self.leftovers(table, &known)?;
            if !leftovers.is_empty() {
                tracing::info!(table, batches = leftovers.len(), "sweeping rows of killed runs");
                self.delete(table, &leftovers)?;
            }
        }
        Ok(())
    }

    fn leftovers(&self, table: &str, known: &HashSet<&str>) -> Result<Vec<String>, Error> {
        let mut leftovers = HashSet::new();
        for batch in self.read(table)? {
            let ids = batch.column_by_name(BATCH_ID).and_then(|column| column.as_string_opt::<i32>());
            let ids = ids.into_iter().flat_map(|ids| ids.iter().flatten());
            leftovers.extend(ids.filter(|id| !known.contains(id)).map(str::to_owned));
        }
        Ok(leftovers.into_iter().collect())
    }

    fn delete(&self, table: &str, batches: &[String]) -> Result<(), Error> {
        let list: Vec<String> = batches.iter().map(|id| format!("'{id}'")).collect();
        let predicate = format!("{BATCH_ID} IN ({})", list.join(", "));
        self.runtime.block_on(async {
            let Some(opened) = self.open(table).await? else { return Ok(()) };
            opened
                .delete()
                .with_predicate(predicate)
                .await
                .map(|_| ())
                .map_err(|error| Error::table(table, &error))
        })
    }
}

/// Casts what a reader returned (views, other list names) to the declared schema.
pub(crate) fn conform(table: &str, batch: &RecordBatch) -> Result<RecordBatch, Error> {
    let shape = |message: String| Error::Shape { table: table.to_owned(), message };
    let schema = stored_schema(table).ok_or_else(|| shape("no such table".to_owned()))?;
    let columns = schema
        .fields()
        .iter()
        .map(|field| match batch.column_by_name(field.name()) {
            Some(column) => {
                arrow::compute::cast(column, field.data_type()).map_err(|error| shape(error.to_string()))
            }
            None => Ok(arrow::array::new_null_array(field.data_type(), batch.num_rows())),
        })
        .collect::<Result<Vec<_>, _>>()?;
    RecordBatch::try_new(schema, columns).map_err(|error| shape(error.to_string()))
}

/// One batch of several, so that a table costs one file per commit.
pub(crate) fn joined(table: &str, batches: &[RecordBatch]) -> Result<RecordBatch, Error> {
    let shape = |message: String| Error::Shape { table: table.to_owned(), message };
    let schema = stored_schema(table).ok_or_else(|| shape("no such table".to_owned()))?;
    concat_batches(&schema, batches).map_err(|error| shape(error.to_string()))
}
