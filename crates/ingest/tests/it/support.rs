//! What all tests need: a sink that remembers, folders, zips, the corpus.

use leakgraph_ingest::{Limits, TextContext, TextSink, discover, explain, read};
use leakgraph_model::Evidence;
use leakgraph_model::tables::Problem;
use std::fs;
use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// Keeps every text; checks what holds for all of them.
#[derive(Default)]
pub(crate) struct Texts(pub(crate) Vec<(TextContext, Vec<u8>)>);

impl TextSink for Texts {
    fn text(&mut self, context: &TextContext, bytes: &[u8]) {
        let offsets: Vec<usize> = context.marks.iter().map(|mark| mark.offset).collect();
        assert!(offsets.is_sorted(), "marks of {} are not sorted", context.path);
        let last = offsets.last().copied().unwrap_or(0);
        assert!(last <= bytes.len(), "a mark of {} lies beyond its {} bytes", context.path, bytes.len());
        self.0.push((context.clone(), bytes.to_vec()));
    }

    fn fingerprint(&mut self, value: &[u8]) -> Option<String> {
        (value.len() >= 8).then(|| "0".repeat(32))
    }
}

impl Texts {
    /// How often a needle was handed over, in all texts together.
    pub(crate) fn count(&self, needle: &str) -> usize {
        self.0.iter().map(|(_, bytes)| occurrences(bytes, needle)).sum()
    }
}

/// How often `needle` is in `bytes`.
pub(crate) fn occurrences(bytes: &[u8], needle: &str) -> usize {
    bytes.windows(needle.len()).filter(|window| *window == needle.as_bytes()).count()
}

/// Discovers and reads everything below `path`.
pub(crate) fn read_all(path: &Path, limits: &Limits) -> (Evidence, Texts) {
    let (items, problems) = discover(&[path.to_owned()], limits);
    let mut texts = Texts::default();
    let mut evidence = Evidence { problems, ..Evidence::default() };
    for item in &items {
        evidence.append(read(item, limits, &mut texts));
    }
    (evidence, texts)
}

/// Reads with the usual limits.
pub(crate) fn read_path(path: &Path) -> (Evidence, Texts) {
    read_all(path, &Limits::default())
}

/// What a file is recognised as: platform and kind.
pub(crate) fn recognised(path: &Path) -> Vec<(&'static str, &'static str)> {
    let limits = Limits::default();
    let (items, _) = discover(&[path.to_owned()], &limits);
    let seen = items.iter().flat_map(|item| explain(item, &limits, &mut Texts::default()).0);
    seen.map(|seen| (seen.platform, seen.kind)).collect()
}

/// A temporary folder with one job log that must be read whatever lies beside it.
pub(crate) struct Inputs(TempDir);

impl Inputs {
    pub(crate) fn new() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        fs::write(folder.path().join("neighbour.log"), JOB_LOG).expect("write");
        Self(folder)
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn add(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(&path, bytes).expect("write");
        path
    }

    /// Reads all; the neighbour must be there.
    pub(crate) fn read(&self, limits: &Limits) -> (Evidence, Texts) {
        let (evidence, texts) = read_all(self.path(), limits);
        assert!(
            evidence.jobs.iter().any(|job| job.name == "neighbour-job" && job.has_log),
            "the neighbour was not read"
        );
        (evidence, texts)
    }
}

/// A small but whole job log.
pub(crate) const JOB_LOG: &str = "2026-10-01T10:00:00.0000000Z Current runner version: '2.328.0'\n\
2026-10-01T10:00:00.1000000Z ##[group]GITHUB_TOKEN Permissions\n\
2026-10-01T10:00:00.1000000Z Contents: read\n\
2026-10-01T10:00:00.1000000Z ##[endgroup]\n\
2026-10-01T10:00:00.2000000Z Secret source: Actions\n\
2026-10-01T10:00:01.0000000Z Complete job name: neighbour-job\n\
2026-10-01T10:00:02.0000000Z ##[group]Run make\n\
2026-10-01T10:00:02.0000000Z shell: /usr/bin/bash -e {0}\n\
2026-10-01T10:00:02.0000000Z env:\n\
2026-10-01T10:00:02.0000000Z   API_TOKEN: ***\n\
2026-10-01T10:00:02.0000000Z ##[endgroup]\n\
2026-10-01T10:00:03.0000000Z built\n\
2026-10-01T10:00:04.0000000Z Cleaning up orphan processes\n";

/// [`JOB_LOG`] under another job name.
pub(crate) fn job_log(name: &str) -> String {
    JOB_LOG.replace("neighbour-job", name)
}

/// A zip of these members, in this order.
pub(crate) fn zipped<N: AsRef<str>, B: AsRef<[u8]>>(members: &[(N, B)]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        writer.start_file(name.as_ref(), SimpleFileOptions::default()).expect("a member");
        writer.write_all(bytes.as_ref()).expect("its bytes");
    }
    writer.finish().expect("a zip").into_inner()
}

/// A gzip stream.
pub(crate) fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).expect("compressible bytes");
    encoder.finish().expect("a stream")
}

/// The problem of a code on a path that ends so; its reason must be a sentence.
pub(crate) fn problem<'e>(evidence: &'e Evidence, path_end: &str, code: &str) -> &'e Problem {
    let found = evidence.problems.iter().find(|row| row.path.ends_with(path_end) && row.code == code);
    let problem = found.unwrap_or_else(|| panic!("no {code} on {path_end} in {:#?}", evidence.problems));
    assert!(problem.reason.len() > 3, "{path_end} has no reason");
    problem
}

/// The folder of real files; without it the test says loudly that it did nothing.
pub(crate) fn corpus() -> Option<PathBuf> {
    let folder = std::env::var_os("LEAKGRAPH_CORPUS").map(PathBuf::from);
    if folder.is_none() {
        // Not `eprintln!`, which the test harness would swallow.
        writeln!(std::io::stderr(), "SKIPPED: LEAKGRAPH_CORPUS is not set").expect("stderr");
    }
    folder
}

/// All files below a folder, sorted.
pub(crate) fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let entry = entry.expect("an entry");
            match entry.file_type().expect("a type") {
                kind if kind.is_dir() => folders.push(entry.path()),
                kind if kind.is_file() => files.push(entry.path()),
                _ => {}
            }
        }
    }
    files.sort();
    files
}

/// Files below a folder whose name ends so.
pub(crate) fn files_ending(folder: &Path, end: &str) -> Vec<PathBuf> {
    let mut files = files_below(folder);
    files.retain(|path| path.to_string_lossy().ends_with(end));
    files
}
