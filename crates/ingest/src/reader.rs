//! Recognises one work item by content and hands it to its importer.

use crate::answers::api_error;
use crate::archive::{self, Budget, Entry};
use crate::documents;
use crate::fetch::Fetched;
use crate::importer::{IMPORTERS, Importer, Recognised, TextFile};
use crate::limits::Limits;
use crate::unread::{Note, Unread};
use crate::workflow::azure_devops;
use crate::workflow::github::{self, log::BOM};
use crate::{Document, TextContext, TextSink, WorkItem, WorkKind, activity};
use leakgraph_model::tables::{Problem, SourceFile};
use leakgraph_model::{Evidence, Key, hex};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// Reads one item. Never fails: what goes wrong is in `problems`.
pub fn read(item: &WorkItem, limits: &Limits, sink: &mut dyn TextSink) -> Evidence {
    read_fetched(item, Fetched::of(item), limits, sink)
}

/// Reads one item whose bytes are at hand. Never fails: what goes wrong is in `problems`.
pub fn read_fetched(item: &WorkItem, fetched: Fetched, limits: &Limits, sink: &mut dyn TextSink) -> Evidence {
    Reader::of(item, fetched, limits, sink).evidence
}

/// What a part of an item was recognised as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recognition {
    /// Path of the part, members after `!/`.
    pub path: String,
    /// Its platform.
    pub platform: &'static str,
    /// Its kind, as in `source_files`.
    pub kind: &'static str,
    /// What tells it from everything else.
    pub because: &'static str,
}

/// What an item and its members are taken for, and the rows they give.
pub fn explain(item: &WorkItem, limits: &Limits, sink: &mut dyn TextSink) -> (Vec<Recognition>, Evidence) {
    let reader = Reader::of(item, Fetched::of(item), limits, sink);
    (reader.recognised, reader.evidence)
}

struct Reader<'a> {
    limits: &'a Limits,
    sink: &'a mut dyn TextSink,
    evidence: Evidence,
    budget: Budget,
    recognised: Vec<Recognition>,
}

impl<'a> Reader<'a> {
    fn of(item: &WorkItem, fetched: Fetched, limits: &'a Limits, sink: &'a mut dyn TextSink) -> Self {
        let (evidence, budget) = (Evidence::default(), Budget::new(limits));
        let mut reader = Reader { limits, sink, evidence, budget, recognised: Vec::new() };
        let is_folder = matches!(item.kind, WorkKind::LogFolder(_));
        let mut entries = Vec::new();
        for file in fetched.files {
            match file.content {
                Ok((bytes, sha256)) if is_folder => {
                    entries.push(Entry { name: file.name, bytes, sha256: Some(sha256) });
                }
                Ok((bytes, sha256)) => reader.bytes(&item.display, &bytes, Some((&bytes, &sha256))),
                Err(error) => reader.problem(&file.path, "unreadable", &error.kind().to_string()),
            }
        }
        if is_folder {
            reader.run_archive(&item.display, "", entries);
        }
        reader
    }

    fn note(&mut self, path: &str, platform: &'static str, recognised: Recognised) {
        let Recognised { kind, because } = recognised;
        let known = Recognition { path: path.to_owned(), platform, kind, because };
        // Pages and lines of one file are mostly of one kind.
        if self.recognised.last() != Some(&known) {
            self.recognised.push(known);
        }
    }

    fn problem(&mut self, path: &str, code: &str, reason: &str) {
        self.evidence.problems.push(Problem {
            path: path.to_owned(),
            offset: None,
            code: code.to_owned(),
            reason: reason.to_owned(),
            lossy: true,
        });
    }

    /// Any bytes: archive, stream, JSON or text.
    fn bytes(&mut self, path: &str, bytes: &[u8], whole: Option<(&Arc<Vec<u8>>, &str)>) {
        if archive::is_zip(bytes) {
            let (entries, problems) = archive::unzip(path, bytes, self.limits, &mut self.budget);
            self.evidence.problems.extend(problems);
            let (archives, others) = github::run_archives(entries);
            for (root, entries) in archives {
                self.run_archive(path, &root, entries);
            }
            let depth = self.budget.depth;
            self.budget.depth = depth.saturating_sub(1);
            for entry in others {
                self.bytes(&format!("{path}!/{}", entry.name), &entry.bytes, None);
            }
            self.budget.depth = depth;
        } else if archive::is_gzip(bytes) {
            let (inflated, problem) = archive::gunzip_all(path, bytes, self.limits, &mut self.budget);
            self.evidence.problems.extend(problem);
            self.plain(path, &inflated, None);
        } else {
            self.plain(path, bytes, whole);
        }
    }

