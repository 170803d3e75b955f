//! Lines of a job trace and what a runner writes in them.
//!
//! Three shapes: raw, with sections (GitLab, "Job logs", "Custom collapsible sections");
//! with a timestamp, a stream and `+` for a line that goes on before every line
//! (`FF_TIMESTAMPS`; gitlab-org/gitlab!153516); and copied from the web page, where
//! sections are titles followed by a duration.

use super::super::github::log::plain;
use leakgraph_model::Timestamp;
use std::borrow::Cow;

/// `2024-05-14T11:19:20.000000Z 00O+`
const PREFIX: &[u8] = b"dddd-dd-ddTdd:dd:dd.ddddddZ hhs+";
const STAMP_BYTES: usize = 27;
/// The year 3000: what is later is no time.
const MAX_SECONDS: i64 = 32_503_680_000;
/// A trace tells what it is within so many bytes.
const HEAD_BYTES: usize = 64 << 10;

/// One line, without prefix and line end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line<'a> {
    /// Byte offset, prefix included.
    pub(crate) offset: usize,
    /// The text, colours included.
    pub(crate) raw: &'a [u8],
    /// The text from its first visible byte on.
    pub(crate) text: &'a [u8],
    /// Its own time or that of the line before.
    pub(crate) at: Option<Timestamp>,
}

impl Line<'_> {
    /// The visible text.
    pub(crate) fn shown(&self) -> Cow<'_, str> {
        match plain(self.text) {
            Cow::Borrowed(text) => String::from_utf8_lossy(text),
            Cow::Owned(text) => Cow::Owned(String::from_utf8_lossy(&text).into_owned()),
        }
    }
}

/// The lines that are not empty. A bare CR ends a line, too: some traces have nothing else.
pub(crate) fn lines(bytes: &[u8]) -> impl Iterator<Item = Line<'_>> {
    let (mut start, mut at) = (0, None);
    memchr::memchr2_iter(b'\n', b'\r', bytes).chain([bytes.len()]).filter_map(move |end| {
        let offset = std::mem::replace(&mut start, end + 1);
        let line = bytes.get(offset..end)?;
        let raw = match line.split_at_checked(PREFIX.len()) {
            Some((prefix, text)) if is_prefix(prefix) => {
                at = time(prefix);
                text
            }
            _ => line,
        };
        let text = visible(raw);
        (!text.is_empty()).then_some(Line { offset, raw, text, at })
    })
}

fn is_prefix(bytes: &[u8]) -> bool {
    bytes.iter().zip(PREFIX).all(|(byte, form)| match form {
        b'd' => byte.is_ascii_digit(),
        b'h' => byte.is_ascii_hexdigit(),
        b's' => matches!(byte, b'O' | b'E'),
        b'+' => matches!(byte, b' ' | b'+'),
        other => byte == other,
    })
}

/// The time of a prefix. With a seventh digit it has the form of GitHub's runners, which is read
/// without a general parser.
fn time(prefix: &[u8]) -> Option<Timestamp> {
    let mut text = String::from_utf8_lossy(prefix.get(..STAMP_BYTES - 1)?).into_owned();
    text.push_str("0Z");
    Timestamp::parse(&text)
}

/// What follows the escape sequences at the start.
fn visible(mut text: &[u8]) -> &[u8] {
    while let Some(rest) = text.strip_prefix(b"\x1b[") {
        let Some(end) = rest.iter().position(u8::is_ascii_alphabetic) else { break };
        text = rest.get(end + 1..).unwrap_or_default();
    }
    text
}

/// The start or end of a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Marker<'a> {
    pub(crate) is_start: bool,
    pub(crate) name: &'a str,
    pub(crate) at: Timestamp,
}

/// `section_start:1506004954:prepare_script[collapsed=true]` or `section_end:…`.
pub(crate) fn marker(text: &[u8]) -> Option<Marker<'_>> {
    let (is_start, rest) = match text.strip_prefix(b"section_start:") {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix(b"section_end:")?),
    };
    let colon = rest.iter().take(20).position(|byte| *byte == b':')?;
    let seconds: i64 = std::str::from_utf8(rest.get(..colon)?).ok()?.parse().ok()?;
    (0..=MAX_SECONDS).contains(&seconds).then_some(())?;
    let name = rest.get(colon + 1..)?;
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"_.-".contains(byte);
    let end = name.iter().position(|byte| !is_name(byte)).unwrap_or(name.len());
    let name = std::str::from_utf8(name.get(..end)?).ok()?;
    (!name.is_empty()).then_some(Marker { is_start, name, at: Timestamp::from_seconds(seconds) })
}

