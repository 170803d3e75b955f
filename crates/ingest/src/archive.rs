//! Zips and gzip streams, read in memory under limits. Nothing is ever extracted
//! to disk; member names are data.
//!
//! Architecture invariant: this module and those below it are the only ones of the crate
//! that construct a decoder.

#![expect(clippy::disallowed_types, reason = "this module is the capped wrapper around the decoders")]

mod whole;

use crate::limits::Limits;
use crate::reader::Content;
use leakgraph_model::tables::Problem;
use std::io::{self, Cursor, Read, Seek};
use std::sync::Arc;
use whole::Whole;

/// A member of an archive.
pub(crate) struct Entry {
    /// Name as stored; never used as a path.
    pub(crate) name: String,
    /// Shared with the file, where it is one: logs are large.
    pub(crate) bytes: Arc<Vec<u8>>,
    /// SHA-256 of the bytes, hexadecimal, where it is known already.
    pub(crate) sha256: Option<String>,
}

impl Entry {
    /// The bytes and what names them.
    pub(crate) fn content(&self) -> Content<'_> {
        match &self.sha256 {
            Some(sha256) => Content::hashed(&self.bytes, sha256.clone()),
            None => Content::of(&self.bytes),
        }
    }
}

/// Inflation is judged by ratio only beyond this many bytes.
const RATIO_FREE_BYTES: u64 = 1 << 20;

/// What is left of an input's budget.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    pub(crate) bytes: u64,
    pub(crate) depth: usize,
}

impl Budget {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { bytes: limits.max_archive_bytes, depth: limits.max_depth }
    }

    /// Whether a member of so many bytes, packed and inflated, meets no limit.
    fn allows(&self, limits: &Limits, packed: u64, size: u64) -> bool {
        size <= limits.max_entry_bytes && size <= self.bytes && !is_bomb(limits, packed, size)
    }
}

fn is_bomb(limits: &Limits, packed: u64, inflated: u64) -> bool {
    inflated > RATIO_FREE_BYTES && inflated / packed.max(1) > limits.max_ratio
}

pub(crate) fn is_zip(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06")
}

pub(crate) fn is_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x1f, 0x8b, 0x08])
}

/// Why reading stopped.
enum Stop {
    EntryTooLarge,
    RatioExceeded,
    BudgetSpent,
    Io(io::Error),
}

/// Gives what a decoder gives up to the first limit, and remembers why it stopped.
pub(crate) struct Capped<'a, R> {
    reader: R,
    packed: u64,
    limits: &'a Limits,
    budget: &'a mut Budget,
    total: u64,
    stop: Option<Stop>,
}

impl<'a, R: Read> Capped<'a, R> {
    fn new(reader: R, packed: u64, limits: &'a Limits, budget: &'a mut Budget) -> Self {
        Self { reader, packed, limits, budget, total: 0, stop: None }
    }

    /// What stopped it, for a member called `path`.
    pub(crate) fn problem(&self, path: &str) -> Option<Problem> {
        self.stop.as_ref().map(|stop| stopped(path, stop, self.limits, self.total))
    }

    fn is_budget_spent(&self) -> bool {
        matches!(self.stop, Some(Stop::BudgetSpent))
    }
}

impl<R: Read> Read for Capped<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.stop.is_some() || out.is_empty() {
            return Ok(0);
        }
        let count = match self.reader.read(out) {
            Ok(count) => count as u64,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
            Err(error) => {
                self.stop = Some(Stop::Io(error));
                return Ok(0);
            }
        };
        // Up to the limit all is kept.
        let room = self.limits.max_entry_bytes.saturating_sub(self.total);
        let kept = count.min(room).min(self.budget.bytes);
        self.stop = if count > room {
            Some(Stop::EntryTooLarge)
        } else if count > self.budget.bytes {
            Some(Stop::BudgetSpent)
        } else {
            let is_bomb = is_bomb(self.limits, self.packed, self.total + count);
            is_bomb.then_some(Stop::RatioExceeded)
        };
        self.total += kept;
        // What was kept of a stopped member counts as well.
        self.budget.bytes -= kept;
        Ok(usize::try_from(kept).unwrap_or(out.len()))
    }
}

