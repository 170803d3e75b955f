//! The parts of a job's log that are its steps, for services that mark them in the text.

use super::github::steps::{guess, pinned};
use crate::limits::Limits;
use crate::reader::{Content, source_file};
use crate::{Mark, TextContext, TextSink};
use leakgraph_model::tables::{Binding, Problem, SecretPassed, Step};
use leakgraph_model::{Evidence, Key, Timestamp};

/// What services write for a secret: GitHub and Azure `***`, GitLab `[MASKED]`, Travis
/// `[secure]`, Buildkite `[REDACTED]`, CircleCI `****` and `**REDACTED**`.
const MASKS: [&str; 5] = ["***", "[MASKED]", "[secure]", "**REDACTED**", "[REDACTED]"];

/// masked, partial, clear or empty, by what is shown of a value.
pub(crate) fn state(shown: &str) -> &'static str {
    let bare = shown.trim_matches(['"', '\'']);
    let is_stars = bare.len() >= 3 && bare.bytes().all(|byte| byte == b'*');
    if shown.is_empty() {
        "empty"
    } else if is_stars || MASKS.contains(&bare) {
        "masked"
    } else if MASKS.iter().any(|mask| shown.contains(mask)) {
        "partial"
    } else {
        "clear"
    }
}

/// A variable a step was given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bound {
    pub(crate) name: String,
    /// masked, partial, clear, empty, hidden.
    pub(crate) state: &'static str,
    /// Bytes of the shown value.
    pub(crate) value_bytes: Option<usize>,
    /// Where the line begins.
    pub(crate) offset: usize,
    /// repo, org, unknown: where the secret is kept.
    pub(crate) scope: &'static str,
}

impl Bound {
    pub(crate) fn shown(name: &str, value: &str, offset: usize, scope: &'static str) -> Self {
        let state = state(value);
        let value_bytes = (state == "clear").then_some(value.len());
        Self { name: name.to_owned(), state, value_bytes, offset, scope }
    }

    /// A variable of which the log tells the name only.
    pub(crate) fn hidden(name: &str, offset: usize) -> Self {
        Self { name: name.to_owned(), state: "hidden", value_bytes: None, offset, scope: "unknown" }
    }

    /// Whether the service masks it, or hides it and its name tells of a secret.
    fn is_secret(&self) -> bool {
        self.state == "masked" || self.state == "hidden" && guess(&self.name) != "none"
    }
}

/// One step as a log shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) number: Option<i64>,
    pub(crate) name: String,
    pub(crate) kind: &'static str,
    pub(crate) uses: Option<String>,
    pub(crate) shell: Option<String>,
    pub(crate) script_bytes: usize,
    pub(crate) bound: Vec<Bound>,
    pub(crate) conclusion: Option<&'static str>,
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) ended_at: Option<Timestamp>,
}

impl Part {
    pub(crate) fn new(name: impl Into<String>, kind: &'static str) -> Self {
        Self { name: name.into(), kind, ..Self::default() }
    }

    /// Widens the times of the step to this one.
    pub(crate) fn at(&mut self, at: Option<Timestamp>) {
        self.started_at = self.started_at.or(at);
        self.ended_at = at.or(self.ended_at);
    }
}

/// From `offset` on, bytes belong to a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) offset: usize,
    pub(crate) part: Option<usize>,
    pub(crate) place: &'static str,
    pub(crate) name: Option<String>,
    pub(crate) at: Option<Timestamp>,
}

/// Beyond this many changes of place, lines share the last one.
const MAX_PLACES: usize = 50_000;

/// Adds a change of place, if it is one.
pub(crate) fn note(places: &mut Vec<Place>, place: Place) {
    let is_same = places.last().is_some_and(|last| {
        (last.part, last.place, &last.name, last.at) == (place.part, place.place, &place.name, place.at)
    });
    if !is_same && (places.len() < MAX_PLACES || place.name.is_some()) {
        places.push(place);
    }
}

/// Whose the steps of a log are.
#[derive(Clone, Copy)]
pub(crate) struct JobOf {
    pub(crate) run_key: Key,
    pub(crate) job_key: Key,
    pub(crate) source_key: Key,
    /// file, order.
    pub(crate) attribution: &'static str,
}

/// Key of a step by the service's number, or by its order in the log.
pub(crate) fn step_key(job_key: Key, number: Option<i64>, ordinal: usize) -> Key {
    let job = job_key.to_string();
    match number {
        Some(number) => Key::of("step", &[&job, "number", &number.to_string()]),
        None => Key::of("step", &[&job, "ordinal", &ordinal.to_string()]),
    }
}

