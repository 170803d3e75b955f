//! What the trace of one job says of it and its sections.

use super::dispatch::{self, Sent};
use super::place::Place;
use super::trace::{self, Line, lines, marker, titled};
use leakgraph_model::Timestamp;

/// Beyond this many marks, lines of a section share the last one.
const MAX_MARKS: usize = 20_000;
/// Commands and values beyond this are no names.
const MAX_SHOWN_BYTES: usize = 16 << 10;
/// Sections inside sections.
const MAX_DEPTH: usize = 64;

/// A section: a step of the job.
#[derive(Debug, Default)]
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) kind: &'static str,
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) ended_at: Option<Timestamp>,
    pub(crate) script_bytes: usize,
}

/// A variable the trace shows.
#[derive(Debug)]
pub(crate) struct Bound {
    pub(crate) part: usize,
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) offset: usize,
}

/// From `offset` on, lines belong to this part and place.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PartMark {
    pub(crate) offset: usize,
    pub(crate) part: Option<usize>,
    pub(crate) place: &'static str,
    pub(crate) name: Option<String>,
    pub(crate) at: Option<Timestamp>,
}

/// A handoff, its section and time, and the pipeline it printed.
#[derive(Debug)]
pub(crate) struct Handed {
    pub(crate) sent: Sent,
    pub(crate) part: usize,
    pub(crate) at: Option<Timestamp>,
    pub(crate) child: Option<Place>,
}

/// One trace, read.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    pub(crate) runner_version: Option<String>,
    pub(crate) runner_name: Option<String>,
    pub(crate) head_ref: Option<String>,
    pub(crate) parts: Vec<Part>,
    pub(crate) marks: Vec<PartMark>,
    pub(crate) bound: Vec<Bound>,
    pub(crate) handed: Vec<Handed>,
    /// success, failure or cancelled, by the last line.
    pub(crate) conclusion: Option<&'static str>,
    first_at: Option<Timestamp>,
    last_at: Option<Timestamp>,
    open: Vec<usize>,
    /// Whether an API call was the last command: what it prints may name its pipeline.
    awaits_child: bool,
}

