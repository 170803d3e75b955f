//! Lines of a job log: timestamp prefix, BOM, CR, continuation lines.
//!
//! The runner writes `DateTime.UtcNow.ToString("O") + " " + message`
//! (actions/runner `PagingLogger.Write`), so a line without the prefix continues
//! the message before it.

use crate::workflow::azure_devops;
use leakgraph_model::Timestamp;
use std::borrow::Cow;

/// `YYYY-MM-DDTHH:MM:SS.fffffffZ`
const STAMP_BYTES: usize = 28;
/// Byte order mark of UTF-8.
pub(crate) const BOM: &[u8] = b"\xef\xbb\xbf";

/// One line without its prefix.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line<'a> {
    /// Byte offset of the line, prefix included, in the text.
    pub(crate) offset: usize,
    /// Offset of its line end.
    pub(crate) end: usize,
    /// Its text, without prefix, BOM and line end.
    pub(crate) text: &'a [u8],
    /// Its time, or that of the line it continues.
    pub(crate) stamp: Option<&'a [u8]>,
    /// Whether it had no prefix of its own.
    pub(crate) continues: bool,
}

impl<'a> Line<'a> {
    pub(crate) fn at(&self) -> Option<Timestamp> {
        self.stamp.and_then(|stamp| std::str::from_utf8(stamp).ok()).and_then(Timestamp::parse)
    }

    pub(crate) fn lossy(&self) -> Cow<'a, str> {
        String::from_utf8_lossy(self.text)
    }
}

/// Splits a log into lines.
pub(crate) fn lines(bytes: &[u8]) -> impl Iterator<Item = Line<'_>> {
    let mut last = None;
    let mut start = 0;
    memchr::memchr_iter(b'\n', bytes).chain([bytes.len()]).filter_map(move |end| {
        let offset = std::mem::replace(&mut start, end + 1);
        if offset == end && end == bytes.len() {
            return None;
        }
        let (stamp, text) = cut(bytes.get(offset..end)?);
        if stamp.is_some() {
            last = stamp;
        }
        Some(Line { offset, end, text, stamp: last, continues: stamp.is_none() })
    })
}

/// The line that holds an offset, as [`lines`] gives it.
pub(crate) fn line_at(bytes: &[u8], at: usize) -> Option<Line<'_>> {
    let offset = memchr::memrchr(b'\n', bytes.get(..at)?).map_or(0, |found| found + 1);
    let end = memchr::memchr(b'\n', bytes.get(at..)?).map_or(bytes.len(), |found| at + found);
    if offset == bytes.len() {
        return None;
    }
    let (stamp, text) = cut(bytes.get(offset..end)?);
    let inherited = || stamp_before(bytes, offset.checked_sub(1)?);
    Some(Line { offset, end, text, stamp: stamp.or_else(inherited), continues: stamp.is_none() })
}

/// A line's time and text.
fn cut(line: &[u8]) -> (Option<&[u8]>, &[u8]) {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    split_stamp(line.strip_prefix(BOM).unwrap_or(line))
}

/// How far back the time of a line without one is looked for.
const CLOCK_BYTES: usize = 256 << 10;

/// The time of the line at an offset, or of the line it continues.
pub(crate) fn time_at(text: &[u8], at: usize) -> Option<Timestamp> {
    // Its whole prefix may lie behind the offset.
    let end = memchr::memchr(b'\n', text.get(at..)?).map_or(text.len(), |found| at + found);
    stamp_before(text, end).and_then(|stamp| std::str::from_utf8(stamp).ok()).and_then(Timestamp::parse)
}

/// The last time that a line tells which begins before `end`.
fn stamp_before(text: &[u8], mut end: usize) -> Option<&[u8]> {
    let low = end.saturating_sub(CLOCK_BYTES);
    loop {
        let start = memchr::memrchr(b'\n', text.get(low..end)?).map_or(low, |found| low + found + 1);
        if let (Some(stamp), _) = cut(text.get(start..end)?) {
            return Some(stamp);
        }
        if start == low {
            return None;
        }
        end = start - 1;
    }
}

/// The timestamp prefix and the rest.
fn split_stamp(line: &[u8]) -> (Option<&[u8]>, &[u8]) {
    match line.split_at_checked(STAMP_BYTES) {
        Some((stamp, rest)) if is_stamp(stamp) => (Some(stamp), rest.strip_prefix(b" ").unwrap_or(rest)),
        _ => (None, line),
    }
}

