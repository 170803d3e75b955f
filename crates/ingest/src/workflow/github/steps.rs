//! Steps of a job log: headers, bindings, script echo, places of bytes.
//!
//! A step's header is `##[group]Run X`, the echoed script (`ESC[36;1m…`), `shell:`,
//! then `with:` and `env:` blocks of two-space `key: value` lines
//! (actions/runner `Handler.cs`, `ScriptHandler.cs`).

use super::log::{Line, line_at, lines, plain, plain_in, push_plain};
use super::setup::Setup;
use crate::Mark;
use aho_corasick::{AhoCorasick, packed};
use leakgraph_model::Timestamp;
use std::sync::LazyLock;

/// A value handed to a step.
#[derive(Clone, Debug)]
pub(crate) struct Bound {
    pub(crate) place: &'static str,
    pub(crate) name: String,
    pub(crate) state: &'static str,
    /// The shown value; only for classification, never stored.
    pub(crate) value: String,
    pub(crate) offset: usize,
}

/// One step as read.
#[derive(Clone, Debug, Default)]
pub(crate) struct StepPart {
    pub(crate) number: Option<i64>,
    pub(crate) name: String,
    pub(crate) kind: &'static str,
    pub(crate) uses: Option<String>,
    pub(crate) shell: Option<String>,
    pub(crate) script: String,
    pub(crate) bound: Vec<Bound>,
    /// Output text that mentions dispatches, runs or roles, without ANSI.
    pub(crate) notable: Vec<String>,
    /// `Set output` (true) and `Skip output` (false) of the job's end.
    pub(crate) outputs: Vec<(String, bool)>,
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) ended_at: Option<Timestamp>,
    pub(crate) failed: bool,
    /// Changes of place inside the step.
    pub(crate) marks: Vec<Mark>,
}

/// Whether a line begins a step in a whole-job log.
fn begins_step(text: &[u8]) -> Option<(&'static str, String)> {
    if let Some(title) = text.strip_prefix(b"##[group]Run ") {
        let title = String::from_utf8_lossy(&plain(title)).into_owned();
        return Some(("run", format!("Run {title}")));
    }
    if text == b"Post job cleanup." {
        return Some(("post", "Post job cleanup.".to_owned()));
    }
    let ends = text == b"Evaluate and set job outputs" || text == b"Cleaning up orphan processes";
    ends.then(|| ("complete", "Complete job".to_owned()))
}