impl Trace {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let has_sections = memchr::memmem::find(bytes, b"section_start:").is_some();
        let has_colours = memchr::memchr(0x1b, bytes).is_some();
        let mut trace = Self::default();
        let mut all = lines(bytes).peekable();
        let mut last = None;
        while let Some(line) = all.next() {
            if let Some(marker) = marker(line.text) {
                trace.section(&line, &marker);
                continue;
            }
            let title = (!has_sections).then(|| titled(line.text, all.peek())).flatten();
            if let Some(name) = title {
                trace.open.clear();
                trace.start(&line, name, line.at);
                // Its duration is no text of the job.
                all.next();
                continue;
            }
            trace.line(&line, has_colours);
            last = Some(line);
        }
        let last = last.map(|line| line.shown().into_owned()).unwrap_or_default();
        trace.conclusion = conclusion(&last);
        trace
    }

    pub(crate) fn started_at(&self) -> Option<Timestamp> {
        self.first_at.or_else(|| self.parts.first().and_then(|part| part.started_at))
    }

    pub(crate) fn ended_at(&self) -> Option<Timestamp> {
        self.last_at.or_else(|| self.parts.iter().filter_map(|part| part.ended_at).max())
    }

    /// A predefined variable, as `CI_DEBUG_TRACE` shows it before any script runs.
    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        let is_setup = |bound: &&Bound| self.parts.get(bound.part).is_some_and(|part| part.kind == "setup");
        let found = self.bound.iter().filter(is_setup).find(|bound| bound.name == name);
        found
            .map(|bound| bound.value.as_str())
            .filter(|value| !value.is_empty() && !value.contains("[MASKED]"))
    }

    fn section(&mut self, line: &Line<'_>, marker: &trace::Marker<'_>) {
        if marker.is_start {
            self.start(line, marker.name, Some(marker.at));
            return;
        }
        let is_named = |part: &usize| self.parts.get(*part).is_some_and(|part| part.name == marker.name);
        if let Some(depth) = self.open.iter().rposition(is_named) {
            for part in self.open.drain(depth..) {
                if let Some(part) = self.parts.get_mut(part) {
                    part.ended_at = Some(marker.at);
                }
            }
        }
        self.mark(line, "log", None);
    }

    fn start(&mut self, line: &Line<'_>, name: &str, at: Option<Timestamp>) {
        let part = Part { name: name.to_owned(), kind: trace::kind(name), started_at: at, ..Part::default() };
        self.parts.push(part);
        if self.open.len() < MAX_DEPTH {
            self.open.push(self.parts.len() - 1);
        }
        self.mark(line, "log", None);
    }

    fn mark(&mut self, line: &Line<'_>, place: &'static str, name: Option<String>) {
        let part = self.open.last().copied();
        let is_same = self.marks.last().is_some_and(|last| {
            last.part == part
                && last.place == place
                && last.name == name
                && (line.at.is_none() || last.at == line.at)
        });
        if !is_same && self.marks.len() < MAX_MARKS {
            self.marks.push(PartMark { offset: line.offset, part, place, name, at: line.at });
        }
    }

    fn line(&mut self, line: &Line<'_>, has_colours: bool) {
        if line.at.is_some() {
            self.last_at = line.at;
            self.first_at = self.first_at.or(self.last_at);
        }
        let kind = self.open.last().and_then(|part| self.parts.get(*part)).map_or("", |part| part.kind);
        if matches!(kind, "" | "setup") {
            self.header(&line.shown());
        }
        // The runner echoes commands in bold green; without colours `$ ` is all there is.
        let is_echo = !has_colours
            || line.raw.starts_with(b"\x1b[32;1m$ ")
            || line.raw.starts_with(b"\x1b[0K\x1b[32;1m$ ");
        if line.text.starts_with(b"$ ") && is_echo && !self.open.is_empty() {
            self.mark(line, "script_echo", None);
            self.command(line);
            return;
        }
        if let Some((name, value)) = variable(line) {
            self.mark(line, "env_binding", Some(name.clone()));
            if let Some(part) = self.open.last() {
                self.bound.push(Bound { part: *part, name, value, offset: line.offset });
            }
            return;
        }
        self.mark(line, "log", None);
        if self.awaits_child && memchr::memmem::find(line.text, b"/pipelines/").is_some() {
            self.child(&line.shown());
        }
    }

    fn command(&mut self, line: &Line<'_>) {
        let Some(index) = self.open.last().copied() else { return };
        let shown = line.shown();
        let command = shown.strip_prefix("$ ").unwrap_or(&shown);
        if let Some(part) = self.parts.get_mut(index) {
            part.script_bytes += command.len() + 1;
        }
        let sent = Some(command).filter(|command| command.len() < MAX_SHOWN_BYTES).and_then(dispatch::sent);
        self.awaits_child = sent.as_ref().is_some_and(|sent| sent.mechanism == "api_other");
        if let Some(sent) = sent {
            let at = line.at.or_else(|| self.parts.get(index).and_then(|part| part.started_at));
            self.handed.push(Handed { sent, part: index, at, child: None });
        }
    }

    fn child(&mut self, text: &str) {
        let place = Some(text).filter(|text| text.len() < MAX_SHOWN_BYTES).and_then(dispatch::printed);
        if let (Some(place), Some(handed)) = (place, self.handed.last_mut()) {
            handed.child = Some(place);
            self.awaits_child = false;
        }
    }

    /// Lines of the runner itself, before any script (gitlab-runner, `common/build.go`).
    fn header(&mut self, text: &str) {
        if self.runner_version.is_none()
            && let Some((_, version)) =
                text.split_once("Running with ").and_then(|(_, rest)| rest.split_once("-runner "))
        {
            self.runner_version = version.split_whitespace().next().map(str::to_owned);
        } else if let Some(rest) = text.strip_prefix("  on ").filter(|_| self.runner_name.is_none()) {
            // `<description> <short token>, system ID: <id>`
            let named = rest.split(", system ID: ").next().unwrap_or(rest);
            self.runner_name = named.rsplit_once(' ').map(|(name, _)| name.to_owned());
        } else if let Some(rest) = text.strip_prefix("Checking out ") {
            self.head_ref = checked_out(rest).map(str::to_owned);
        }
    }

    /// hosted, self_hosted or unknown. GitLab.com's own runners are named after their manager
    /// (GitLab, "GitLab-hosted runners").
    pub(crate) fn runner_kind(&self) -> &'static str {
        self.runner_name.as_deref().map_or("unknown", runner_kind)
    }
}

/// hosted, or unknown, by a runner's description.
pub(crate) fn runner_kind(description: &str) -> &'static str {
    let is_hosted = description.contains("runners-manager.gitlab.com")
        || description.contains("shared-runners-manager") && description.contains(".gitlab.com");
    if is_hosted { "hosted" } else { "unknown" }
}

/// The ref of `73cbabd4 as detached HEAD (ref is main)...` or, before 15.5, `73cbabd4 as main...`.
fn checked_out(text: &str) -> Option<&str> {
    let (_, name) = text.split_once(" as ")?;
    let name = name.strip_suffix("...").unwrap_or(name);
    match name.split_once("(ref is ") {
        Some((_, name)) => name.strip_suffix(')'),
        None => Some(name),
    }
}

