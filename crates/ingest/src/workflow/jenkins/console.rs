//! Lines of a console, and the steps they show.
//!
//! Console notes (`ESC[8mha:` base 64 `ESC[0m`, `ConsoleNote.java`) and Timestamper's
//! prefixes are cut before anything is read.

use super::super::github::log::plain;
use super::causes::{self, Cause};
use leakgraph_model::Timestamp;
use std::borrow::Cow;

/// A console tells what it is within so many bytes.
const HEAD_BYTES: usize = 64 << 10;
/// Beyond this many marks, lines share the last one.
const MAX_MARKS: usize = 20_000;
/// Longer lines say nothing of the build.
const MAX_SHOWN_BYTES: usize = 16 << 10;
/// Causes stand within so many lines: what a tool put before a console is short.
const HEAD_LINES: usize = 100;
/// What steps of Pipeline begin with, and how many tell a console.
const PIPELINE: &[u8] = b"[Pipeline] ";
const MIN_PIPELINE_LINES: usize = 3;
const NOTE: &[u8] = b"\x1b[8mha:";
const NOTE_END: &[u8] = b"\x1b[0m";

/// One line as a reader sees it.
pub(super) struct Line<'a> {
    pub(super) offset: usize,
    pub(super) text: Cow<'a, [u8]>,
    pub(super) at: Option<Timestamp>,
}

pub(super) fn lines(bytes: &[u8]) -> impl Iterator<Item = Line<'_>> {
    let (mut start, mut last) = (0, None);
    memchr::memchr_iter(b'\n', bytes).chain([bytes.len()]).filter_map(move |end| {
        let offset = std::mem::replace(&mut start, end + 1);
        let line = bytes.get(offset..end)?;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            return None;
        }
        let (at, rest) = stamped(line);
        last = at.or(last);
        Some(Line { offset, text: shown(rest), at: last })
    })
}

/// Timestamper's time (`[2025-11-13T20:53:33.123Z] `, or `20:53:33  ` without a day) and the rest.
fn stamped(line: &[u8]) -> (Option<Timestamp>, &[u8]) {
    if let Some(rest) = line.strip_prefix(b"[2").and_then(|_| line.strip_prefix(b"[")) {
        let end = rest.iter().take(32).position(|byte| *byte == b']');
        let stamp = end.and_then(|end| std::str::from_utf8(rest.get(..end)?).ok()).and_then(Timestamp::parse);
        if let (Some(stamp), Some(end)) = (stamp, end) {
            let rest = rest.get(end + 1..).unwrap_or_default();
            return (Some(stamp), rest.strip_prefix(b" ").unwrap_or(rest));
        }
    }
    let is_clock = |text: &[u8]| {
        text.iter()
            .zip(b"dd:dd:dd  ")
            .all(|(byte, form)| if *form == b'd' { byte.is_ascii_digit() } else { byte == form })
    };
    match line.split_at_checked(10) {
        Some((clock, rest)) if is_clock(clock) => (None, rest),
        _ => (None, line),
    }
}

fn shown(line: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(0x1b, line).is_none() {
        return Cow::Borrowed(line);
    }
    let mut rest = line;
    let mut kept = Vec::with_capacity(line.len());
    while let Some(at) = memchr::memmem::find(rest, NOTE) {
        let (before, note) = rest.split_at(at);
        kept.extend_from_slice(before);
        // A note without an end: what is left is no text.
        rest = memchr::memmem::find(note, NOTE_END)
            .and_then(|end| note.get(end + NOTE_END.len()..))
            .unwrap_or_default();
    }
    kept.extend_from_slice(rest);
    Cow::Owned(plain(&kept).into_owned())
}