/// The bytes of a member of a zip.
pub(crate) enum Member<'m, 'c> {
    /// All of them, within the limits.
    Whole(&'m [u8]),
    /// Up to the first limit.
    Stream(&'m mut Capped<'c, &'c mut dyn Read>),
}

/// Reads to the end or to the first limit; what was read until then is kept.
fn read_capped<R: Read>(capped: &mut Capped<'_, R>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Err(error) = capped.read_to_end(&mut bytes) {
        capped.stop = Some(Stop::Io(error));
    }
    bytes
}

fn stopped(path: &str, stop: &Stop, limits: &Limits, offset: u64) -> Problem {
    let (code, reason) = match stop {
        Stop::EntryTooLarge => {
            ("too_large", format!("inflates to more than {} bytes", limits.max_entry_bytes))
        }
        Stop::BudgetSpent => {
            ("too_large", "the archive as a whole inflates to more than its limit".to_owned())
        }
        Stop::RatioExceeded => ("ratio_exceeded", format!("inflates more than {}-fold", limits.max_ratio)),
        Stop::Io(error) => {
            ("truncated", format!("the compressed data ends early or is damaged ({})", error.kind()))
        }
    };
    problem(path, code, reason, i64::try_from(offset).ok())
}

fn problem(path: &str, code: &str, reason: String, offset: Option<i64>) -> Problem {
    Problem { path: path.to_owned(), offset, code: code.to_owned(), reason, lossy: true }
}

/// A gzip stream (several members are one) on its way through the limits.
pub(crate) fn gunzip<'a, R: Read>(
    packed: R,
    packed_bytes: u64,
    limits: &'a Limits,
    budget: &'a mut Budget,
) -> Capped<'a, impl Read> {
    Capped::new(flate2::read::MultiGzDecoder::new(packed), packed_bytes, limits, budget)
}

/// Inflates a gzip stream. A damaged or capped one gives what could be read, and a problem.
pub(crate) fn gunzip_all(
    path: &str,
    packed: &[u8],
    limits: &Limits,
    budget: &mut Budget,
) -> (Vec<u8>, Option<Problem>) {
    let mut capped = gunzip(packed, packed.len() as u64, limits, budget);
    let bytes = read_capped(&mut capped);
    let problem = capped.problem(path);
    (bytes, problem)
}

/// Hands the members of a zip to `visit`, in stored order, with their names; gives what went
/// wrong. Members that `visit` does not read to their end cost what it read.
pub(crate) fn members<R: Read + Seek>(
    path: &str,
    packed: R,
    limits: &Limits,
    budget: &mut Budget,
    mut visit: impl FnMut(String, Member<'_, '_>),
) -> Vec<Problem> {
    let mut problems = Vec::new();
    if budget.depth == 0 {
        let reason = format!("archives are nested more than {} deep", limits.max_depth);
        return vec![problem(path, "too_deep", reason, None)];
    }
    let mut archive = match zip::ZipArchive::new(packed) {
        Ok(archive) => archive,
        Err(_) => {
            let reason = "not a whole zip archive: its directory is missing or damaged".to_owned();
            return vec![problem(path, "bad_archive", reason, None)];
        }
    };
    if archive.has_overlapping_files().unwrap_or(true) {
        return vec![problem(path, "bad_archive", "members overlap, as in a zip bomb".to_owned(), None)];
    }
    let count = archive.len();
    if count > limits.max_entries {
        let reason = format!("{count} members; only the first {} were read", limits.max_entries);
        problems.push(problem(path, "too_large", reason, None));
    }
    let mut whole = Whole::of_thread();
    for index in 0..count.min(limits.max_entries) {
        let is_within = |packed: u64, size: u64| budget.allows(limits, packed, size);
        if let Some((name, bytes)) = whole.inflate(&mut archive, index, is_within) {
            budget.bytes -= bytes.len() as u64;
            visit(name, Member::Whole(bytes));
            continue;
        }
        let mut member = match archive.by_index(index) {
            Ok(member) => member,
            Err(_) => {
                let reason = format!("member {index} is damaged, encrypted or of an unknown method");
                problems.push(problem(path, "bad_archive", reason, None));
                continue;
            }
        };
        if !member.is_file() {
            continue;
        }
        let name = String::from_utf8_lossy(member.name_raw()).into_owned();
        let (packed_bytes, member_path) = (member.compressed_size(), format!("{path}!/{name}"));
        let reader: &mut dyn Read = &mut member;
        let mut capped = Capped::new(reader, packed_bytes, limits, budget);
        visit(name, Member::Stream(&mut capped));
        problems.extend(capped.problem(&member_path));
        if capped.is_budget_spent() {
            break;
        }
    }
    whole.keep();
    problems
}

/// Reads the members of a zip, in stored order.
pub(crate) fn unzip(
    path: &str,
    packed: &[u8],
    limits: &Limits,
    budget: &mut Budget,
) -> (Vec<Entry>, Vec<Problem>) {
    let mut entries = Vec::new();
    let problems = members(path, Cursor::new(packed), limits, budget, |name, member| {
        let bytes = match member {
            Member::Whole(bytes) => bytes.to_vec(),
            Member::Stream(capped) => read_capped(capped),
        };
        entries.push(Entry { name, bytes: Arc::new(bytes), sha256: None });
    });
    (entries, problems)
}
