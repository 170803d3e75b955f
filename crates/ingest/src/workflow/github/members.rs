//! Which members of a zip are the files of a run-log archive.

use super::log::{is_job_log, lines};
use crate::archive::Entry;
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn file_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

/// `10_Post Checkout.txt` as number and name.
pub(crate) fn numbered(name: &str) -> Option<(i64, &str)> {
    let (number, rest) = name.split_once('_')?;
    Some((number.parse().ok()?, rest.strip_suffix(".txt")?))
}

/// The folder a member is in; empty at the top.
fn folder(path: &str) -> &str {
    path.rsplit_once(['/', '\\']).map_or("", |(folder, _)| folder)
}

/// A member's name below the root of its archive.
pub(super) fn below<'n>(root: &str, name: &'n str) -> &'n str {
    match name.strip_prefix(root) {
        Some(rest) if !root.is_empty() => rest.strip_prefix(['/', '\\']).unwrap_or(rest),
        _ => name,
    }
}

/// Run-log archives by their root (empty if the zip itself is one), and all other members.
pub(crate) fn run_archives(entries: Vec<Entry>) -> (BTreeMap<String, Vec<Entry>>, Vec<Entry>) {
    let roots = roots(&entries);
    let mut archives: BTreeMap<String, Vec<Entry>> = BTreeMap::new();
    let mut others = Vec::new();
    for entry in entries {
        let parent = folder(&entry.name);
        let root = [parent, folder(parent)].into_iter().find(|folder| roots.contains(*folder));
        match root {
            Some(root) if entry.name.ends_with(".txt") => {
                archives.entry(root.to_owned()).or_default().push(entry);
            }
            _ => others.push(entry),
        }
    }
    (archives, others)
}

/// Folders that hold `<job>/system.txt`, `<job>/<number>_<step>.txt` or `<number>_<job>.txt`.
fn roots(entries: &[Entry]) -> BTreeSet<String> {
    let is_tell = |entry: &&Entry| {
        // The last one is of Azure Pipelines, whose archives have the same layout.
        matches!(file_name(&entry.name), "system.txt" | "1_Set up job.txt" | "1_Initialize job.txt")
            && entry.name.contains(['/', '\\'])
    };
    let jobs: BTreeSet<&str> = entries.iter().filter(is_tell).map(|entry| folder(&entry.name)).collect();
    let logs = entries.iter().filter(|entry| {
        numbered(file_name(&entry.name)).is_some()
            && !jobs.contains(folder(&entry.name))
            && is_job_log(&entry.bytes)
    });
    let of_logs = logs.map(|entry| {
        let parent = folder(&entry.name);
        if is_whole(&entry.bytes) { parent } else { folder(parent) }
    });
    jobs.iter().map(|job| folder(job)).chain(of_logs).map(str::to_owned).collect()
}

/// Whether a log begins where a job begins.
fn is_whole(bytes: &[u8]) -> bool {
    lines(bytes).take(5).any(|line| line.text.starts_with(b"Current runner version: "))
}

/// Whether a whole log and the first step file of a job are of the same run.
pub(super) fn same_run(whole: &Entry, step: &Entry) -> bool {
    let head = whole.bytes.get(..whole.bytes.len().min(64 << 10)).unwrap_or_default();
    let mut some = lines(&step.bytes).take(5).filter(|line| line.text.len() > 4).peekable();
    some.peek().is_none()
        || some.any(|line| {
            let end = line.offset + line.text.len();
            // With its time stamp, which makes it the line of one run.
            step.bytes
                .get(line.offset + 3..end)
                .is_some_and(|text| memchr::memmem::find(head, text).is_some())
        })
}
