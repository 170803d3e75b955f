//! Runs that are known only by one of their jobs.

use leakgraph_model::{Evidence, Key};
use std::collections::{HashMap, HashSet};

/// A trace names its job and not its pipeline. Where another file does, the rows of the run
/// that stands for the unknown one become those of the pipeline.
pub(super) fn join_by_job(evidence: &mut Evidence) {
    let named: HashSet<Key> =
        evidence.runs.iter().filter(|run| run.platform_run_id.is_some()).map(|run| run.run_key).collect();
    let unnamed: HashSet<Key> =
        evidence.runs.iter().map(|run| run.run_key).filter(|key| !named.contains(key)).collect();
    let owners: HashMap<Key, Key> = evidence
        .jobs
        .iter()
        .filter(|job| named.contains(&job.run_key))
        .map(|job| (job.job_key, job.run_key))
        .collect();
    let becomes: HashMap<Key, Key> = evidence
        .jobs
        .iter()
        .filter(|job| unnamed.contains(&job.run_key))
        .filter_map(|job| Some((job.run_key, *owners.get(&job.job_key)?)))
        .collect();
    if !becomes.is_empty() {
        rename(evidence, &becomes);
    }
}

fn rename(evidence: &mut Evidence, becomes: &HashMap<Key, Key>) {
    let rename = |key: &mut Key| {
        if let Some(named) = becomes.get(key) {
            *key = *named;
        }
    };
    evidence.runs.iter_mut().for_each(|row| rename(&mut row.run_key));
    evidence.jobs.iter_mut().for_each(|row| rename(&mut row.run_key));
    evidence.secrets_passed.iter_mut().for_each(|row| rename(&mut row.run_key));
    evidence.triggers.iter_mut().for_each(|row| rename(&mut row.run_key));
    evidence.approvals.iter_mut().for_each(|row| rename(&mut row.run_key));
    let handoffs = evidence.handoffs.iter_mut();
    let of_handoffs = handoffs.flat_map(|row| [&mut row.parent_run_key, &mut row.child_run_key]);
    let of_identities = evidence.identities_used.iter_mut().map(|row| &mut row.run_key);
    let of_sightings = evidence.secret_sightings.iter_mut().map(|row| &mut row.run_key);
    of_handoffs.chain(of_identities).chain(of_sightings).flatten().for_each(rename);
}

#[cfg(test)]
mod tests {
    use super::*;
    use leakgraph_model::tables::{Job, Run, SecretPassed};

    #[test]
    fn a_run_known_by_its_job_becomes_the_pipeline() {
        let [trace, pipeline, job] = ["trace", "pipeline", "job"].map(|name| Key::of("test", &[name]));
        let run = |key: Key, id: Option<&str>| Run {
            run_key: key,
            platform_run_id: id.map(str::to_owned),
            ..Run::default()
        };
        let of = |run_key: Key| Job { job_key: job, run_key, ..Job::default() };
        let mut evidence = Evidence {
            runs: vec![run(trace, None), run(pipeline, Some("46"))],
            jobs: vec![of(trace), of(pipeline)],
            secrets_passed: vec![SecretPassed { run_key: trace, ..SecretPassed::default() }],
            ..Evidence::default()
        };
        join_by_job(&mut evidence);
        assert!(evidence.runs.iter().all(|row| row.run_key == pipeline));
        assert!(evidence.jobs.iter().all(|row| row.run_key == pipeline));
        assert_eq!(evidence.secrets_passed[0].run_key, pipeline);
    }
}