/// Whether a text is a console, and by what: lines of Pipeline, or causes and what follows them.
pub(super) fn tell(bytes: &[u8]) -> Option<&'static str> {
    let head = bytes.get(..bytes.len().min(HEAD_BYTES)).unwrap_or_default();
    let has = |needle: &[u8]| memchr::memmem::find(head, needle).is_some();
    // A text that quotes one line is no console; a piece of a console has several.
    if has(PIPELINE)
        && lines(head).filter(|line| line.text.starts_with(PIPELINE)).nth(MIN_PIPELINE_LINES - 1).is_some()
    {
        return Some("lines that only Jenkins Pipeline writes");
    }
    let mut first = lines(head).take(4).map(|line| String::from_utf8_lossy(&line.text).into_owned());
    let is_caused = first.next().is_some_and(|line| Cause::of_line(&line).is_some());
    let follows = [
        "Running as ",
        "Building in workspace ",
        "Building remotely on ",
        "Building on ",
        "originally caused by:",
        "[EnvInject]",
    ];
    let is_followed = || {
        lines(head).take(20).any(|line| follows.iter().any(|start| line.text.starts_with(start.as_bytes())))
    };
    if is_caused && (is_followed() || last_line(bytes).starts_with("Finished: ")) {
        return Some("the cause of a build, and what Jenkins writes after it");
    }
    None
}

fn last_line(bytes: &[u8]) -> String {
    let tail = bytes.get(bytes.len().saturating_sub(4096)..).unwrap_or_default();
    lines(tail).last().map(|line| String::from_utf8_lossy(&line.text).into_owned()).unwrap_or_default()
}

/// A step, stage or shared library.
#[derive(Debug, Default)]
pub(super) struct Part {
    pub(super) name: String,
    /// stage, run or action.
    pub(super) kind: &'static str,
    pub(super) uses: Option<String>,
    pub(super) resolved_sha: Option<String>,
    pub(super) shell: Option<String>,
    pub(super) script_bytes: usize,
    pub(super) started_at: Option<Timestamp>,
    pub(super) inputs: Input,
}

/// What an `input` step came to.
#[derive(Debug, Default)]
pub(super) struct Input {
    /// Who approved (`true`) or rejected.
    pub(super) decided: Option<(bool, String, Option<Timestamp>)>,
}

/// From `offset` on, lines belong to this part and place.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PartMark {
    pub(super) offset: usize,
    pub(super) part: Option<usize>,
    pub(super) place: &'static str,
    pub(super) at: Option<Timestamp>,
}

/// A credential by the name the console gives it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Credential {
    pub(super) name: String,
    /// binding, interpolated or credential_id.
    pub(super) how: &'static str,
    pub(super) part: Option<usize>,
    pub(super) offset: usize,
}

/// A build that this one started.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Started {
    pub(super) name: String,
    pub(super) number: Option<String>,
    /// build_step or upstream_cause.
    pub(super) mechanism: &'static str,
    pub(super) at: Option<Timestamp>,
}

/// One console, read.
#[derive(Debug, Default)]
pub(super) struct Console {
    pub(super) causes: Vec<Cause>,
    /// Who the build runs as, where it says so.
    pub(super) runs_as: Option<String>,
    pub(super) runner: Option<String>,
    pub(super) workflow_path: Option<String>,
    pub(super) workflow_sha: Option<String>,
    pub(super) parts: Vec<Part>,
    pub(super) marks: Vec<PartMark>,
    pub(super) credentials: Vec<Credential>,
    pub(super) started: Vec<Started>,
    pub(super) result: Option<String>,
    pub(super) first_at: Option<Timestamp>,
    pub(super) last_at: Option<Timestamp>,
    stages: Vec<usize>,
    current: Option<usize>,
    /// After `[Pipeline] stage`, before its name.
    is_stage_next: bool,
    is_pipeline: bool,
}

impl Console {
    pub(super) fn of(bytes: &[u8]) -> Self {
        let mut console = Self::default();
        let head: Vec<String> = lines(bytes)
            .take(HEAD_LINES)
            .map(|line| String::from_utf8_lossy(&line.text).into_owned())
            .collect();
        let start = head
            .iter()
            .take_while(|line| !line.starts_with("[Pipeline] "))
            .position(|line| Cause::of_line(line).is_some());
        if let Some(start) = start {
            console.causes = causes::of_lines(head.get(start..).unwrap_or_default()).0;
        }
        for line in lines(bytes) {
            console.last_at = line.at.or(console.last_at);
            console.first_at = console.first_at.or(line.at);
            console.line(&line);
        }
        console
    }