/// The runner's own sections by their titles on the web page (gitlab-runner,
/// `common/build_logger` and `shells/abstract.go`).
const TITLES: [(&str, &str); 13] = [
    ("Resolving secrets", "resolve_secrets"),
    ("Preparing the \"", "prepare_executor"),
    ("Preparing environment", "prepare_script"),
    ("Getting source from ", "get_sources"),
    ("Restoring cache", "restore_cache"),
    ("Downloading artifacts", "download_artifacts"),
    ("Executing \"step_script\" stage of the job script", "step_script"),
    ("Executing \"build_script\" stage of the job script", "build_script"),
    ("Running after_script", "after_script"),
    ("Running after script", "after_script"),
    ("Saving cache for ", "archive_cache"),
    ("Uploading artifacts for ", "upload_artifacts"),
    ("Cleaning up project directory and file based variables", "cleanup_file_variables"),
];

/// The section a title of the web page stands for, if the next line is its duration.
pub(crate) fn titled(text: &[u8], next: Option<&Line<'_>>) -> Option<&'static str> {
    let parts: Vec<&[u8]> = next?.text.split(|byte| *byte == b':').collect();
    let is_number = |part: &&[u8]| part.len() == 2 && part.iter().all(u8::is_ascii_digit);
    let is_duration = matches!(parts.len(), 2 | 3) && parts.iter().all(is_number);
    let title = TITLES.iter().find(|(title, _)| text.starts_with(title.as_bytes()));
    title.filter(|_| is_duration).map(|(_, name)| *name)
}

/// setup, run, post, complete or section.
pub(crate) fn kind(section: &str) -> &'static str {
    match section {
        "step_script" | "build_script" => "run",
        "prepare_executor" | "prepare_script" | "resolve_secrets" | "get_sources" | "restore_cache"
        | "download_artifacts" => "setup",
        "after_script"
        | "archive_cache"
        | "archive_cache_on_failure"
        | "upload_artifacts"
        | "upload_artifacts_on_success"
        | "upload_artifacts_on_failure" => "post",
        "cleanup_file_variables" => "complete",
        _ => "section",
    }
}

/// Whether a text is a job trace, and by what.
pub(crate) fn tell(bytes: &[u8]) -> Option<&'static str> {
    let head = bytes.get(..bytes.len().min(HEAD_BYTES)).unwrap_or_default();
    if memchr::memmem::find(head, b"section_start:").is_some()
        && lines(head).any(|line| marker(line.text).is_some_and(|marker| marker.is_start))
    {
        return Some("sections as only a GitLab runner writes them");
    }
    let is_greeting = |line: Line<'_>| line.text.starts_with(b"Running with gitlab-runner ");
    lines(head).take(5).any(is_greeting).then_some("the greeting of a GitLab runner")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(bytes: &[u8]) -> Vec<String> {
        lines(bytes).map(|line| line.shown().into_owned()).collect()
    }

    #[test]
    fn lines_end_with_any_line_end_and_keep_their_offset() {
        let bytes = b"\x1b[0KRunning\r\nsection_start:1506004954:a\r\x1b[0K\x1b[32;1m$ ls\x1b[0;m\rout\n\n";
        assert_eq!(texts(bytes), ["Running", "section_start:1506004954:a", "$ ls", "out"]);
        let offsets: Vec<_> = lines(bytes).map(|line| line.offset).collect();
        assert_eq!(offsets, [0, 13, 40, 61]);
    }

    #[test]
    fn timestamps_are_cut_and_inherited() {
        let bytes =
            b"2024-05-14T11:19:20.000000Z 00O Hey \n2024-05-14T11:19:21.500000Z 01E+there\ra\nno stamp";
        assert_eq!(texts(bytes), ["Hey ", "there", "a", "no stamp"]);
        let times: Vec<_> = lines(bytes).map(|line| line.at.unwrap().to_string()).collect();
        assert_eq!(times.first().map(String::as_str), Some("2024-05-14T11:19:20Z"));
        assert!(times.iter().skip(1).all(|time| time == "2024-05-14T11:19:21.5Z"));
    }

    #[test]
    fn markers_are_strict() {
        let found = marker(b"section_start:1506004954:build_script[collapsed=true]").unwrap();
        assert_eq!((found.is_start, found.name), (true, "build_script"));
        assert_eq!(marker(b"section_start:yesterday:build"), None);
        assert_eq!(marker(b"section_end:1506004954:"), None);
        assert_eq!(marker(b"section_start:99999999999999999999999:x"), None);
    }

    #[test]
    fn titles_need_a_duration() {
        let duration = b"00:13\n";
        assert_eq!(titled(b"Preparing environment", lines(duration).next().as_ref()), Some("prepare_script"));
        assert_eq!(titled(b"Preparing environment", lines(b"next").next().as_ref()), None);
        assert_eq!(titled(b"Preparing dinner", lines(duration).next().as_ref()), None);
    }

    #[test]
    fn traces_are_told_from_texts_that_quote_them() {
        assert!(tell(b"\x1b[0KRunning with gitlab-runner 16.3.3 (ed9cebb1)\n").is_some());
        assert!(tell(b"x\rsection_start:1506004954:prepare_script\r\x1b[0K").is_some());
        assert!(tell(b"In a trace, `section_start:1506004954:x` begins a section.\n").is_none());
    }
}