/// Writes one step with its bindings; gives its key.
pub(crate) fn write_step(job: JobOf, ordinal: usize, part: &Part, evidence: &mut Evidence) -> Key {
    let JobOf { run_key, job_key, source_key, attribution } = job;
    let step_key = step_key(job_key, part.number, ordinal);
    evidence.steps.push(Step {
        step_key,
        job_key,
        number: part.number,
        ordinal: i64::try_from(ordinal).unwrap_or(i64::MAX),
        name: part.name.clone(),
        kind: part.kind.to_owned(),
        uses_ref: part.uses.as_ref().and_then(|uses| Some(uses.split_once('@')?.1.to_owned())),
        pinned: part.uses.as_deref().filter(|uses| uses.contains('@')).map(|uses| pinned(uses).to_owned()),
        uses: part.uses.clone(),
        shell: part.shell.clone(),
        script_bytes: (part.script_bytes > 0).then(|| i64::try_from(part.script_bytes).unwrap_or(i64::MAX)),
        conclusion: part.conclusion.map(str::to_owned),
        started_at: part.started_at,
        ended_at: part.ended_at,
        attribution: attribution.to_owned(),
        source_key,
        ..Step::default()
    });
    for (ordinal, bound) in part.bound.iter().enumerate() {
        if bound.is_secret() {
            evidence.secrets_passed.push(SecretPassed {
                job_key: Some(job_key),
                run_key,
                name: bound.name.clone(),
                secret_scope: bound.scope.to_owned(),
                how: "binding".to_owned(),
                source_key,
            });
        }
        evidence.bindings.push(Binding {
            binding_key: Key::of(
                "binding",
                &[&step_key.to_string(), "env", &bound.name, &ordinal.to_string()],
            ),
            step_key,
            job_key,
            place: "env".to_owned(),
            name: bound.name.clone(),
            state: bound.state.to_owned(),
            value_bytes: bound.value_bytes.and_then(|bytes| i64::try_from(bytes).ok()),
            guessed_kind: guess(&bound.name).to_owned(),
            byte_offset: i64::try_from(bound.offset).unwrap_or(i64::MAX),
            source_key,
        });
    }
    step_key
}

/// Writes the steps of a log; gives the marks of its text.
pub(crate) fn write_steps(
    job: JobOf,
    parts: &[Part],
    places: Vec<Place>,
    evidence: &mut Evidence,
) -> Vec<Mark> {
    let keys: Vec<Key> =
        parts.iter().enumerate().map(|(ordinal, part)| write_step(job, ordinal, part, evidence)).collect();
    let mark = |place: Place| Mark {
        offset: place.offset,
        step_key: place.part.and_then(|part| keys.get(part).copied()),
        place: place.place,
        name: place.name,
        at: place.at,
    };
    places.into_iter().map(mark).collect()
}

/// A text file of a job: its `source_files` row, and its text to the sink.
pub(crate) struct JobText<'a> {
    pub(crate) path: &'a str,
    pub(crate) content: &'a Content<'a>,
    pub(crate) platform: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) run_key: Option<Key>,
    pub(crate) job_key: Option<Key>,
    /// Where the text leaks where no mark holds: log, system.
    pub(crate) place: &'static str,
}

impl JobText<'_> {
    pub(crate) fn hand_over(
        &self,
        bytes: &[u8],
        marks: Vec<Mark>,
        evidence: &mut Evidence,
        sink: &mut dyn TextSink,
    ) {
        let row = source_file(self.path, self.content, self.platform, self.kind, evidence.rows());
        evidence.source_files.push(row);
        let context = TextContext {
            run_key: self.run_key,
            job_key: self.job_key,
            marks,
            ..TextContext::of(self.path, self.content.key, self.place)
        };
        sink.text(&context, bytes);
    }
}

/// Says of the first line beyond the limit that it is scanned in pieces.
pub(crate) fn long_line(path: &str, bytes: &[u8], limits: &Limits) -> Option<Problem> {
    let (start, rest) = beyond(bytes, limits.max_line_bytes)?;
    let length = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
    Some(Problem {
        path: path.to_owned(),
        offset: i64::try_from(start).ok(),
        code: "long_line".to_owned(),
        reason: format!("a line of {length} bytes: scanned in pieces"),
        lossy: false,
    })
}

/// Where a line begins that has more than `most` bytes, and the text from there. Looks back from
/// where such a line would still go on, and so at few bytes of others.
fn beyond(bytes: &[u8], most: usize) -> Option<(usize, &[u8])> {
    let mut start = 0;
    loop {
        let rest = bytes.get(start..)?;
        match memchr::memrchr(b'\n', rest.get(..=most)?) {
            Some(end) => start += end + 1,
            None => return Some((start, rest)),
        }
    }
}

/// The file name of a path, without its ending: what a job is called that says no name.
pub(crate) fn stem(path: &str) -> &str {
    let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_of_all_services_are_known() {
        let cases = [
            ("", "empty"),
            ("***", "masked"),
            ("****", "masked"),
            ("\"[secure]\"", "masked"),
            ("**REDACTED**", "masked"),
            ("https://u:[REDACTED]@host", "partial"),
            ("production", "clear"),
            ("**", "clear"),
        ];
        for (shown, expected) in cases {
            assert_eq!(state(shown), expected, "{shown}");
        }
    }

    #[test]
    fn hidden_variables_are_secrets_by_their_name_only() {
        assert!(Bound::hidden("NPM_TOKEN", 0).is_secret());
        assert!(!Bound::hidden("COLUMNS", 0).is_secret());
    }

    #[test]
    fn only_lines_beyond_the_limit_are_long() {
        let limits = Limits { max_line_bytes: 4, ..Limits::default() };
        assert_eq!(long_line("x", b"1234\n1234", &limits), None);
        assert!(
            long_line("x", b"1\n12345\n", &limits)
                .is_some_and(|row| !row.lossy && row.reason.contains("5 bytes") && row.offset == Some(2))
        );
        let (short, long) = ("1234\n".repeat(9), "x".repeat(99));
        assert_eq!(long_line("x", short.as_bytes(), &limits), None);
        let found = long_line("x", format!("{short}{long}").as_bytes(), &limits);
        assert!(found.is_some_and(|row| row.reason.contains("99 bytes") && row.offset == Some(45)));
    }
}
