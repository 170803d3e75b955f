//! Pods that were logged to the runs whose pods they are.
//!
//! A TaskRun of Tekton names its pod. Argo names the pod of a node `<workflow>-<template>-<hash>`
//! where the node is `<workflow>-<hash>`, and before version 3.4 as the node ("Pod names").

use leakgraph_model::tables::Job;
use leakgraph_model::{Evidence, Key};
use std::collections::{HashMap, HashSet};

/// Gives jobs that are known by their pod's log the run of the only job whose pod it is.
pub(super) fn join(evidence: &mut Evidence) {
    let of = |is_one: fn(&str) -> bool| -> HashSet<Key> {
        let runs = evidence.runs.iter().filter(|run| is_one(&run.platform));
        runs.map(|run| run.run_key).collect()
    };
    let logged = of(|platform| platform == "kubernetes");
    if logged.is_empty() {
        return;
    }
    // The object of a TaskRun alone gives no row of its run.
    let others = of(|platform| !matches!(platform, "argo" | "tekton"));
    let controlled: Vec<&Job> = evidence.jobs.iter().filter(|job| !others.contains(&job.run_key)).collect();
    let mut by_pod: HashMap<&str, Vec<Key>> = HashMap::new();
    let mut by_end: HashMap<&str, Vec<&Job>> = HashMap::new();
    for job in controlled {
        if let Some(pod) = &job.runner_name {
            by_pod.entry(pod).or_default().push(job.run_key);
        }
        if let Some((_, hash)) = job.platform_job_id.as_ref().and_then(|id| id.rsplit_once('-')) {
            by_end.entry(hash).or_default().push(job);
        }
    }
    let mut becomes: HashMap<Key, Key> = HashMap::new();
    for job in evidence.jobs.iter().filter(|job| logged.contains(&job.run_key)) {
        let hash = job.name.rsplit('-').next().unwrap_or_default();
        let of_nodes = by_end.get(hash).into_iter().flatten().filter(|node| is_pod_of(&job.name, node));
        let runs: HashSet<Key> = by_pod
            .get(job.name.as_str())
            .into_iter()
            .flatten()
            .copied()
            .chain(of_nodes.map(|node| node.run_key))
            .collect();
        // Pods of other namespaces may have the same name.
        if let (1, Some(run)) = (runs.len(), runs.into_iter().next()) {
            becomes.insert(job.job_key, run);
        }
    }
    for job in &mut evidence.jobs {
        job.run_key = becomes.get(&job.job_key).copied().unwrap_or(job.run_key);
    }
    // A log all of whose pods are known stands for no run of its own.
    let left: HashSet<Key> = evidence.jobs.iter().map(|job| job.run_key).collect();
    evidence.runs.retain(|run| !logged.contains(&run.run_key) || left.contains(&run.run_key));
}

fn is_pod_of(pod: &str, node: &Job) -> bool {
    let Some(id) = node.platform_job_id.as_deref() else { return false };
    let is_of_node = || {
        let (workflow, hash) = id.rsplit_once('-')?;
        let rest = pod.strip_prefix(workflow)?.strip_prefix('-')?;
        Some(rest == hash || rest.strip_suffix(hash).is_some_and(|rest| rest.ends_with('-')))
    };
    pod == id || is_of_node() == Some(true)
}