/// Without a branch per byte: every line of a log is asked.
fn is_stamp(bytes: &[u8]) -> bool {
    const SHAPE: &[u8; STAMP_BYTES] = b"0000-00-00T00:00:00.0000000Z";
    let Ok(bytes) = <&[u8; STAMP_BYTES]>::try_from(bytes) else { return false };
    bytes.iter().zip(SHAPE).fold(true, |fits, (byte, shape)| {
        let most = if *shape == b'0' { 9 } else { 0 };
        fits & (byte.wrapping_sub(*shape) <= most)
    })
}

/// What only a runner writes, at the head of a job log or a step log.
const TELLS: [&[u8]; 7] = [
    b"Current runner version: ",
    b"##[group]GITHUB_TOKEN Permissions",
    b"Secret source: ",
    b"##[group]Run ",
    b"##[group]Operating System",
    b"##[section]Starting: ",
    b"Job defined at: ",
];

/// Whether a text is a GitHub Actions job log (or a part of one), with or without
/// timestamps.
pub(crate) fn is_job_log(bytes: &[u8]) -> bool {
    // The agent of Azure Pipelines writes lines and sections of the same form.
    if azure_devops::log::is_log(bytes) {
        return false;
    }
    let stamped = lines(bytes).take(20).any(|line| !line.continues);
    let head = bytes.get(..bytes.len().min(64 << 10)).unwrap_or_default();
    TELLS.iter().any(|tell| {
        memchr::memmem::find_iter(head, tell).any(|at| {
            let before = head.get(..at).unwrap_or_default();
            // At the start of a message: after a prefix, or of a line.
            before.is_empty() || before.ends_with(b"\n") || before.ends_with(b"Z ") || before.ends_with(BOM)
        })
    }) || (stamped && memchr::memmem::find(head, b"##[").is_some())
}

/// Text without ANSI escape sequences.
pub(crate) fn plain(text: &[u8]) -> Cow<'_, [u8]> {
    let mut buffer = Vec::new();
    match plain_in(text, &mut buffer).len() {
        length if length == text.len() => Cow::Borrowed(text),
        _ => Cow::Owned(buffer),
    }
}

/// The same, in `plain` where something is to be cut.
pub(crate) fn plain_in<'a>(text: &'a [u8], plain: &'a mut Vec<u8>) -> &'a [u8] {
    if memchr::memchr(0x1b, text).is_none() {
        return text;
    }
    plain.clear();
    push_plain(text, plain);
    plain
}

/// The same, at the end of `plain`.
pub(crate) fn push_plain(mut text: &[u8], plain: &mut Vec<u8>) {
    while let Some((before, after)) = memchr::memchr(0x1b, text).and_then(|at| text.split_at_checked(at)) {
        plain.extend_from_slice(before);
        text = match after.strip_prefix(b"\x1b[") {
            Some(code) => {
                let end = code.iter().position(u8::is_ascii_alphabetic).map_or(code.len(), |end| end + 1);
                code.get(end..).unwrap_or_default()
            }
            None => after.get(1..).unwrap_or_default(),
        };
    }
    plain.extend_from_slice(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_cut_and_continuations_keep_the_time() {
        let text =
            b"\xef\xbb\xbf2026-08-03T16:28:53.7580000Z first\r\nsecond\n2026-08-03T16:28:54.0000000Z third";
        let lines: Vec<_> = lines(text).collect();
        let texts: Vec<_> = lines.iter().map(|line| line.text).collect();
        assert_eq!(texts, [&b"first"[..], b"second", b"third"]);
        assert!(lines[1].continues && lines[1].at() == lines[0].at());
        assert_eq!(lines[2].offset, 46);
    }

    #[test]
    fn the_time_of_an_offset_is_that_of_its_line_or_of_the_line_it_continues() {
        let text =
            b"\xef\xbb\xbf2026-08-03T16:28:53.7580000Z first\nsecond\n2026-08-03T16:28:54.0000000Z third";
        for line in lines(text) {
            assert_eq!(time_at(text, line.offset), line.at());
            assert_eq!(time_at(text, line.offset + 4), line.at());
        }
        assert_eq!(time_at(b"no time", 3), None);
    }

    #[test]
    fn colours_are_cut() {
        assert_eq!(plain(b"\x1b[36;1mecho hi\x1b[0m").as_ref(), b"echo hi");
    }

    #[test]
    fn logs_are_told_from_text() {
        assert!(is_job_log(b"2026-08-03T16:28:53.7580000Z ##[group]Run make\n"));
        assert!(is_job_log(b"Current runner version: '2.3'\n"));
        assert!(!is_job_log(b"# Notes\nsome ##[group]Run quoted\n"));
    }
}