/// Splits the lines after the setup section into steps, by order.
pub(crate) fn split(lines: &[Line<'_>]) -> Vec<StepPart> {
    let mut starts = Vec::new();
    let mut in_header = false;
    let mut complete = false;
    for (index, line) in lines.iter().enumerate() {
        match begins_step(line.text) {
            Some(("complete", _)) if complete => {}
            Some((kind, name)) if !in_header => {
                complete |= kind == "complete";
                in_header = kind == "run";
                starts.push((index, kind, name));
            }
            _ => {}
        }
        if line.text.starts_with(b"##[endgroup]") {
            in_header = false;
        }
    }
    let ends = starts.iter().skip(1).map(|start| start.0).chain([lines.len()]);
    starts
        .iter()
        .zip(ends)
        .map(|((start, kind, name), end)| {
            part(lines.get(*start..end).unwrap_or_default(), kind, name.clone())
        })
        .collect()
}

/// Reads the lines of one step. Only its first `##[group]Run` is its header: further
/// ones come from the inner steps of a composite action.
pub(crate) fn part(lines: &[Line<'_>], kind: &'static str, name: String) -> StepPart {
    let mut step = StepPart {
        name,
        kind,
        started_at: lines.first().and_then(Line::at),
        ended_at: lines.last().and_then(Line::at),
        ..StepPart::default()
    };
    let mut block = Block::Output;
    let mut place = "";
    let mut buffer = Vec::new();
    for line in lines {
        let text = plain_in(line.text, &mut buffer);
        block = step.line(line, text, block);
        let (now, name) = match &block {
            Block::Output => ("log", None),
            Block::Script => ("script_echo", None),
            Block::With(name) => ("with_binding", name.clone()),
            Block::Env(name) => ("env_binding", name.clone()),
        };
        if now != place || name.is_some() {
            step.marks.push(Mark { offset: line.offset, step_key: None, place: now, name, at: None });
            place = now;
        }
    }
    step.uses = step.action();
    if step.kind == "run" && step.uses.is_some() {
        step.kind = "action";
    }
    step
}

/// What output says of dispatches, runs and roles.
const NOTABLE: [&str; 8] = [
    "subject claim - ",
    "/actions/runs/",
    "/dispatches",
    "gh workflow run",
    "workflow_dispatch event",
    "assumedRoleId",
    "assumed-role/",
    "Assuming role",
];
/// Longer lines are data, not messages.
const MAX_NOTABLE_BYTES: usize = 4096;
const SET_OUTPUT: &str = "Set output '";
const SKIP_OUTPUT: &str = "Skip output '";

/// All that is looked for in output.
static TOLD: LazyLock<AhoCorasick> =
    LazyLock::new(|| AhoCorasick::new(output_words()).expect("constant words"));

fn output_words() -> impl Iterator<Item = &'static &'static str> {
    NOTABLE.iter().chain([&SET_OUTPUT, &SKIP_OUTPUT])
}

/// What lines that begin steps, groups and commands have, or that end the setup section.
const STEP_WORDS: [&str; 5] = [
    "##[",
    "Post job cleanup.",
    "Evaluate and set job outputs",
    "Cleaning up orphan processes",
    "Complete job name: ",
];

/// All that makes a line more than plain output. Vectors find such words ten times as fast as
/// an automaton; not every machine has them.
static TELLING: LazyLock<(AhoCorasick, Option<packed::Searcher>)> = LazyLock::new(|| {
    let words = || output_words().chain(&STEP_WORDS);
    (AhoCorasick::new(words()).expect("constant words"), packed::Searcher::new(words()))
});

/// Offsets of these words.
fn told(text: &[u8]) -> Vec<usize> {
    match &*TELLING {
        (_, Some(vectors)) => vectors.find_iter(text).map(|found| found.start()).collect(),
        (automaton, None) => automaton.find_iter(text).map(|found| found.start()).collect(),
    }
}

/// The lines of a log that tell something of its steps: all of the setup section and of the
/// headers of steps, lines with commands or notable words, the first and the last of each step.
/// Nearly all others are plain output, and one search of the whole text is faster than a look
/// at each of them.
pub(crate) fn telling(text: &[u8]) -> Vec<Line<'_>> {
    let mut kept = Telling { text, kept: Vec::new(), done: 0, in_header: false };
    let told = told(text);
    let has_setup = memchr::memmem::find(text, Setup::RUNNER).is_some()
        || told.iter().any(|at| Setup::TELLS.iter().any(|tell| text[*at..].starts_with(tell)));
    for line in lines(text).take(Setup::MAX_LINES) {
        kept.push(line);
        if !has_setup || Setup::ends_at(line.text) {
            break;
        }
    }
    kept.header();
    let coloured = coloured(text);
    let mut coloured = coloured.iter().copied().peekable();
    let mut told = told.into_iter().peekable();
    loop {
        while told.next_if(|at| *at < kept.done).is_some() {}
        while coloured.next_if(|at| *at < kept.done).is_some() {}
        let next = [told.peek(), coloured.peek()].into_iter().flatten().min();
        let Some(line) = next.and_then(|at| line_at(text, *at)) else { break };
        if begins_step(line.text).is_some() {
            kept.before(line.offset);
        }
        kept.push(line);
        kept.header();
    }
    kept.before(text.len() + usize::from(!text.ends_with(b"\n")));
    kept.kept
}

/// Where lines begin that have colours and, without them, such a word: colours may cut it.
fn coloured(text: &[u8]) -> Vec<usize> {
    let mut plain = Vec::new();
    // Where a line begins without its colours, and with them.
    let mut begins = Vec::new();
    let mut from = 0;
    while let Some(at) = text.get(from..).and_then(|rest| memchr::memchr(0x1b, rest)) {
        let at = from + at;
        let Some(begin) = text.get(from..at).map(|before| memchr::memrchr(b'\n', before)) else { break };
        let begin = begin.map_or(from, |end| from + end + 1);
        let rest = text.get(at..).unwrap_or_default();
        let end = memchr::memchr(b'\n', rest).map_or(text.len(), |end| at + end);
        begins.push((plain.len(), begin));
        push_plain(text.get(begin..end).unwrap_or_default(), &mut plain);
        plain.push(b'\n');
        from = end + 1;
    }
    let mut lines: Vec<usize> = told(&plain)
        .into_iter()
        .filter_map(|at| begins.get(begins.partition_point(|(begin, _)| *begin <= at).checked_sub(1)?))
        .map(|(_, begin)| *begin)
        .collect();
    lines.dedup();
    lines
}

/// Lines that were kept, in order.
struct Telling<'a> {
    text: &'a [u8],
    kept: Vec<Line<'a>>,
    /// Up to here lines were looked at.
    done: usize,
    /// Whether the header of a step is not at its end.
    in_header: bool,
}

