//! Logs of pods as `kubectl logs --prefix` prints them: `[pod/<pod>/<container>] <line>`, with
//! `--timestamps` the time before the line (Kubernetes documentation, "kubectl logs").
//!
//! Controllers of workflows run their steps in pods. Which run a pod is of, their own objects
//! tell (`link::pods`): a log names no namespace.

use super::parts::{JobOf, JobText, Part, long_line, write_step};
use super::rows::gap;
use crate::importer::{Importer, Recognised, TextFile};
use crate::limits::Limits;
use crate::reader::Content;
use crate::{Mark, TextSink};
use leakgraph_model::tables::{Job, Run, job_key};
use leakgraph_model::{Evidence, Key, Timestamp};
use std::collections::HashMap;

/// Logs of pods.
pub(crate) struct PodLogs;

const PLATFORM: &str = "kubernetes";
/// Bytes that tell what a text is.
const HEAD_BYTES: usize = 64 << 10;
/// Beyond this many changes from one container to another, lines share the last one.
const MAX_MARKS: usize = 50_000;

impl Importer for PodLogs {
    fn platform(&self) -> &'static str {
        PLATFORM
    }

    fn recognise_text(&self, file: TextFile<'_>) -> Option<Recognised> {
        let head = file.bytes.get(..file.bytes.len().min(HEAD_BYTES)).unwrap_or_default();
        let mut lines: Vec<&[u8]> = head.split(|byte| *byte == b'\n').collect();
        if head.len() < file.bytes.len() {
            lines.pop();
        }
        lines.retain(|line| !line.trim_ascii().is_empty());
        let is_known = !lines.is_empty() && lines.iter().all(|line| Prefix::of(line).is_some());
        is_known.then(|| Recognised::new("pod_log", "`[pod/name/container]` before every line"))
    }

    fn import_text(
        &self,
        _kind: &'static str,
        file: TextFile<'_>,
        limits: &Limits,
        sink: &mut dyn TextSink,
    ) -> Evidence {
        let content = Content::of(file.bytes);
        let run_key = Key::of("run", &["source", &content.key.to_string()]);
        let mut evidence = Evidence::default();
        evidence.runs.push(Run {
            run_key,
            platform: PLATFORM.to_owned(),
            evidence: "log".to_owned(),
            source_key: content.key,
            ..Run::default()
        });
        // Neither its owner nor its service account is in a pod's log.
        evidence.evidence_gaps.push(gap(
            run_key,
            "runs",
            "handoff_identity",
            "no_run_id",
            "lower_bound_only",
        ));
        let pods = Pods::read(file.bytes);
        let marks = pods.write(run_key, content.key, &mut evidence);
        let text = JobText {
            path: file.path,
            content: &content,
            platform: PLATFORM,
            kind: "pod_log",
            run_key: Some(run_key),
            job_key: match evidence.jobs.as_slice() {
                [only] => Some(only.job_key),
                _ => None,
            },
            place: "log",
        };
        text.hand_over(file.bytes, marks, &mut evidence, sink);
        evidence.problems.extend(long_line(file.path, file.bytes, limits));
        evidence
    }
}

/// What stands before a line.
struct Prefix<'a> {
    pod: &'a str,
    container: &'a str,
    at: Option<Timestamp>,
}

impl<'a> Prefix<'a> {
    fn of(line: &'a [u8]) -> Option<Self> {
        let (name, rest) = {
            let line = line.strip_prefix(b"[pod/")?;
            let end = memchr::memchr(b']', line.get(..line.len().min(600))?)?;
            (std::str::from_utf8(line.get(..end)?).ok()?, line.get(end + 1..)?)
        };
        let (pod, container) = name.split_once('/')?;
        let is_name = |name: &str| {
            !name.is_empty()
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte))
        };
        if !is_name(pod) || !is_name(container) {
            return None;
        }
        let rest = rest.strip_prefix(b" ").unwrap_or(rest);
        let word = rest.split(|byte| *byte == b' ').next().unwrap_or_default();
        let at = std::str::from_utf8(word).ok().filter(|word| word.len() >= 20).and_then(Timestamp::parse);
        Some(Self { pod, container, at })
    }
}

