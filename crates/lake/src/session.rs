//! Reading: one consistent state of the lake in SQL.

use crate::batch::BatchKind;
use crate::tables::{BATCH_ID, BatchRow, LINKED, Storage, documented, stored_schema};
use crate::{Error, read_only, udf};
use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::catalog::TableProvider;
use datafusion::common::DataFusionError;
use datafusion::datasource::{MemTable, provider_as_source};
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::logical_expr::{LogicalPlanBuilder, col, lit};
use datafusion::prelude::{SessionConfig, SessionContext};
use leakgraph_model::{Evidence, Row};
use std::sync::Arc;
use tokio::runtime::Handle;

/// Memory that queries may use; beyond it they spill or fail.
const MEMORY_BYTES: usize = 2 << 30;

leakgraph_model::table! {
    /// One row per documented column of every table.
    "table_columns" TableColumn {
        /// Table name.
        table_name: String,
        /// Column name.
        column_name: String,
        /// Arrow type.
        data_type: String,
        /// What it means.
        doc: String,
    }
}

/// A read-only session over the state that was committed when it was made.
///
/// Evidence tables show the rows of all ingest batches, except the tables of
/// [`LINKED`], which like the scored tables show the newest Score batch.
pub struct Session {
    context: SessionContext,
    runtime: Handle,
    // Keeps the runtime's threads alive for as long as queries may run.
    _own: Option<Arc<tokio::runtime::Runtime>>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

impl Session {
    pub(crate) fn new(storage: &Storage) -> Result<Self, Error> {
        // Readers outlive the lake they came from, so they bring their own threads.
        let own = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .thread_name("leakgraph-query")
            .build()
            .map_err(|error| Error::Query { message: format!("cannot start query threads: {error}") })?;
        let environment = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(FairSpillPool::new(MEMORY_BYTES)))
            .build_arc()
            .map_err(|error| query_error(&error))?;
        let config = SessionConfig::new().with_information_schema(true);
        let context = SessionContext::new_with_config_rt(config, environment);
        context.register_udf(udf::key());
        let session = Self { context, runtime: own.handle().clone(), _own: Some(Arc::new(own)) };
        let committed = storage.committed()?;
        session.register_views(storage, &committed)?;
        session.register("batches", batch_of(&committed)?)?;
        session.register("table_columns", batch_of(&columns())?)?;
        Ok(session)
    }

    fn register_views(&self, storage: &Storage, committed: &[BatchRow]) -> Result<(), Error> {
        let of = |kind: BatchKind| committed.iter().filter(move |row| row.kind == kind.as_str());
        let ingests: Vec<String> = of(BatchKind::Ingest).map(|row| row.batch_id.clone()).collect();
        let newest: Vec<String> =
            of(BatchKind::Score).next_back().map(|row| row.batch_id.clone()).into_iter().collect();
        for doc in documented() {
            let is_evidence = Evidence::TABLES.iter().any(|table| table.name == doc.name);
            let visible = if is_evidence && !LINKED.contains(&doc.name) { &ingests } else { &newest };
            let provider = self.runtime.block_on(storage.provider(doc.name))?;
            match provider {
                Some(provider) if !visible.is_empty() => self.register_view(doc.name, provider, visible)?,
                _ => self.register(doc.name, RecordBatch::new_empty((doc.schema)()))?,
            }
        }
        Ok(())
    }

    /// A view of the visible rows, without the lake's own column.
    fn register_view(
        &self,
        table: &str,
        provider: Arc<dyn TableProvider>,
        visible: &[String],
    ) -> Result<(), Error> {
        let fail = |error: DataFusionError| Error::table(table, &error);
        let wanted = visible.iter().map(|id| lit(id.as_str())).collect();
        let columns: Vec<_> = stored_schema(table)
            .iter()
            .flat_map(|schema| schema.fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>())
            .filter(|name| name != BATCH_ID)
            .map(col)
            .collect();
        let plan = LogicalPlanBuilder::scan(table, provider_as_source(provider), None)
            .and_then(|plan| plan.filter(col(BATCH_ID).in_list(wanted, false)))
            .and_then(|plan| plan.project(columns))
            .and_then(LogicalPlanBuilder::build)
            .map_err(fail)?;
        let view = datafusion::datasource::ViewTable::new(plan, None);
        self.context.register_table(table, Arc::new(view)).map(|_| ()).map_err(fail)
    }

