//! Log rows, put together to the logs of their jobs: what spans lines is found only there.

use super::keys::{OWN, step_key};
use super::record::{Members, int, key, text};
use crate::{Mark, TextContext, TextSink};
use leakgraph_model::{Key, Timestamp};
use std::collections::BTreeMap;

/// The logs of a file, by run and job.
#[derive(Default)]
pub(super) struct Logs {
    logs: BTreeMap<String, Log>,
}

/// The log of a job.
struct Log {
    run_key: Option<Key>,
    job_key: Option<Key>,
    bytes: Vec<u8>,
    marks: Vec<Mark>,
}

impl Logs {
    /// Adds a row to the log of its job.
    pub(super) fn row(&mut self, members: &Members, run_key: Option<Key>, job_key: Option<Key>) {
        let Some(line) = text(members, "text") else { return };
        let log = self.logs.entry(label(members, run_key, job_key)).or_insert_with(|| Log {
            run_key,
            job_key,
            bytes: Vec::new(),
            marks: Vec::new(),
        });
        let by_number = || Some(step_key(job_key?, Some(int(members, "step_number")?), 0));
        let step_key = key(members, "step_key").or_else(by_number);
        let at = text(members, "at").and_then(|at| Timestamp::parse(&at));
        if log.marks.last().is_none_or(|mark| mark.step_key != step_key || mark.at != at) {
            log.marks.push(Mark { offset: log.bytes.len(), step_key, place: "log", name: None, at });
        }
        log.bytes.extend_from_slice(line.as_bytes());
        if !line.ends_with('\n') {
            log.bytes.push(b'\n');
        }
    }

    /// Hands every log over, as a member of the file that is named after its run and job.
    pub(super) fn hand_over(self, path: &str, source_key: Key, sink: &mut dyn TextSink) {
        for (label, log) in self.logs {
            let context = TextContext {
                run_key: log.run_key,
                job_key: log.job_key,
                marks: log.marks,
                ..TextContext::of(&format!("{path}!/{label}"), source_key, "log")
            };
            sink.text(&context, &log.bytes);
        }
    }
}

/// Run and job in words; keys where the file has only these.
fn label(members: &Members, run_key: Option<Key>, job_key: Option<Key>) -> String {
    let shown = |named: Option<String>, key: Option<Key>| {
        named.or_else(|| Some(key?.to_string())).unwrap_or_else(|| "unknown".to_owned())
    };
    let run = match OWN.run_id(members) {
        Some(run) => {
            let repo = run.repo.unwrap_or_default();
            format!("{}/{repo}/{}/{}", run.platform, run.id, run.attempt)
        }
        None => shown(None, run_key),
    };
    format!("logs/{run}/{}", shown(text(members, OWN.job), job_key))
}
