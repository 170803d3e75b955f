//! From paths to work items.

use crate::limits::Limits;
use leakgraph_model::tables::Problem;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use walkdir::WalkDir;

/// Something to read: a file, or the files of one unpacked run-log archive.
#[derive(Clone, Debug)]
pub struct WorkItem {
    /// The file or folder.
    pub path: PathBuf,
    /// The path as it appears in tables.
    pub display: String,
    /// What it is.
    pub kind: WorkKind,
    /// Bytes on disk.
    pub bytes: u64,
}

/// What a work item is.
#[derive(Clone, Debug)]
pub enum WorkKind {
    /// One file.
    File,
    /// An unpacked run-log archive: its files, sorted.
    LogFolder(Vec<PathBuf>),
}

/// Finds what to read below `paths`: sorted, without following links.
pub fn discover(paths: &[PathBuf], _limits: &Limits) -> (Vec<WorkItem>, Vec<Problem>) {
    let mut problems = Vec::new();
    let mut files: BTreeMap<PathBuf, u64> = BTreeMap::new();
    for path in paths {
        for entry in WalkDir::new(path).sort_by_file_name() {
            match entry {
                Ok(entry) if entry.file_type().is_file() => {
                    let bytes = entry.metadata().map_or(0, |data| data.len());
                    files.insert(entry.into_path(), bytes);
                }
                Ok(entry) if entry.path_is_symlink() => match std::fs::metadata(entry.path()) {
                    // A path as given may be a link; only links below it are left alone.
                    Ok(data) if entry.depth() == 0 && data.is_file() => {
                        files.insert(entry.into_path(), data.len());
                    }
                    Ok(_) if entry.depth() == 0 => {}
                    _ => problems.push(link(entry.path(), paths)),
                },
                Ok(_) => {}
                Err(error) => problems.push(Problem {
                    path: error.path().unwrap_or(path).display().to_string(),
                    offset: None,
                    code: "unreadable".to_owned(),
                    reason: error
                        .io_error()
                        .map_or_else(|| "links form a loop".to_owned(), |io| io.kind().to_string()),
                    lossy: true,
                }),
            }
        }
    }
    (group(files), problems)
}

/// A link is not followed; nothing is lost if what it points to is read under its own path.
fn link(path: &Path, roots: &[PathBuf]) -> Problem {
    let target = path.canonicalize().ok();
    let is_read = target.is_some_and(|target| {
        roots.iter().filter_map(|root| root.canonicalize().ok()).any(|root| target.starts_with(root))
    });
    Problem {
        path: path.display().to_string(),
        offset: None,
        code: "unreadable".to_owned(),
        reason: "a symbolic link: not followed".to_owned(),
        lossy: !is_read,
    }
}

/// Gathers the files of unpacked run-log archives into one item each.
fn group(files: BTreeMap<PathBuf, u64>) -> Vec<WorkItem> {
    let mut roots: BTreeMap<PathBuf, Vec<(PathBuf, u64)>> = BTreeMap::new();
    let mut items = Vec::new();
    let log_roots: std::collections::BTreeSet<PathBuf> =
        files.keys().filter_map(|path| log_root(path)).collect();
    for (path, bytes) in files {
        let root = path
            .parent()
            .into_iter()
            .flat_map(Path::ancestors)
            .take(2)
            .find(|folder| log_roots.contains(*folder));
        match root {
            Some(root) if path.extension().is_some_and(|extension| extension == "txt") => {
                roots.entry(root.to_owned()).or_default().push((path, bytes));
            }
            _ => items.push(WorkItem {
                display: path.display().to_string(),
                path,
                kind: WorkKind::File,
                bytes,
            }),
        }
    }
    for (root, members) in roots {
        let bytes = members.iter().map(|(_, bytes)| bytes).sum();
        let members = members.into_iter().map(|(path, _)| path).collect();
        items.push(WorkItem {
            display: root.display().to_string(),
            path: root,
            kind: WorkKind::LogFolder(members),
            bytes,
        });
    }
    items.sort_by(|a, b| a.path.cmp(&b.path));
    items
}

/// The root of an unpacked run-log archive, as told by `<root>/<job>/system.txt`,
/// `<root>/<job>/1_Set up job.txt` or, of Azure Pipelines, `<root>/<job>/1_Initialize job.txt`.
fn log_root(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    let tells = matches!(name, "system.txt" | "1_Set up job.txt" | "1_Initialize job.txt");
    tells.then(|| path.parent()?.parent().map(Path::to_owned)).flatten()
}
