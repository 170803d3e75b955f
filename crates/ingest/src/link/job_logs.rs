//! Logs of single jobs to the jobs that the platform's answers tell of.
//!
//! `GET /repos/{owner}/{repo}/actions/jobs/{job_id}/logs` answers with bare text that names
//! neither its run nor, from older runners, its job: whoever saves it names the file by the id.

use leakgraph_model::tables::Job;
use leakgraph_model::{Evidence, Key};
use std::collections::{HashMap, HashSet};

/// The API tells seconds, and its times may be off by one more (measured on saved pairs).
const SKEW_SECONDS: f64 = 2.0;
/// Shorter numbers in a file name are no job id.
const MIN_ID_DIGITS: usize = 8;

/// Gives a job of an answer the key of its log, if the log's file is named by the job's id and
/// the log ends within the job's time. The log's key stays: more rows hold it.
pub(super) fn join(evidence: &mut Evidence) {
    let named: HashSet<Key> = evidence
        .runs
        .iter()
        .filter(|run| run.platform == "github" && run.platform_run_id.is_some())
        .map(|run| run.run_key)
        .collect();
    let told: HashMap<&str, &Job> = evidence
        .jobs
        .iter()
        .filter(|job| named.contains(&job.run_key) && !job.has_log)
        .filter_map(|job| Some((job.platform_job_id.as_deref()?, job)))
        .collect();
    if told.is_empty() {
        return;
    }
    let mut paths: HashMap<Key, Vec<&str>> = HashMap::new();
    for file in evidence.source_files.iter().filter(|file| file.platform == "github") {
        paths.entry(file.source_key).or_default().push(&file.path);
    }
    let mut becomes: HashMap<Key, Key> = HashMap::new();
    for log in evidence.jobs.iter().filter(|job| job.has_log && !named.contains(&job.run_key)) {
        let ids = paths.get(&log.source_key).into_iter().flatten().flat_map(|path| ids(path));
        let job = ids.filter_map(|id| told.get(id)).find(|job| is_within(log, job));
        if let Some(job) = job {
            becomes.entry(job.job_key).or_insert(log.job_key);
        }
    }
    if !becomes.is_empty() {
        rename(evidence, &becomes);
    }
}

/// Numbers in the name of a file, or of its folder, that may be the id of a job.
fn ids(path: &str) -> impl Iterator<Item = &str> {
    path.rsplit(['/', '\\'])
        .take(2)
        .flat_map(|part| part.split(|letter: char| !letter.is_ascii_alphanumeric()))
        .filter(|word| word.len() >= MIN_ID_DIGITS && word.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Whether a log ends in the time of a job; it may begin earlier, with lines of the queue.
fn is_within(log: &Job, job: &Job) -> bool {
    let (Some(at), Some(start), Some(end)) = (log.ended_at, job.started_at, job.ended_at) else {
        return false;
    };
    at.seconds_since(start) >= -SKEW_SECONDS && end.seconds_since(at) >= -SKEW_SECONDS
}

fn rename(evidence: &mut Evidence, becomes: &HashMap<Key, Key>) {
    let rename = |key: &mut Key| {
        if let Some(of_log) = becomes.get(key) {
            *key = *of_log;
        }
    };
    evidence.jobs.iter_mut().for_each(|row| rename(&mut row.job_key));
    evidence.steps.iter_mut().for_each(|row| rename(&mut row.job_key));
    evidence.bindings.iter_mut().for_each(|row| rename(&mut row.job_key));
    evidence.token_permissions.iter_mut().for_each(|row| rename(&mut row.job_key));
    evidence.evidence_gaps.iter_mut().for_each(|row| rename(&mut row.subject_key));
    let handoffs = evidence.handoffs.iter_mut();
    handoffs
        .flat_map(|row| [&mut row.parent_job_key, &mut row.child_job_key])
        .chain(evidence.secrets_passed.iter_mut().map(|row| &mut row.job_key))
        .chain(evidence.triggers.iter_mut().map(|row| &mut row.job_key))
        .chain(evidence.identities_used.iter_mut().map(|row| &mut row.job_key))
        .chain(evidence.secret_sightings.iter_mut().map(|row| &mut row.job_key))
        .flatten()
        .for_each(rename);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_long_numbers_are_ids() {
        let found = |path| ids(path).collect::<Vec<_>>();
        assert_eq!(found("logs/6999501459.log"), ["6999501459"]);
        assert_eq!(found("jobs/6999501459/log.txt"), ["6999501459"]);
        assert_eq!(found("2114165124-orig.log"), ["2114165124"]);
        assert!(found("49353458404e5cb0e01deb0497c8d3cdc5e2e73f.log").is_empty());
        assert!(found("6999501459/a/b.log").is_empty());
    }
}
