//! Job logs: `ESC _bk;t=<ms> BEL` before lines, groups of `~~~`, `---` and `+++`.

use super::super::github::log::plain;
use super::super::parts::{Bound, Part, Place, note, state};
use leakgraph_model::Timestamp;
use std::borrow::Cow;

const TIME: &[u8] = b"\x1b_bk;t=";
const BEL: u8 = 7;

/// Whether the agent put its times before lines.
pub(super) fn is_log(bytes: &[u8]) -> bool {
    let head = bytes.get(..bytes.len().min(64 << 10)).unwrap_or_default();
    memchr::memmem::find_iter(head, TIME).any(|at| {
        let before = head.get(..at).unwrap_or_default();
        let after = head.get(at + TIME.len()..).unwrap_or_default();
        let is_time = after
            .iter()
            .position(|byte| *byte == BEL)
            .is_some_and(|end| (10..=16).contains(&end) && after.iter().take(end).all(u8::is_ascii_digit));
        is_time && (before.is_empty() || before.ends_with(b"\n") || before.ends_with(b"\r"))
    })
}

/// What a log tells.
#[derive(Debug, Default)]
pub(super) struct Log {
    pub(super) parts: Vec<Part>,
    pub(super) places: Vec<Place>,
}

impl Log {
    pub(super) fn parse(bytes: &[u8]) -> Self {
        let mut log = Self::default();
        let (mut offset, mut at) = (0, None);
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, time) = bare(line);
            at = time.or(at);
            let shown = plain(text.trim_ascii_end());
            let (place, name) = log.line(&shown, offset);
            if let Some(part) = log.parts.last_mut() {
                part.at(at);
            }
            let part = log.parts.len().checked_sub(1);
            note(&mut log.places, Place { offset, part, place, name, at });
            offset += line.len();
        }
        log
    }

    /// The agent says how a command ended.
    pub(super) fn conclusion(&self) -> Option<&'static str> {
        self.parts.iter().any(|part| part.conclusion == Some("failure")).then_some("failure")
    }

    fn line(&mut self, shown: &[u8], offset: usize) -> (&'static str, Option<String>) {
        let text = String::from_utf8_lossy(shown);
        if let Some(title) = ["~~~ ", "--- ", "+++ "].iter().find_map(|mark| text.strip_prefix(mark)) {
            self.parts.push(part(title.trim(), text.starts_with("~~~")));
            return ("log", None);
        }
        if self.parts.is_empty() && !text.is_empty() {
            self.parts.push(Part::new("Set up job", "setup"));
        }
        let Some(part) = self.parts.last_mut() else { return ("log", None) };
        if text.starts_with("^^^ +++") || text.contains("The command exited with status ") {
            let is_good = text.ends_with("exited with status 0");
            part.conclusion = if is_good { part.conclusion } else { Some("failure") };
        } else if let Some(command) = text.strip_prefix("$ ") {
            part.script_bytes += command.len();
            return ("script_echo", None);
        } else if let Some(name) = changed(&text) {
            part.bound.push(Bound::hidden(name, offset));
            return ("env_binding", Some(name.to_owned()));
        } else if let Some((name, value)) = redacted(&text) {
            part.bound.push(Bound::shown(name, value, offset, "unknown"));
            return ("env_binding", Some(name.to_owned()));
        }
        ("log", None)
    }
}

/// A group as a step. Those of `~~~` are the agent's own.
fn part(title: &str, is_muted: bool) -> Part {
    let plugin = title.strip_prefix("Running plugin ").and_then(|rest| rest.split_whitespace().next());
    let kind = match title {
        _ if plugin.is_some() => "action",
        "Running commands" | "Running command" | "Running batch script" | "Running script" => "run",
        title if title.starts_with("Uploading artifacts") || title.contains(" post-command hook") => "post",
        title if title.contains(" pre-exit hook") || title.contains(" post-artifact hook") => "post",
        _ if is_muted => "setup",
        _ => "run",
    };
    Part { uses: plugin.map(str::to_owned), ..Part::new(title, kind) }
}