    fn line(&mut self, line: &Line<'_>) {
        if let Some(step) = line.text.strip_prefix(PIPELINE) {
            self.is_pipeline = true;
            self.pipeline(line, &String::from_utf8_lossy(step));
            return self.mark(line, "log");
        }
        let is_run =
            self.current.and_then(|part| self.parts.get(part)).is_some_and(|part| part.kind == "run");
        // Shells trace what they run: `sh` steps have `-xe`.
        let is_echo = is_run && line.text.starts_with(b"+ ");
        if is_echo && let Some(part) = self.current.and_then(|part| self.parts.get_mut(part)) {
            part.script_bytes += line.text.len() - 1;
        }
        if !is_echo && line.text.len() < MAX_SHOWN_BYTES {
            self.told(line, &String::from_utf8_lossy(&line.text), is_run);
        }
        self.mark(line, if is_echo { "script_echo" } else { "log" });
    }

    fn mark(&mut self, line: &Line<'_>, place: &'static str) {
        let is_same = self.marks.last().is_some_and(|last| {
            last.part == self.current && last.place == place && (line.at.is_none() || last.at == line.at)
        });
        if !is_same && self.marks.len() < MAX_MARKS {
            self.marks.push(PartMark { offset: line.offset, part: self.current, place, at: line.at });
        }
    }

    fn open(&mut self, line: &Line<'_>, part: Part) {
        self.parts.push(Part { started_at: line.at, ..part });
        self.current = Some(self.parts.len() - 1);
    }

    /// `[Pipeline] sh (label)`, `[Pipeline] { (stage)`, `[Pipeline] // stage`.
    fn pipeline(&mut self, line: &Line<'_>, step: &str) {
        if let Some(name) = step.strip_prefix("{ (").and_then(|name| name.strip_suffix(')')) {
            if std::mem::take(&mut self.is_stage_next) {
                self.open(line, Part { name: name.to_owned(), kind: "stage", ..Part::default() });
                self.stages.extend(self.current);
            }
            return;
        }
        match step.split(' ').next().unwrap_or_default() {
            "{" | "Start" => {}
            "stage" => self.is_stage_next = true,
            "}" => self.current = self.stages.last().copied(),
            "//" | "End" => {
                if step == "// stage" {
                    self.stages.pop();
                }
                self.current = self.stages.last().copied();
            }
            // Blocks that only hold other steps.
            "script" | "parallel" | "withEnv" | "dir" | "node" | "timeout" | "retry" | "timestamps"
            | "catchError" => {
                self.current = self.stages.last().copied();
            }
            word => {
                let is_shell = matches!(word, "sh" | "bat" | "powershell" | "pwsh");
                let kind = if is_shell { "run" } else { "action" };
                let shell = is_shell.then(|| word.to_owned());
                self.open(line, Part { name: step.to_owned(), kind, shell, ..Part::default() });
            }
        }
    }

    /// Lines of Jenkins itself. A script can print the same: while one runs, only those count
    /// that no harm comes from, or that Jenkins writes while it runs.
    fn told(&mut self, line: &Line<'_>, text: &str, is_run: bool) {
        if let Some(names) = between(text, "Affected argument(s) used the following variable(s): [", "]") {
            for name in names.split(", ").filter(|name| is_variable(name)) {
                self.credential(line, name, "interpolated");
            }
        } else if let Some(result) = text.strip_prefix("Finished: ") {
            self.result = Some(result.to_owned());
        } else if let Some(rest) =
            text.strip_prefix("Triggering a new build of ").filter(|_| !self.is_pipeline)
        {
            self.child(line, rest, "upstream_cause");
        } else if let Some(command) = freestyle(text).filter(|_| !self.is_pipeline) {
            self.open(line, Part { name: command.to_owned(), kind: "run", ..Part::default() });
        } else if !is_run {
            self.at_rest(line, text);
        }
    }

