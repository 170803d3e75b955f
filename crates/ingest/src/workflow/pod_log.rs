//! Logs of pods as the tools of their controllers print them.
//!
//! `kubectl logs --prefix` writes `[pod/<pod>/<container>] <line>`, with `--timestamps` the time
//! before the line (Kubernetes documentation, "kubectl logs"); `tkn pipelinerun logs` writes
//! `[<task> : <step>] <line>` (Tekton documentation, "Getting started with Pipelines"); `argo logs`
//! writes `<pod>: <line>` (argoproj/argo-workflows `cmd/argo/commands/common/logs.go`).
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

/// Who wrote a log of pods.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Form {
    Kubectl,
    Tkn,
    Argo,
}

impl Form {
    const ALL: [Self; 3] = [Self::Kubectl, Self::Tkn, Self::Argo];

    fn kind(self) -> &'static str {
        match self {
            Self::Kubectl => "pod_log",
            Self::Tkn => "tkn_log",
            Self::Argo => "argo_log",
        }
    }

    fn because(self) -> &'static str {
        match self {
            Self::Kubectl => "`[pod/name/container]` before every line",
            Self::Tkn => "`[task : step]` before every line",
            Self::Argo => "the name of a workflow's pod before every line",
        }
    }

    /// Pods that `argo logs` names are found again by name, as those of kubectl; `tkn` names none.
    fn platform(self) -> &'static str {
        if self == Self::Tkn { "tekton" } else { "kubernetes" }
    }

    fn of_kind(kind: &str) -> Self {
        Self::ALL.into_iter().find(|form| form.kind() == kind).unwrap_or(Self::Kubectl)
    }
}

/// Bytes that tell what a text is.
const HEAD_BYTES: usize = 64 << 10;
/// Beyond this many changes from one container to another, lines share the last one.
const MAX_MARKS: usize = 50_000;

impl Importer for PodLogs {
    fn platform(&self) -> &'static str {
        "kubernetes"
    }

    fn recognise_text(&self, file: TextFile<'_>) -> Option<Recognised> {
        let head = file.bytes.get(..file.bytes.len().min(HEAD_BYTES)).unwrap_or_default();
        let mut lines: Vec<&[u8]> = head.split(|byte| *byte == b'\n').collect();
        if head.len() < file.bytes.len() {
            lines.pop();
        }
        lines.retain(|line| !line.trim_ascii().is_empty());
        let is_of = |form: &Form| lines.iter().all(|line| Prefix::of(*form, line).is_some());
        let form = Form::ALL.into_iter().find(is_of).filter(|_| !lines.is_empty())?;
        Some(Recognised::new(form.kind(), form.because()))
    }

    fn import_text(
        &self,
        kind: &'static str,
        file: TextFile<'_>,
        limits: &Limits,
        sink: &mut dyn TextSink,
    ) -> Evidence {
        let form = Form::of_kind(kind);
        let content = Content::of(file.bytes);
        let run_key = Key::of("run", &["source", &content.key.to_string()]);
        let mut evidence = Evidence::default();
        evidence.runs.push(Run {
            run_key,
            platform: form.platform().to_owned(),
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
        let pods = Pods::read(form, file.bytes);
        let marks = pods.write(form, run_key, content.key, &mut evidence);
        let text = JobText {
            path: file.path,
            content: &content,
            platform: form.platform(),
            kind,
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

/// What stands before a line: a pod and its container, or a task and its step.
struct Prefix<'a> {
    pod: &'a str,
    container: &'a str,
    at: Option<Timestamp>,
}

/// Longer names are none (63 characters each in Kubernetes, and a few signs).
const MAX_PREFIX_BYTES: usize = 600;

impl<'a> Prefix<'a> {
    fn of(form: Form, line: &'a [u8]) -> Option<Self> {
        let head = line.get(..line.len().min(MAX_PREFIX_BYTES))?;
        let (pod, container, end) = match form {
            Form::Argo => {
                let end = memchr::memchr(b':', head)?;
                let pod = std::str::from_utf8(line.get(..end)?).ok().filter(|pod| is_pod_of_argo(pod))?;
                (pod, "main", end)
            }
            Form::Kubectl | Form::Tkn => {
                let (before, between) = if form == Form::Tkn { ("[", " : ") } else { ("[pod/", "/") };
                let end = memchr::memchr(b']', head)?;
                let name = std::str::from_utf8(line.get(..end)?.strip_prefix(before.as_bytes())?).ok()?;
                let (pod, container) = name.split_once(between)?;
                (pod, container, end)
            }
        };
        if !is_name(pod) || !is_name(container) {
            return None;
        }
        let rest = line.get(end + 1..)?;
        let rest = rest.strip_prefix(b" ").unwrap_or(rest);
        let word = rest.split(|byte| *byte == b' ').next().unwrap_or_default();
        let at = std::str::from_utf8(word).ok().filter(|word| word.len() >= 20).and_then(Timestamp::parse);
        Some(Self { pod, container, at })
    }
}

/// Whether a text can name an object of Kubernetes.
fn is_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
    !name.is_empty() && name.bytes().all(fits)
}

/// Whether a name ends as those that Argo gives pods: with the decimal hash of the node. The pod
/// of a workflow of one step is named as the workflow, which any word may be.
fn is_pod_of_argo(name: &str) -> bool {
    let hash = name.rsplit_once('-').map_or("", |(_, hash)| hash);
    (6..=10).contains(&hash.len()) && hash.bytes().all(|byte| byte.is_ascii_digit()) && is_name(name)
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
    fn read(form: Form, bytes: &'a [u8]) -> Self {
        let mut pods = Self::default();
        let mut known: HashMap<(&str, &str), usize> = HashMap::new();
        let mut start = 0;
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let offset = start;
            start += line.len();
            let Some(prefix) = Prefix::of(form, line) else { continue };
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
    fn write(self, form: Form, run_key: Key, source_key: Key, evidence: &mut Evidence) -> Vec<Mark> {
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
                    runner_name: (form != Form::Tkn).then(|| (*pod).to_owned()),
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

    fn kind(text: &str) -> Option<&'static str> {
        let file = TextFile { path: "x.log", bytes: text.as_bytes(), whole: None };
        PodLogs.recognise_text(file).map(|known| known.kind)
    }

    fn is_known(text: &str) -> bool {
        kind(text).is_some()
    }

    #[test]
    fn tools_of_controllers_are_told_by_what_they_write_before_lines() {
        assert_eq!(kind("[build : compile] make\n\n[deploy : apply] ok\n"), Some("tkn_log"));
        assert_eq!(kind("release-x7k2p-build-2478234971: make\n"), Some("argo_log"));
        for other in ["[INFO : x] y\n", "[a : b] x\nplain\n", "release-x7k2p: make\n", "port-8080: open\n"] {
            assert_eq!(kind(other), None, "{other}");
        }
    }

    #[test]
    fn every_line_names_its_pod() {
        assert!(is_known("[pod/a-1/main] x\n[pod/a-1/wait] \n"));
        assert!(!is_known("[pod/a-1/main] x\nplain\n"));
        assert!(!is_known("[pod/A/main] x\n") && !is_known("[pod/a] x\n") && !is_known(""));
        assert_eq!(
            Prefix::of(Form::Kubectl, b"[pod/a/main] 2026-10-01T10:00:00.123456789Z x")
                .and_then(|line| line.at),
            Timestamp::parse("2026-10-01T10:00:00.123456Z")
        );
    }
}
