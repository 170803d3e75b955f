//! Zips and gzip streams, read in memory under limits. Nothing is ever extracted
//! to disk; member names are data.
//!
//! Architecture invariant: this is the only module of the crate that constructs a
//! decoder.

#![expect(clippy::disallowed_types, reason = "this module is the capped wrapper around the decoders")]

use crate::limits::Limits;
use leakgraph_model::tables::Problem;
use std::io::{self, Cursor, Read};

/// A member of an archive.
pub(crate) struct Entry {
    /// Name as stored; never used as a path.
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
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

/// Reads to the end or to the first limit; what was read until then is kept.
fn read_capped(
    reader: impl Read,
    packed: u64,
    limits: &Limits,
    budget: &mut Budget,
) -> (Vec<u8>, Option<Stop>) {
    let mut bytes = Vec::new();
    let stop = read_until(reader, packed, limits, budget.bytes, &mut bytes).err();
    // What was kept of a stopped member counts as well.
    budget.bytes = budget.bytes.saturating_sub(bytes.len() as u64);
    (bytes, stop)
}

fn read_until(
    reader: impl Read,
    packed: u64,
    limits: &Limits,
    budget: u64,
    bytes: &mut Vec<u8>,
) -> Result<(), Stop> {
    let mut reader = reader.take(limits.max_entry_bytes.min(budget).saturating_add(1));
    let mut chunk = vec![0; 64 << 10];
    loop {
        let count = match reader.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Stop::Io(error)),
        };
        let total = bytes.len() as u64 + count as u64;
        // Up to the limit all is kept; the reader gives at most one byte more.
        let room = limits.max_entry_bytes.min(budget).saturating_sub(bytes.len() as u64);
        let kept = usize::try_from(room).map_or(count, |room| room.min(count));
        bytes.extend_from_slice(chunk.get(..kept).unwrap_or_default());
        if total > limits.max_entry_bytes {
            return Err(Stop::EntryTooLarge);
        }
        if total > budget {
            return Err(Stop::BudgetSpent);
        }
        if total > RATIO_FREE_BYTES && total / packed.max(1) > limits.max_ratio {
            return Err(Stop::RatioExceeded);
        }
    }
}

fn stopped(path: &str, stop: &Stop, limits: &Limits, offset: usize) -> Problem {
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

/// Inflates a gzip stream (several members are one stream). A damaged or capped one
/// gives what could be read, and a problem.
pub(crate) fn gunzip(
    path: &str,
    packed: &[u8],
    limits: &Limits,
    budget: &mut Budget,
) -> (Vec<u8>, Option<Problem>) {
    let decoder = flate2::read::MultiGzDecoder::new(packed);
    let (bytes, stop) = read_capped(decoder, packed.len() as u64, limits, budget);
    let problem = stop.map(|stop| stopped(path, &stop, limits, bytes.len()));
    (bytes, problem)
}

/// Reads the members of a zip, in stored order.
pub(crate) fn unzip(
    path: &str,
    packed: &[u8],
    limits: &Limits,
    budget: &mut Budget,
) -> (Vec<Entry>, Vec<Problem>) {
    let mut problems = Vec::new();
    if budget.depth == 0 {
        let reason = format!("archives are nested more than {} deep", limits.max_depth);
        return (Vec::new(), vec![problem(path, "too_deep", reason, None)]);
    }
    let mut archive = match zip::ZipArchive::new(Cursor::new(packed)) {
        Ok(archive) => archive,
        Err(_) => {
            let reason = "not a whole zip archive: its directory is missing or damaged".to_owned();
            return (Vec::new(), vec![problem(path, "bad_archive", reason, None)]);
        }
    };
    if archive.has_overlapping_files().unwrap_or(true) {
        problems.push(problem(path, "bad_archive", "members overlap, as in a zip bomb".to_owned(), None));
        return (Vec::new(), problems);
    }
    let count = archive.len();
    if count > limits.max_entries {
        let reason = format!("{count} members; only the first {} were read", limits.max_entries);
        problems.push(problem(path, "too_large", reason, None));
    }
    let mut entries = Vec::new();
    for index in 0..count.min(limits.max_entries) {
        let member = match archive.by_index(index) {
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
        let (bytes, stop) = read_capped(member, packed_bytes, limits, budget);
        if let Some(stop) = stop {
            problems.push(stopped(&member_path, &stop, limits, bytes.len()));
            if matches!(stop, Stop::BudgetSpent) {
                break;
            }
        }
        entries.push(Entry { name, bytes });
    }
    (entries, problems)
}