impl<'a> Telling<'a> {
    fn push(&mut self, line: Line<'a>) {
        let text = plain(line.text);
        self.in_header =
            text.starts_with(b"##[group]Run ") || self.in_header && !text.starts_with(b"##[endgroup]");
        self.done = line.end + 1;
        self.kept.push(line);
    }

    /// The line before the one that begins at `offset`, if it is not there yet: a step ends
    /// with it.
    fn before(&mut self, offset: usize) {
        let last = offset.checked_sub(1).filter(|end| *end >= self.done);
        if let Some(line) = last.and_then(|end| line_at(self.text, end)) {
            self.push(line);
        }
    }

    /// The rest of a header.
    fn header(&mut self) {
        while self.in_header
            && let Some(line) = line_at(self.text, self.done)
        {
            self.push(line);
        }
    }
}

/// Where in a step we are.
enum Block {
    Output,
    Script,
    With(Option<String>),
    Env(Option<String>),
}

impl StepPart {
    fn line(&mut self, line: &Line<'_>, text: &[u8], block: Block) -> Block {
        if text.starts_with(b"##[endgroup]") {
            return Block::Output;
        }
        if text.starts_with(b"##[group]Run ")
            && self.bound.is_empty()
            && self.script.is_empty()
            && self.shell.is_none()
        {
            self.header(text);
            return Block::Script;
        }
        if text.starts_with(b"##[error]") {
            self.failed = true;
        }
        match block {
            Block::Output => {
                self.output(text);
                Block::Output
            }
            _ if text == b"with:" => Block::With(None),
            _ if text == b"env:" => Block::Env(None),
            Block::Script => {
                match text.strip_prefix(b"shell: ") {
                    Some(shell) => self.shell = Some(String::from_utf8_lossy(shell).into_owned()),
                    None if line.text.starts_with(b"\x1b[36;1m") => {
                        self.script.push_str(&String::from_utf8_lossy(text));
                        self.script.push('\n');
                    }
                    None => {}
                }
                Block::Script
            }
            Block::With(name) => Block::With(self.bind("with", line, text).or(name)),
            Block::Env(name) => Block::Env(self.bind("env", line, text).or(name)),
        }
    }

    fn header(&mut self, text: &[u8]) {
        if self.name.is_empty() {
            self.name = String::from_utf8_lossy(text.strip_prefix(b"##[group]").unwrap_or(text)).into_owned();
        }
        let title = text.strip_prefix(b"##[group]Run ").unwrap_or_default();
        self.uses = Some(String::from_utf8_lossy(title).trim().to_owned());
    }