    fn plain(&mut self, path: &str, bytes: &[u8], whole: Option<(&Arc<Vec<u8>>, &str)>) {
        let file = TextFile { path, bytes, whole };
        let known = IMPORTERS.iter().find_map(|importer| Some((importer, importer.recognise_text(file)?)));
        let start = bytes.strip_prefix(BOM).unwrap_or(bytes).trim_ascii_start();
        let takes_json = known.is_some_and(|(importer, known)| importer.takes_json(known.kind));
        // A title inside JSON may quote a log, and a log may begin with a bracket.
        if matches!(start.first(), Some(b'{' | b'[')) && !takes_json && (known.is_none() || is_json(start)) {
            return self.values(file, "json", documents::json);
        }
        match known {
            Some((importer, recognised)) => {
                self.note(path, importer.platform(), recognised);
                let evidence = importer.import_text(recognised.kind, file, self.limits, self.sink);
                self.evidence.append(evidence);
            }
            None if is_yaml(path) => self.values(file, "yaml", documents::yaml),
            None => self.other_text(file),
        }
    }

    fn run_archive(&mut self, path: &str, root: &str, entries: Vec<Entry>) {
        if azure_devops::is_archive(&entries) {
            let because = "files named as in a log archive of Azure Pipelines";
            self.note(path, "azure_devops", Recognised::new("run_archive", because));
            let evidence = azure_devops::import_archive(path, root, &entries, self.limits, self.sink);
            return self.evidence.append(evidence);
        }
        let because = "files named as in a run-log archive of GitHub";
        self.note(path, "github", Recognised::new("run_archive", because));
        let evidence = github::import_archive(path, root, &entries, self.limits, self.sink);
        self.evidence.append(evidence);
    }

    /// Text of no known importer: scanned all the same.
    fn other_text(&mut self, file: TextFile<'_>) {
        let TextFile { path, bytes, .. } = file;
        if bytes.is_empty() {
            return;
        }
        let content = file.content();
        if let Some(reason) = api_error(bytes) {
            self.evidence.source_files.push(source_file(path, &content, "unknown", "api_error", 0));
            self.scan(path, content.key, "log", bytes);
            return self.problem(path, "api_error", &reason);
        }
        if is_binary(bytes) {
            return self.problem(path, "unrecognised", "binary content of no known kind");
        }
        self.evidence.source_files.push(source_file(path, &content, "unknown", "text", 0));
        self.scan(path, content.key, "log", bytes);
        self.problem(path, "unrecognised", "text of no known kind: scanned for secrets only");
    }

    fn scan(&mut self, path: &str, source_key: Key, place: &'static str, bytes: &[u8]) {
        self.sink.text(&TextContext::of(path, source_key, place), bytes);
    }

    /// The values of a structured file; `format` names it where no importer does.
    fn values(
        &mut self,
        file: TextFile<'_>,
        format: &'static str,
        parse: for<'b> fn(&'b [u8]) -> documents::Values<'b>,
    ) {
        let TextFile { path, bytes, .. } = file;
        if bytes.len() as u64 > self.limits.max_json_bytes {
            let reason = format!("a structured file of more than {} bytes", self.limits.max_json_bytes);
            return self.problem(path, "too_large", &reason);
        }
        let content = file.content();
        let source_key = content.key;
        let (mut unread, mut is_malformed) = (Unread::default(), false);
        let mut known: Vec<(&dyn Importer, &'static str)> = Vec::new();
        let rows_before = self.evidence.rows();
        let mut calls = Calls::from(&self.evidence);
        for (part, value) in parse(bytes).enumerate() {
            let document = Document { path, source_key, part, bytes };
            match value {
                Ok(mut value) => match self.value(&document, &mut value) {
                    Some(kind) => {
                        if kind.0.joins_calls(kind.1) {
                            calls.join(&mut self.evidence, false);
                        }
                        known.push(kind);
                    }
                    None => {
                        let note = unread.add(&value);
                        self.said(path, note);
                    }
                },
                Err(malformed) => {
                    is_malformed = true;
                    self.evidence.problems.push(malformed.problem(path));
                }
            }
        }
        if known.iter().any(|(importer, kind)| importer.joins_calls(kind)) {
            calls.join(&mut self.evidence, true);
        }
        let rows = self.evidence.rows() - rows_before;
        let (platform, kind) = known
            .last()
            .map_or(("unknown", unread.kind(format)), |(importer, kind)| (importer.platform(), *kind));
        self.evidence.source_files.push(source_file(path, &content, platform, kind, rows));
        // Once for the whole file, however many values it has.
        if known.is_empty() || is_malformed || unread.has_text() {
            self.scan(path, source_key, format, bytes);
        } else if let Some(place) = known.iter().find_map(|(importer, kind)| importer.scans_whole(kind)) {
            self.scan(path, source_key, place, bytes);
        }
        self.said(path, unread.note(known.len()).filter(|note| note.lossy || !is_malformed));
    }

    fn said(&mut self, path: &str, note: Option<Note>) {
        self.evidence.problems.extend(note.map(|note| Problem {
            path: path.to_owned(),
            offset: None,
            code: note.code.to_owned(),
            reason: note.reason,
            lossy: note.lossy,
        }));
    }

    /// Hands one value to the importer that knows it.
    fn value(
        &mut self,
        document: &Document<'_>,
        value: &mut Value,
    ) -> Option<(&'static dyn Importer, &'static str)> {
        let recognised = |importer: &&'static dyn Importer| {
            Some((*importer, importer.recognise_value(document.path, value)?))
        };
        let (importer, known) = IMPORTERS.iter().find_map(recognised)?;
        self.note(document.path, importer.platform(), known);
        self.evidence.append(importer.consume_value(known.kind, document, value, self.sink));
        Some((importer, known.kind))
    }
}