/// Containers in the order they first speak, each with its pod.
#[derive(Default)]
struct Pods<'a> {
    names: Vec<(&'a str, &'a str)>,
    parts: Vec<Part>,
    /// Where which of them begins to speak.
    turns: Vec<(usize, usize, Option<Timestamp>)>,
}

impl<'a> Pods<'a> {
    fn read(bytes: &'a [u8]) -> Self {
        let mut pods = Self::default();
        let mut known: HashMap<(&str, &str), usize> = HashMap::new();
        let mut start = 0;
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let offset = start;
            start += line.len();
            let Some(prefix) = Prefix::of(line) else { continue };
            let name = (prefix.pod, prefix.container);
            let index = *known.entry(name).or_insert_with(|| {
                pods.names.push(name);
                pods.parts.push(part(prefix.container));
                pods.names.len() - 1
            });
            if let Some(part) = pods.parts.get_mut(index) {
                part.at(prefix.at);
            }
            if pods.turns.last().is_none_or(|(_, last, _)| *last != index) && pods.turns.len() < MAX_MARKS {
                pods.turns.push((offset, index, prefix.at));
            }
        }
        pods
    }

    /// A job per pod and a step per container; gives the marks of the text.
    fn write(self, run_key: Key, source_key: Key, evidence: &mut Evidence) -> Vec<Mark> {
        let mut steps: Vec<Key> = Vec::new();
        let mut ordinals: HashMap<Key, usize> = HashMap::new();
        for ((pod, _), part) in self.names.iter().zip(&self.parts) {
            let job_key = job_key(run_key, pod);
            let ordinal = ordinals.entry(job_key).or_insert(0);
            if *ordinal == 0 {
                evidence.jobs.push(Job {
                    job_key,
                    run_key,
                    name: (*pod).to_owned(),
                    runner_name: Some((*pod).to_owned()),
                    started_at: part.started_at,
                    has_log: true,
                    evidence: "log".to_owned(),
                    source_key,
                    ..Job::default()
                });
            }
            let of = JobOf { run_key, job_key, source_key, attribution: "file" };
            steps.push(write_step(of, *ordinal, part, evidence));
            *ordinal += 1;
        }
        let mark = |(offset, index, at): (usize, usize, Option<Timestamp>)| Mark {
            offset,
            step_key: steps.get(index).copied(),
            place: "log",
            name: None,
            at,
        };
        self.turns.into_iter().map(mark).collect()
    }
}

/// A container as a step: Tekton calls those of steps `step-…`, Argo `main`; others prepare them.
fn part(container: &str) -> Part {
    match container.strip_prefix("step-") {
        Some(step) => Part::new(step, "run"),
        None => {
            let helps = ["init", "wait", "prepare", "place-scripts", "working-dir-initializer"];
            Part::new(container, if helps.contains(&container) { "setup" } else { "run" })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_known(text: &str) -> bool {
        PodLogs.recognise_text(TextFile { path: "x.log", bytes: text.as_bytes(), whole: None }).is_some()
    }

    #[test]
    fn every_line_names_its_pod() {
        assert!(is_known("[pod/a-1/main] x\n[pod/a-1/wait] \n"));
        assert!(!is_known("[pod/a-1/main] x\nplain\n"));
        assert!(!is_known("[pod/A/main] x\n") && !is_known("[pod/a] x\n") && !is_known(""));
        assert_eq!(
            Prefix::of(b"[pod/a/main] 2026-10-01T10:00:00.123456789Z x").and_then(|line| line.at),
            Timestamp::parse("2026-10-01T10:00:00.123456Z")
        );
    }
}
