//! The bytes of a work item, read and hashed once.

use crate::identity::owner_of_path;
use crate::workflow::{LogPath, github, gitlab, jenkins};
use crate::{WorkItem, WorkKind};
use leakgraph_model::hex;
use sha2::{Digest, Sha256};
use std::io;
use std::path::Path;
use std::sync::Arc;

/// A file of an item.
pub(crate) struct FetchedFile {
    /// Relative to the item, if that is a folder; else its path.
    pub(crate) name: String,
    /// Where it lies.
    pub(crate) path: String,
    /// Its bytes and their SHA-256, hexadecimal.
    pub(crate) content: io::Result<(Arc<Vec<u8>>, String)>,
}

/// An item's files in memory.
pub struct Fetched {
    pub(crate) files: Vec<FetchedFile>,
    place: Sha256,
}

impl Fetched {
    /// Reads the files of an item; those that cannot be read are problems later.
    pub fn of(item: &WorkItem) -> Self {
        let files = match &item.kind {
            WorkKind::File => vec![fetch(&item.path, item.display.clone())],
            WorkKind::LogFolder(files) => files
                .iter()
                .map(|file| {
                    let name = file.strip_prefix(&item.path).unwrap_or(file);
                    fetch(file, name.to_string_lossy().into_owned())
                })
                .collect(),
        };
        Self { files, place: place(&item.display) }
    }

    /// What tells this item from others: SHA-256, hexadecimal, of the hashes of its files (in a
    /// folder of their names, too) and of what its path says of where they belong.
    ///
    /// # Errors
    /// A file could not be read.
    pub fn sha256(&self) -> io::Result<String> {
        let mut hasher = self.place.clone();
        for file in &self.files {
            if self.files.len() > 1 {
                hasher.update(&file.name);
            }
            match &file.content {
                Ok((_, sha256)) => hasher.update(sha256),
                Err(error) => return Err(io::Error::new(error.kind(), error.to_string())),
            }
        }
        Ok(hex(&hasher.finalize()))
    }
}

fn fetch(path: &Path, name: String) -> FetchedFile {
    let content = std::fs::read(path).map(|bytes| {
        let sha256 = hex(&Sha256::digest(&bytes));
        (Arc::new(bytes), sha256)
    });
    FetchedFile { name, path: path.display().to_string(), content }
}

/// What the path tells importers, which is as much a part of an item as its bytes.
fn place(display: &str) -> Sha256 {
    let mut hasher = Sha256::new();
    // Which run a log belongs to.
    hasher.update(github::RunPath::of(display).to_string());
    // Of which repository a workflow file or an answer of the API is.
    hasher.update(github::DefinitionPath::of(display).to_string());
    // Of whom an inventory is that does not say so itself.
    if let Some(owner) = owner_of_path(display) {
        hasher.update(owner);
    }
    if let Some(task) = LogPath::of(display) {
        hasher.update(task.to_string());
    }
    hasher.update(gitlab::place::Place::of_path(display).to_string());
    hasher.update(jenkins::Place::of_path(display).to_string());
    hasher
}