    /// Records `  key: value`; gives the name.
    fn bind(&mut self, place: &'static str, line: &Line<'_>, text: &[u8]) -> Option<String> {
        // A script handed to an action goes on over lines; what it sends is of interest.
        if let Some(script) = self.bound.last_mut().filter(|bound| line.continues && bound.name == "script") {
            script.value.push('\n');
            script.value.push_str(&String::from_utf8_lossy(text));
            return None;
        }
        let text = String::from_utf8_lossy(text.strip_prefix(b"  ")?);
        let (name, value) = text.split_once(':')?;
        let is_name = !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
        if !is_name || line.continues && line.stamp.is_some() {
            return None;
        }
        let value = value.strip_prefix(' ').unwrap_or(value).to_owned();
        let state = match value.as_str() {
            "" => "empty",
            "***" => "masked",
            other if other.contains("***") => "partial",
            _ => "clear",
        };
        self.bound.push(Bound { place, name: name.to_owned(), state, value, offset: line.offset });
        Some(name.to_owned())
    }

    fn output(&mut self, text: &[u8]) {
        // Most lines come here for a group or a colour, and nearly none says any of this.
        if !TOLD.is_match(text) {
            return;
        }
        let shown = String::from_utf8_lossy(text);
        if NOTABLE.iter().any(|word| shown.contains(word)) && text.len() < MAX_NOTABLE_BYTES {
            self.notable.push(shown.clone().into_owned());
        }
        if let Some(name) = quoted(&shown, SET_OUTPUT) {
            self.outputs.push((name, true));
        } else if let Some(name) = quoted(&shown, SKIP_OUTPUT) {
            self.outputs.push((name, false));
        }
    }

    /// The action of an action step: `owner/name[/path]@ref`, `./local` or `docker://…`.
    fn action(&self) -> Option<String> {
        let title = self.uses.as_deref()?;
        let first = title.split_whitespace().next()?;
        let is_reference = first == title
            && (first.starts_with("./")
                || first.starts_with("docker://")
                || first.split_once('@').is_some_and(|(action, reference)| {
                    !reference.is_empty() && action.contains('/') && !action.contains(['"', '\'', '$', ':'])
                }));
        is_reference.then(|| first.to_owned())
    }
}

/// The quoted name after `before`, where the line is `…before<name>'…`.
fn quoted(text: &str, before: &str) -> Option<String> {
    let (_, rest) = text.split_once(before)?;
    Some(rest.split_once('\'')?.0.to_owned())
}

/// How an action reference is pinned.
pub(crate) fn pinned(uses: &str) -> &'static str {
    if uses.starts_with("./") {
        return "local";
    }
    if uses.starts_with("docker://") {
        return "docker";
    }
    let reference = uses.split_once('@').map_or("", |(_, reference)| reference);
    let is_sha = matches!(reference.len(), 40 | 64) && reference.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_tag = reference.trim_start_matches('v').starts_with(|first: char| first.is_ascii_digit());
    if is_sha {
        "sha"
    } else if is_tag {
        "tag"
    } else {
        "branch"
    }
}

