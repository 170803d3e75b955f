//! Runs that another run's completion started (`on: workflow_run`): neither names the other.

use super::children::{
    BY_ACTOR, BY_BEING_ONLY, LEAST_CONFIDENCE, SKEW_SECONDS, Timeline, WINDOW_SECONDS, by_time,
};
use leakgraph_model::tables::{Handoff, Run};
use leakgraph_model::{Evidence, Key};
use std::collections::{HashMap, HashSet};

/// What a workflow file that names the parent's title adds.
const BY_DEFINITION: f64 = 0.3;

/// Adds a handoff from the run that ended just before such a run began, in the same
/// repository; where the child's file is known, it must name the parent's workflow.
pub(super) fn link(evidence: &mut Evidence) {
    let known: HashSet<Key> = evidence
        .handoffs
        .iter()
        .filter(|handoff| handoff.mechanism == "workflow_run")
        .filter_map(|handoff| handoff.child_run_key)
        .collect();
    let parents = declared_parents(evidence);
    let mut ended: HashMap<String, Timeline<'_>> = HashMap::new();
    for run in &evidence.runs {
        if let (Some(repo), Some(at)) = (&run.repo, run.ended_at) {
            ended.entry(repo.to_lowercase()).or_default().push(at, run);
        }
    }
    ended.values_mut().for_each(Timeline::sort);
    let mut found = Vec::new();
    for child in evidence.runs.iter().filter(|run| run.event.as_deref() == Some("workflow_run")) {
        let Some(repo) = child.repo.as_ref().filter(|_| !known.contains(&child.run_key)) else { continue };
        let declared = child.workflow_path.as_deref().and_then(|path| {
            let (of_repo, anywhere) = ((repo.to_lowercase(), path), (String::new(), path));
            parents.get(&of_repo).or_else(|| parents.get(&anywhere))
        });
        let runs = ended.get(&repo.to_lowercase()).zip(child.created_at);
        let fitting: Vec<(&Run, f64)> = runs
            .into_iter()
            .flat_map(|(runs, began)| runs.near(began, WINDOW_SECONDS, SKEW_SECONDS))
            .filter_map(|run| Some((run, likeness(run, child, declared)?)))
            .collect();
        let bonus = if fitting.len() == 1 { BY_BEING_ONLY } else { 0.0 };
        let best = fitting.iter().max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.run_key.cmp(&a.0.run_key)));
        if let Some((parent, score)) = best.filter(|(_, score)| score + bonus >= LEAST_CONFIDENCE) {
            found.push(handoff(parent, child, (score + bonus).min(1.0), fitting.len()));
        }
    }
    evidence.handoffs.append(&mut found);
}

/// Titles of the workflows that a file waits for, by repository (empty if unknown) and path.
fn declared_parents(evidence: &Evidence) -> HashMap<(String, &str), HashSet<&str>> {
    let mut parents: HashMap<(String, &str), HashSet<&str>> = HashMap::new();
    for row in &evidence.workflow_definitions {
        let names =
            row.trigger_filters.iter().filter_map(|filter| filter.strip_prefix("workflow_run.workflows="));
        let repo = row.repo.as_deref().unwrap_or_default().to_lowercase();
        if let Some(path) = row.path.as_deref() {
            for name in names {
                parents.entry((repo.clone(), path)).or_default().insert(name);
            }
        }
    }
    parents
}

/// How well a run fits as the one whose end started `child`; `None` if it cannot be.
fn likeness(parent: &Run, child: &Run, declared: Option<&HashSet<&str>>) -> Option<f64> {
    if parent.run_key == child.run_key
        || parent.workflow_path.is_some() && parent.workflow_path == child.workflow_path
    {
        return None;
    }
    let by_definition = match declared {
        Some(names) => {
            parent.workflow_name.as_deref().filter(|name| names.contains(name)).map(|_| BY_DEFINITION)?
        }
        None => 0.0,
    };
    let near = by_time(child.created_at?.seconds_since(parent.ended_at?))?;
    // The child acts for whom the parent acted for.
    let is_same = parent.actor.is_some() && parent.actor == child.actor;
    Some(near + by_definition + if is_same { BY_ACTOR } else { 0.0 })
}

fn handoff(parent: &Run, child: &Run, confidence: f64, candidates: usize) -> Handoff {
    Handoff {
        handoff_key: Key::of("handoff", &["workflow_run", &child.run_key.to_string()]),
        parent_run_key: Some(parent.run_key),
        child_run_key: Some(child.run_key),
        child_repo: child.repo.clone(),
        child_workflow: child.workflow_path.clone(),
        mechanism: "workflow_run".to_owned(),
        credential_kind: "none".to_owned(),
        crosses: "none".to_owned(),
        link_method: "temporal".to_owned(),
        confidence,
        candidates: i64::try_from(candidates).ok(),
        child_ref: child.head_ref.clone(),
        child_sha: child.head_sha.clone(),
        gate: "unknown".to_owned(),
        sent_at: parent.ended_at,
        evidence: "inferred".to_owned(),
        source_key: child.source_key,
        ..Handoff::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use leakgraph_model::Timestamp;
    use leakgraph_model::tables::WorkflowDefinition;

    fn run(id: &str, name: &str, ended: &str) -> Run {
        Run {
            run_key: Key::of("run", &[id]),
            repo: Some("acme/shop".to_owned()),
            workflow_name: Some(name.to_owned()),
            workflow_path: Some(format!(".github/workflows/{id}.yml")),
            actor: Some("cat".to_owned()),
            ended_at: Timestamp::parse(ended),
            ..Run::default()
        }
    }

    #[test]
    fn the_run_that_ended_before_is_the_parent_unless_the_file_names_another() {
        let child = Run {
            event: Some("workflow_run".to_owned()),
            created_at: Timestamp::parse("2026-10-01T00:01:00Z"),
            ended_at: None,
            ..run("deploy", "Deploy", "")
        };
        let (near, named) =
            (run("lint", "Lint", "2026-10-01T00:00:59Z"), run("ci", "CI", "2026-10-01T00:00:40Z"));
        let late = run("late", "CI", "2026-10-01T00:02:00Z");
        let mut evidence =
            Evidence { runs: vec![child.clone(), near.clone(), named.clone(), late], ..Evidence::default() };
        link(&mut evidence);
        let [row] = evidence.handoffs.as_slice() else { panic!("one handoff") };
        assert_eq!((row.parent_run_key, row.child_run_key), (Some(near.run_key), Some(child.run_key)));
        assert_eq!(row.candidates, Some(2));
        evidence.handoffs.clear();
        evidence.workflow_definitions.push(WorkflowDefinition {
            path: child.workflow_path.clone(),
            trigger_filters: vec!["workflow_run.workflows=CI".to_owned()],
            ..WorkflowDefinition::default()
        });
        link(&mut evidence);
        assert_eq!(evidence.handoffs[0].parent_run_key, Some(named.run_key));
        link(&mut evidence);
        assert_eq!(evidence.handoffs.len(), 1, "linking again adds nothing");
    }
}