/// `# NAME added` or `# NAME changed`: what a hook exported. The agent hides the values of all
/// variables that are not its own.
fn changed(text: &str) -> Option<&str> {
    let rest = text.strip_prefix("# ")?;
    let name = rest.strip_suffix(" added").or_else(|| rest.strip_suffix(" changed"))?;
    is_name(name).then_some(name)
}

/// `NAME=[REDACTED]`, as printed by a command.
fn redacted(text: &str) -> Option<(&str, &str)> {
    let (name, value) = text.strip_prefix("export ").unwrap_or(text).split_once('=')?;
    (is_name(name) && value.contains("[REDACTED]") && state(value) == "masked").then_some((name, value))
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// A line without the agent's sequences (`ESC _ … BEL`, `ESC ] … BEL`), and its first time.
fn bare(line: &[u8]) -> (Cow<'_, [u8]>, Option<Timestamp>) {
    if memchr::memchr(0x1b, line).is_none() {
        return (Cow::Borrowed(line), None);
    }
    let (mut bare, mut time, mut rest) = (Vec::with_capacity(line.len()), None, line);
    while let Some(at) = rest.windows(2).position(|pair| matches!(pair, [0x1b, b'_' | b']'])) {
        let (before, sequence) = rest.split_at(at);
        bare.extend_from_slice(before);
        let end = sequence.iter().position(|byte| *byte == BEL).map_or(sequence.len(), |end| end + 1);
        let (sequence, after) = sequence.split_at(end);
        let digits = sequence.strip_prefix(TIME).and_then(|rest| rest.strip_suffix(&[BEL]));
        let milliseconds = digits.and_then(|digits| std::str::from_utf8(digits).ok()?.parse::<i64>().ok());
        time = time.or(milliseconds.map(|time| Timestamp(time.saturating_mul(1000))));
        rest = after;
    }
    bare.extend_from_slice(rest);
    (Cow::Owned(bare), time)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"\x1b_bk;t=1745322209921\x07~~~ Running global environment hook\r\n\
\x1b_bk;t=1745322209922\x07\x1b[90m$\x1b[0m /buildkite/agent/hooks/environment\r\n\
\x1b_bk;t=1745322209923\x07\x1b[90m# NPM_TOKEN added\x1b[0m\r\n\
\x1b_bk;t=1745322209924\x07~~~ Running plugin docker command hook\r\n\
\x1b_bk;t=1745322210000\x07+++ :rspec: Tests\r\n\
\x1b_bk;t=1745322211000\x07AWS_SECRET_ACCESS_KEY=[REDACTED]\r\n\
\x1b_bk;t=1745322212000\x07^^^ +++\r\n";

    #[test]
    fn groups_are_steps() {
        let log = Log::parse(TEXT);
        let steps: Vec<_> = log.parts.iter().map(|part| (part.name.as_str(), part.kind)).collect();
        let expected = [
            ("Running global environment hook", "setup"),
            ("Running plugin docker command hook", "action"),
            (":rspec: Tests", "run"),
        ];
        assert_eq!(steps, expected);
        let bound: Vec<_> = log
            .parts
            .iter()
            .flat_map(|part| &part.bound)
            .map(|bound| (bound.name.as_str(), bound.state))
            .collect();
        assert_eq!(bound, [("NPM_TOKEN", "hidden"), ("AWS_SECRET_ACCESS_KEY", "masked")]);
        assert_eq!(log.parts[0].started_at, Some(Timestamp(1_745_322_209_921_000)));
        assert_eq!((log.parts[2].conclusion, log.conclusion()), (Some("failure"), Some("failure")));
        assert_eq!(log.parts[0].script_bytes, "/buildkite/agent/hooks/environment".len());
    }

    #[test]
    fn only_times_of_the_agent_tell() {
        assert!(is_log(TEXT));
        assert!(!is_log(b"a log prints \x1b_bk;t=1745322209921\x07 in a line\n"));
        assert!(!is_log(b"\x1b_bk;t=soon\x07\n"));
        assert!(!is_log(b"--- a/file\n+++ b/file\n"));
    }
}