/// Calls of one file, joined before they fill the memory.
struct Calls {
    /// Rows of `activity` and `assumptions` before the file.
    from: (usize, usize),
    /// Rows at which it is worth joining again.
    most: usize,
}

impl Calls {
    fn from(evidence: &Evidence) -> Self {
        Self { from: (evidence.activity.len(), evidence.assumptions.len()), most: 0 }
    }

    fn join(&mut self, evidence: &mut Evidence, is_last: bool) {
        const STEP: usize = 10_000;
        let rows = |evidence: &Evidence| evidence.activity.len() + evidence.assumptions.len();
        if is_last || rows(evidence) > self.most {
            activity::merge(&mut evidence.activity, &mut evidence.assumptions, self.from);
            self.most = 2 * rows(evidence) + STEP;
        }
    }
}

fn is_yaml(path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    path.ends_with(".yml") || path.ends_with(".yaml")
}

/// Whether all of a text is JSON values.
fn is_json(bytes: &[u8]) -> bool {
    serde_json::Deserializer::from_slice(bytes)
        .into_iter::<serde::de::IgnoredAny>()
        .all(|value| value.is_ok())
}

/// Items of a known kind that lack what would make them rows.
pub(crate) fn incomplete(document: &Document<'_>, items: usize, what: &str) -> Option<Problem> {
    (items > 0).then(|| Problem {
        path: document.path.to_owned(),
        offset: None,
        code: "incomplete".to_owned(),
        reason: format!("{items} {what}"),
        lossy: true,
    })
}

/// Bytes of a source and what names them: hashed once.
#[derive(Clone)]
pub(crate) struct Content<'a> {
    pub(crate) key: Key,
    sha256: String,
    bytes: &'a [u8],
}

impl<'a> Content<'a> {
    pub(crate) fn of(bytes: &'a [u8]) -> Self {
        Self::hashed(bytes, hex(&Sha256::digest(bytes)))
    }

    /// Bytes whose SHA-256 is known.
    pub(crate) fn hashed(bytes: &'a [u8], sha256: String) -> Self {
        Self { key: Key::of("source", &[&sha256]), sha256, bytes }
    }
}

pub(crate) fn source_file(
    path: &str,
    content: &Content<'_>,
    platform: &str,
    kind: &str,
    rows: usize,
) -> SourceFile {
    SourceFile {
        source_key: content.key,
        path: path.to_owned(),
        platform: platform.to_owned(),
        kind: kind.to_owned(),
        content_sha256: content.sha256.clone(),
        bytes: i64::try_from(content.bytes.len()).unwrap_or(i64::MAX),
        layout: None,
        lines: i64::try_from(memchr::memchr_iter(b'\n', content.bytes).count()).ok(),
        rows: i64::try_from(rows).unwrap_or(i64::MAX),
    }
}

/// Whether a file is no text.
fn is_binary(bytes: &[u8]) -> bool {
    let head = bytes.get(..bytes.len().min(4096)).unwrap_or_default();
    let is_utf16 = head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff]);
    !is_utf16 && memchr::memchr(0, head).is_some()
}
