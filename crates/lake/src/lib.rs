//! Where results live: Delta tables with a single commit point, read through
//! DataFusion in read-only SQL.
//!
//! Delta has no transaction over several tables. So every row carries a
//! `batch_id`, and a batch exists when its row is in the table `batches`: that
//! append is *the* commit. What a killed run left behind is invisible and is swept
//! by the next writer.
//!
//! The API is blocking; the runtime it needs is its own.

mod batch;
mod durable;
mod read_only;
mod session;
mod tables;
mod udf;

pub use batch::{Batch, BatchInfo, BatchKind};
pub use session::Session;
pub use tables::LINKED;

use leakgraph_model::Evidence;
use std::collections::HashSet;
use std::fs::File;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use tables::{BatchRow, IngestedSource, Storage};

/// What can go wrong with a lake.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The folder cannot be made or used.
    #[error("cannot use the lake at {path}")]
    Folder {
        /// The folder or file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Another process writes to the lake.
    #[error("another process is writing to the lake at {path}; wait for it, or use another --lake")]
    Locked {
        /// The lake.
        path: PathBuf,
    },
    /// A table cannot be read or written.
    #[error("table {table}: {message}")]
    Table {
        /// Table name.
        table: String,
        /// What the storage layer said.
        message: String,
    },
    /// Rows do not have the shape of their table.
    #[error("rows of {table} have the wrong shape: {message}")]
    Shape {
        /// Table name.
        table: String,
        /// What differs.
        message: String,
    },
    /// A query is wrong, or not read-only.
    #[error("{message}")]
    Query {
        /// What is wrong with it.
        message: String,
    },
}

impl Error {
    pub(crate) fn table(table: &str, error: &dyn std::fmt::Display) -> Self {
        Self::Table { table: table.to_owned(), message: error.to_string() }
    }
}

/// Content hash, importer version and rule-set hash under which a source was ingested.
pub type SourceId = (String, i64, String);

/// An opened lake.
#[derive(Debug)]
pub struct Lake {
    folder: PathBuf,
    storage: Storage,
}

impl Lake {
    /// Opens the lake at `folder`, making the folder (mode 0700) if it is absent.
    ///
    /// # Errors
    /// The folder cannot be made or is not usable.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        let fail = |source| Error::Folder { path: folder.to_owned(), source };
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder.join("tables")).map_err(fail)?;
        let folder = folder.canonicalize().map_err(fail)?;
        let storage = Storage::new(&folder.join("tables"))?;
        Ok(Self { folder, storage })
    }

    /// Begins a batch. One process writes at a time; leftovers of killed writers are swept.
    ///
    /// # Errors
    /// Another process is writing, or the lake cannot be read.
    pub fn begin(&self, kind: BatchKind) -> Result<Batch<'_>, Error> {
        let lock = self.lock()?;
        Batch::begin(&self.storage, kind, lock)
    }

    /// Sources of all committed ingest batches.
    ///
    /// # Errors
    /// The lake cannot be read.
    pub fn sources(&self) -> Result<HashSet<SourceId>, Error> {
        let committed = self.storage.committed()?;
        let rows: Vec<IngestedSource> = self.storage.rows()?;
        Ok(rows
            .into_iter()
            .filter(|row| committed.iter().any(|batch| batch.batch_id == row.batch_id))
            .map(|row| (row.content_sha256, row.importer_version, row.ruleset))
            .collect())
    }

    /// All rows of committed ingest batches, as they were ingested (not linked).
    ///
    /// # Errors
    /// The lake cannot be read.
    pub fn evidence(&self) -> Result<Evidence, Error> {
        let committed: HashSet<String> = self
            .storage
            .committed()?
            .into_iter()
            .filter(|batch| batch.kind == BatchKind::Ingest.as_str())
            .map(|batch| batch.batch_id)
            .collect();
        let mut evidence = Evidence::default();
        for doc in Evidence::TABLES {
            for batch in self.storage.read(doc.name)? {
                let batch = tables::of_batches(doc.name, &batch, &committed)?;
                evidence.extend_from_batch(doc.name, &batch).map_err(|error| Error::Shape {
                    table: doc.name.to_owned(),
                    message: error.to_string(),
                })?;
            }
        }
        Ok(evidence)
    }

    /// A reader over the newest committed state.
    ///
    /// # Errors
    /// The lake cannot be read.
    pub fn session(&self) -> Result<Session, Error> {
        Session::new(&self.storage)
    }

    /// The committed batches, oldest first: id, kind.
    ///
    /// # Errors
    /// The lake cannot be read.
    pub fn batches(&self) -> Result<Vec<(String, String)>, Error> {
        let rows: Vec<BatchRow> = self.storage.committed()?;
        Ok(rows.into_iter().map(|row| (row.batch_id, row.kind)).collect())
    }

    fn lock(&self) -> Result<File, Error> {
        let path = self.folder.join("writer.lock");
        let file = std::fs::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(|source| Error::Folder { path: path.clone(), source })?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(std::fs::TryLockError::WouldBlock) => Err(Error::Locked { path: self.folder.clone() }),
            Err(std::fs::TryLockError::Error(source)) => Err(Error::Folder { path, source }),
        }
    }
}