/// What a variable of this name usually holds.
pub(crate) fn guess(name: &str) -> &'static str {
    let name = name.to_ascii_uppercase();
    let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
    if has(&["AWS_", "AZURE_", "GCP_", "GOOGLE_", "ARM_"]) && has(&["KEY", "SECRET", "CREDENTIAL", "TOKEN"]) {
        "cloud_key"
    } else if has(&["DOCKER", "REGISTRY", "NPM_", "PYPI", "NUGET"]) && has(&["TOKEN", "PASS", "AUTH", "KEY"])
    {
        "registry"
    } else if has(&["SSH", "DEPLOY_KEY", "PRIVATE_KEY"]) {
        "ssh_key"
    } else if has(&["GITHUB_TOKEN", "GH_TOKEN", "GITLAB", "_PAT"]) || name == "TOKEN" {
        "scm_token"
    } else if has(&["WEBHOOK"]) {
        "webhook"
    } else if has(&["OPENAI", "ANTHROPIC", "GEMINI", "HF_TOKEN"]) {
        "ai_key"
    } else if has(&["DATABASE_URL", "DB_", "POSTGRES", "MYSQL", "MONGO", "REDIS"]) {
        "db"
    } else if has(&["TOKEN", "SECRET", "PASSWORD", "PASSWD", "API_KEY", "APIKEY", "CREDENTIAL"]) {
        "generic"
    } else {
        "none"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"##[group]Run actions/checkout@v4\nwith:\n  repository: o/r\n  token: ***\nenv:\n  EMPTY: \n##[endgroup]\nSyncing\n\
##[group]Run make deploy\n\x1b[36;1mmake deploy\x1b[0m\nshell: /usr/bin/bash -e {0}\nenv:\n  URL: https://u:***@host\n##[endgroup]\nok\n\
Post job cleanup.\nEvaluate and set job outputs\nSet output 'version'\nCleaning up orphan processes\n";

    #[test]
    fn steps_are_split_by_order() {
        let lines: Vec<_> = lines(TEXT).collect();
        let steps = split(&lines);
        let kinds: Vec<_> = steps.iter().map(|step| step.kind).collect();
        assert_eq!(kinds, ["action", "run", "post", "complete"]);
        let states: Vec<_> = steps[0].bound.iter().map(|bound| (bound.name.as_str(), bound.state)).collect();
        assert_eq!(states, [("repository", "clear"), ("token", "masked"), ("EMPTY", "empty")]);
        assert_eq!(steps[1].script, "make deploy\n");
        assert_eq!(steps[1].bound[0].state, "partial");
        assert_eq!(steps[3].outputs, [("version".to_owned(), true)]);
    }

    const KINDS: [&str; 18] = [
        "compiling",
        "",
        "##[group]Run actions/checkout@v4",
        "##[group]Run make\r",
        "\u{1b}[36;1mmake deploy\u{1b}[0m",
        "\u{1b}[1m##[group]Run make\u{1b}[0m",
        "shell: /usr/bin/bash -e {0}",
        "with:",
        "env:",
        "  TOKEN: ***",
        "##[endgroup]",
        "##[error]Process completed with exit code 1.",
        "gh workflow\u{1b}[0m run deploy.yml",
        "Set output 'version'",
        "Post job cleanup.",
        "Cleaning up orphan processes",
        "Current runner version: '2.3'",
        "Complete job name: build",
    ];

    proptest::proptest! {
        #[test]
        fn telling_lines_tell_as_much_as_all_lines(
            kinds in proptest::collection::vec((0_usize..KINDS.len(), proptest::bool::ANY), 0..40),
            common: bool,
            has_end: bool,
            is_late: bool,
        ) {
            let before = if is_late { Setup::MAX_LINES - 10 } else { 0 };
            let mut text = format!("##[group]Image\n{}", "compiling\n".repeat(before));
            for (number, (kind, is_stamped)) in kinds.iter().enumerate() {
                let kind = if common && number % 3 > 0 { 0 } else { *kind };
                let stamp = format!("2026-10-01T10:00:{:02}.0000000Z ", number % 60);
                text += &format!("{}{}\n", if *is_stamped { &stamp } else { "" }, KINDS[kind]);
            }
            let text = if has_end { text.as_str() } else { text.trim_end_matches('\n') };
            let all: Vec<_> = lines(text.as_bytes()).collect();
            let told = telling(text.as_bytes());
            let read = |lines: &[Line<'_>]| {
                let (setup, count) = Setup::parse(lines);
                let (head, rest) = lines.split_at(count);
                let parts = [part(head, "setup", "Set up job".to_owned()), part(lines, "run", String::new())];
                format!("{setup:?} {} {parts:?} {:?}", head.is_empty(), split(rest))
            };
            proptest::prop_assert_eq!(read(&told), read(&all));
        }
    }

    #[test]
    fn references_are_judged_by_form() {
        assert_eq!(pinned("a/b@34e114876b0b11c390a56381ad16ebd13914f8d5"), "sha");
        assert_eq!((pinned("a/b@v4"), pinned("a/b@main"), pinned("./x")), ("tag", "branch", "local"));
    }
}