    fn at_rest(&mut self, line: &Line<'_>, text: &str) {
        if let Some(names) = text.strip_prefix("Masking supported pattern matches of ") {
            for name in
                names.split(" or ").map(|name| name.trim_matches(['$', '%'])).filter(|name| is_variable(name))
            {
                self.credential(line, name, "binding");
            }
        } else if let Some(name) = used_credential(text) {
            self.credential(line, name, "credential_id");
        } else if let Some(rest) = text.strip_prefix("Starting building: ") {
            self.child(line, rest, "build_step");
        } else if let Some(name) = text.strip_prefix("Scheduling project: ") {
            self.started.push(Started {
                name: name.to_owned(),
                number: None,
                mechanism: "build_step",
                at: line.at,
            });
        } else if let Some(reference) = text.strip_prefix("Loading library ") {
            self.open(
                line,
                Part {
                    name: text.to_owned(),
                    kind: "action",
                    uses: Some(reference.to_owned()),
                    ..Part::default()
                },
            );
        } else if let Some(sha) = text
            .strip_prefix("Found match: ")
            .and_then(|rest| rest.split_once(" revision "))
            .map(|(_, sha)| sha)
        {
            if let Some(part) =
                self.current.and_then(|part| self.parts.get_mut(part)).filter(|part| part.uses.is_some())
            {
                part.resolved_sha = Some(sha.to_owned());
            }
        } else if let Some((path, sha)) =
            text.strip_prefix("Obtained ").and_then(|rest| rest.split_once(" from "))
        {
            self.workflow_path = self.workflow_path.take().or_else(|| Some(path.to_owned()));
            self.workflow_sha = self.workflow_sha.take().or_else(|| Some(sha.to_owned()));
        } else if let Some(name) = text.strip_prefix("Running as ") {
            self.runs_as = self.runs_as.take().or_else(|| Some(name.to_owned()));
        } else if let Some(runner) = runner(text) {
            self.runner = self.runner.take().or_else(|| Some(runner.to_owned()));
        } else {
            self.decision(line, text);
        }
    }

    /// `Approved by <user>` (`InputStepExecution.java`) or `Rejected by <user>` (`Rejection.java`).
    fn decision(&mut self, line: &Line<'_>, text: &str) {
        let verdict = match text.strip_prefix("Approved by ") {
            Some(who) => Some((true, who)),
            None => text.strip_prefix("Rejected by ").map(|who| (false, who)),
        };
        let Some((is_approved, who)) = verdict else { return };
        // The rejection is printed after the step has ended.
        let input = self.parts.iter_mut().rev().find(|part| is_input(part) && part.inputs.decided.is_none());
        if let Some(part) = input {
            part.inputs.decided = Some((is_approved, who.to_owned(), line.at));
        }
    }

    fn credential(&mut self, line: &Line<'_>, name: &str, how: &'static str) {
        let is_known = |known: &&Credential| {
            known.name == name && known.how == how && (how != "binding" || known.part == self.current)
        };
        if name.len() < 256 && !self.credentials.iter().any(|known| is_known(&known)) {
            let credential =
                Credential { name: name.to_owned(), how, part: self.current, offset: line.offset };
            self.credentials.push(credential);
        }
    }

    /// `deploy #88`, which completes what was scheduled, or `deploy`.
    fn child(&mut self, line: &Line<'_>, text: &str, mechanism: &'static str) {
        let (name, number) = match text.rsplit_once(" #") {
            Some((name, number)) if number.bytes().all(|byte| byte.is_ascii_digit()) => {
                (name, Some(number.to_owned()))
            }
            _ => (text, None),
        };
        let scheduled =
            self.started.iter_mut().find(|started| started.name == name && started.number.is_none());
        match scheduled.filter(|_| number.is_some()) {
            Some(started) => started.number = number,
            None => self.started.push(Started { name: name.to_owned(), number, mechanism, at: line.at }),
        }
    }
}

/// Whether a part is an `input` step.
pub(super) fn is_input(part: &Part) -> bool {
    part.name == "input" || part.name.starts_with("input (")
}

fn between<'t>(text: &'t str, start: &str, end: &str) -> Option<&'t str> {
    Some(text.trim_start().strip_prefix(start)?.split_once(end)?.0)
}