    /// Registers rows as a table of this session, in place of a table of that name.
    ///
    /// # Errors
    /// The name is not a table name.
    pub fn register(&self, table: &str, batch: RecordBatch) -> Result<(), Error> {
        let fail = |error: DataFusionError| Error::table(table, &error);
        let rows = MemTable::try_new(batch.schema(), vec![vec![batch]]).map_err(fail)?;
        self.context.deregister_table(table).map_err(fail)?;
        self.context.register_table(table, Arc::new(rows)).map(|_| ()).map_err(fail)
    }

    /// Answers a question: one `SELECT`, `EXPLAIN`, `SHOW` or `DESCRIBE`. Columns have
    /// the types that the tables document, never view types.
    ///
    /// # Errors
    /// The query is wrong, is not a question, or needs more memory than allowed.
    pub fn query(&self, sql: &str) -> Result<Vec<RecordBatch>, Error> {
        self.runtime.block_on(async {
            let plan =
                self.context.state().create_logical_plan(sql).await.map_err(|error| query_error(&error))?;
            read_only::options().verify_plan(&plan).map_err(|error| query_error(&error))?;
            if !read_only::is_question(&plan) {
                return Err(Error::Query { message: "the lake is read-only: ask with SELECT".to_owned() });
            }
            let frame = self.context.execute_logical_plan(plan).await.map_err(|error| query_error(&error))?;
            let schema = Arc::new(frame.schema().as_arrow().clone());
            let mut batches = frame.collect().await.map_err(|error| query_error(&error))?;
            batches.retain(|batch| batch.num_rows() > 0);
            if batches.is_empty() {
                batches.push(RecordBatch::new_empty(schema));
            }
            batches.iter().map(plain).collect()
        })
    }
}

/// The batch with texts and keys in their plain types.
fn plain(batch: &RecordBatch) -> Result<RecordBatch, Error> {
    let fields: Vec<Field> = batch
        .schema()
        .fields()
        .iter()
        .map(|field| field.as_ref().clone().with_data_type(plain_type(field.data_type())))
        .collect();
    let columns: Result<Vec<_>, _> =
        batch.columns().iter().zip(&fields).map(|(column, field)| cast(column, field.data_type())).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    columns
        .and_then(|columns| {
            RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)
        })
        .map_err(|error| Error::Query { message: error.to_string() })
}

fn plain_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Utf8View | DataType::LargeUtf8 => DataType::Utf8,
        DataType::BinaryView | DataType::LargeBinary => DataType::Binary,
        DataType::List(item) | DataType::LargeList(item) | DataType::ListView(item) => {
            let item = item.as_ref().clone();
            let inner = plain_type(item.data_type());
            DataType::List(Arc::new(item.with_data_type(inner)))
        }
        other => other.clone(),
    }
}

fn query_error(error: &DataFusionError) -> Error {
    let text = error.strip_backtrace();
    let text = text.strip_prefix("Error during planning: ").unwrap_or(&text).to_owned();
    Error::Query { message: text }
}

fn batch_of<R: Row>(rows: &[R]) -> Result<RecordBatch, Error> {
    R::to_batch(rows).map_err(|error| Error::table(R::TABLE.name, &error))
}

fn columns() -> Vec<TableColumn> {
    documented()
        .flat_map(|doc| {
            let schema = (doc.schema)();
            doc.columns.iter().map(move |column| TableColumn {
                table_name: doc.name.to_owned(),
                column_name: column.name.to_owned(),
                data_type: schema
                    .field_with_name(column.name)
                    .map(|field| field.data_type().to_string())
                    .unwrap_or_default(),
                doc: column.doc.to_owned(),
            })
        })
        .collect()
}