fn conclusion(last: &str) -> Option<&'static str> {
    if last.starts_with("Job succeeded") {
        Some("success")
    } else if last.starts_with("ERROR: Job failed: canceled") || last.starts_with("WARNING: Job canceled") {
        Some("cancelled")
    } else if last.starts_with("ERROR: Job failed") {
        Some("failure")
    } else {
        None
    }
}

/// `++ export NAME=value` of a debug trace (GitLab, "Debug logging"), or `NAME=[MASKED]` of
/// any dump of the environment.
fn variable(line: &Line<'_>) -> Option<(String, String)> {
    let is_export = line.text.starts_with(b"++ export ");
    if !is_export && memchr::memmem::find(line.text, b"=[MASKED]").is_none()
        || line.text.len() > MAX_SHOWN_BYTES
    {
        return None;
    }
    let shown = line.shown();
    let text = shown.strip_prefix("++ export ").unwrap_or(&shown);
    let (name, value) = text.split_once('=')?;
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let value = value.strip_prefix('$').filter(|rest| rest.starts_with('\'')).unwrap_or(value);
    let value = value.trim_matches(['\'', '"']);
    (is_name && (is_export || value == "[MASKED]")).then(|| (name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_nest_and_commands_are_theirs() {
        let text = b"\x1b[0KRunning with gitlab-runner 16.3.3 (ed9cebb1)\x1b[0;m\n\
\x1b[0K  on blue-3.saas-linux-small-amd64.runners-manager.gitlab.com/default abc, system ID: s_1\x1b[0;m\n\
section_start:10:get_sources\r\x1b[0K\x1b[32;1mChecking out 73cbabd4 as detached HEAD (ref is main)...\x1b[0;m\n\
section_end:11:get_sources\r\x1b[0Ksection_start:11:step_script\r\x1b[0K\x1b[0KExecuting\n\
\x1b[32;1m$ make\x1b[0;m\n$ not a command\nsection_start:12:mine[collapsed=true]\r\x1b[0Ktitle\nsection_end:13:mine\r\x1b[0K\n\
DB_PASSWORD=[MASKED]\nsection_end:14:step_script\r\x1b[0K\x1b[32;1mJob succeeded\n\x1b[0;m";
        let trace = Trace::of(text);
        let parts: Vec<_> =
            trace.parts.iter().map(|part| (part.name.as_str(), part.kind, part.script_bytes)).collect();
        assert_eq!(parts, [("get_sources", "setup", 0), ("step_script", "run", 5), ("mine", "section", 0)]);
        assert_eq!(trace.parts[1].ended_at, Some(Timestamp::from_seconds(14)));
        assert_eq!((trace.conclusion, trace.runner_kind()), (Some("success"), "hosted"));
        assert_eq!(
            (trace.runner_version.as_deref(), trace.head_ref.as_deref()),
            (Some("16.3.3"), Some("main"))
        );
        let places: Vec<_> = trace.marks.iter().map(|mark| (mark.part, mark.place)).collect();
        let step = Some(1);
        let expected = [
            (None, "log"),
            (Some(0), "log"),
            (None, "log"),
            (step, "log"),
            (step, "script_echo"),
            (step, "log"),
            (Some(2), "log"),
            (step, "log"),
            (step, "env_binding"),
            (None, "log"),
        ];
        assert_eq!(places, expected);
        assert_eq!((trace.bound[0].name.as_str(), trace.bound[0].part), ("DB_PASSWORD", 1));
    }

    #[test]
    fn debug_traces_name_the_job_before_scripts_run() {
        let text = b"section_start:1:prepare_script\r\x1b[0K\n++ export CI_JOB_ID=7046507\n++ CI_JOB_ID=7046507\n\
++ export CI_JOB_NAME=$'a b'\nsection_end:2:prepare_script\nsection_start:2:step_script\n++ export CI_PIPELINE_ID=1\n";
        let trace = Trace::of(text);
        assert_eq!(trace.variable("CI_JOB_ID"), Some("7046507"));
        assert_eq!(trace.variable("CI_JOB_NAME"), Some("a b"));
        assert_eq!(trace.variable("CI_PIPELINE_ID"), None, "a script can print it");
    }

    #[test]
    fn an_answer_names_the_pipeline_it_started() {
        let text = b"section_start:1:step_script\n$ curl -F token=$CI_JOB_TOKEN -F ref=main https://g.example.com/api/v4/projects/9/trigger/pipeline\n\
{\"id\":47,\"avatar_url\":\"https://x.example.com/y\",\"web_url\":\"https://g.example.com/a/b/-/pipelines/47\"}\n$ ls\nhttps://g.example.com/a/b/-/pipelines/48\n";
        let trace = Trace::of(text);
        let children: Vec<_> =
            trace.handed.iter().map(|handed| handed.child.as_ref().and_then(Place::run_key)).collect();
        assert_eq!(children, [Some(super::super::place::run_key("a/b", "47"))]);
    }
}