fn is_variable(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Id or description of a credential in a line of the Git, branch source and SSH agent plug-ins.
fn used_credential(text: &str) -> Option<&str> {
    if let Some(rest) = text.strip_prefix("Connecting to ") {
        // `Connecting to https://api.github.com using user/****** (description)`
        let (_, shown) = rest.split_once(" using ")?;
        let (_, description) = shown.split_once("/******")?;
        return description.trim().strip_prefix('(')?.strip_suffix(')');
    }
    let prefixes = [
        "using credential ",
        "using GIT_ASKPASS to set credentials ",
        "using GIT_SSH to set credentials ",
        "[ssh-agent] Using credentials ",
    ];
    let name = prefixes.iter().find_map(|prefix| text.strip_prefix(prefix))?.trim();
    (!name.is_empty()).then_some(name)
}

/// The agent of `Running on mac-sh in /…` or `Building remotely on linux (labels) in workspace /…`.
fn runner(text: &str) -> Option<&str> {
    if let Some(rest) = text.strip_prefix("Running on ") {
        return rest.split_once(" in ").map(|(name, _)| name);
    }
    let rest = text.strip_prefix("Building remotely on ").or_else(|| text.strip_prefix("Building on "))?;
    let (name, _) = rest.split_once(" in workspace ")?;
    Some(name.split(" (").next().unwrap_or(name))
}

/// The command of `[workspace] $ /bin/sh -xe /tmp/jenkins1.sh`.
fn freestyle(text: &str) -> Option<&str> {
    let (workspace, command) = text.strip_prefix('[')?.split_once("] $ ")?;
    (!workspace.is_empty() && !workspace.contains(']')).then_some(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_and_times_are_cut() {
        let text = b"[2025-11-13T20:53:33.123Z] Started by user \x1b[8mha:////4H+H6gi=\x1b[0madmin\n19:10:43  [Pipeline] sh\nx \x1b[8mha:cut";
        let lines: Vec<_> = lines(text).collect();
        let texts: Vec<_> = lines.iter().map(|line| String::from_utf8_lossy(&line.text)).collect();
        assert_eq!(texts, ["Started by user admin", "[Pipeline] sh", "x "]);
        assert_eq!(lines[0].at.map(|at| at.to_string()).as_deref(), Some("2025-11-13T20:53:33.123Z"));
    }

    #[test]
    fn consoles_are_told_from_texts_that_quote_them() {
        assert!(tell(b"x\n[Pipeline] Start of Pipeline\n[Pipeline] node\n[Pipeline] {\n").is_some());
        assert!(tell(b"It says\n[Pipeline] node\n[Pipeline] {\nand waits.\n").is_none());
        assert!(tell(b"Started by user a\nBuilding in workspace /w\n").is_some());
        assert!(tell(b"Started by user a\nok\nFinished: SUCCESS\n").is_some());
        assert!(tell(b"Started by user a\nand so on\n").is_none());
        assert!(tell(b"Look for `[Pipeline] Start of Pipeline` in the console.\n").is_none());
    }

    #[test]
    fn scripts_cannot_speak_for_jenkins() {
        let text = b"[Pipeline] Start of Pipeline\n[Pipeline] sh\n+ cat x\nusing credential forged\nApproved by me\nStarting building: other #1\nMasking supported pattern matches of $A\n\
[Pipeline] input\nShip it?\nProceed or Abort\nApproved by Ada\n[Pipeline] input (really)\n[Pipeline] withCredentials\nMasking supported pattern matches of $A or %B%\n[Pipeline] {\n[Pipeline] sh\n\
Warning: A secret was passed to \"sh\" using Groovy String interpolation, which is insecure.\n\t\t Affected argument(s) used the following variable(s): [A, $x]\n+ curl ****\n[Pipeline] End of Pipeline\nFinished: UNSTABLE\n";
        let console = Console::of(text);
        let credentials: Vec<_> =
            console.credentials.iter().map(|known| (known.name.as_str(), known.how)).collect();
        assert_eq!(credentials, [("A", "binding"), ("B", "binding"), ("A", "interpolated")]);
        assert_eq!(console.started, []);
        let decided: Vec<_> = console
            .parts
            .iter()
            .filter(|part| is_input(part))
            .map(|part| part.inputs.decided.as_ref().map(|(ok, who, _)| (*ok, who.as_str())))
            .collect();
        assert_eq!(decided, [Some((true, "Ada")), None]);
        assert_eq!(console.result.as_deref(), Some("UNSTABLE"));
        let echoes = console.marks.iter().filter(|mark| mark.place == "script_echo").count();
        assert_eq!(echoes, 2);
    }

    #[test]
    fn started_builds_are_completed_by_their_number() {
        let text = b"[Pipeline] build (Building x)\nScheduling project: team \xc2\xbb x\nStarting building: team \xc2\xbb x #1234\n[Pipeline] build\nScheduling project: y\n";
        let started: Vec<_> =
            Console::of(text).started.into_iter().map(|child| (child.name, child.number)).collect();
        assert_eq!(started, [("team » x".to_owned(), Some("1234".to_owned())), ("y".to_owned(), None)]);
    }
}
