//! Handoffs whose child is named by its run id alone, and the two sides of a handoff that know
//! nothing of each other.

use leakgraph_model::tables::Handoff;
use leakgraph_model::{Evidence, Key};
use std::collections::{HashMap, HashSet};

/// Stands for a run of which only the platform's id is known, until that run is found.
pub(crate) fn named_run(platform: &str, run_id: &str) -> Key {
    Key::of("named-run", &[platform, run_id])
}

pub(super) fn link(evidence: &mut Evidence) {
    find_named(evidence);
    join_sides(evidence);
}

/// Puts the run in place of its name, where it is the only one of that name.
fn find_named(evidence: &mut Evidence) {
    let mut named: HashMap<Key, Vec<(Key, Option<&str>)>> = HashMap::new();
    for run in &evidence.runs {
        if let Some(id) = &run.platform_run_id {
            let of = named.entry(named_run(&run.platform, id)).or_default();
            of.push((run.run_key, run.workflow_name.as_deref()));
        }
    }
    for handoff in &mut evidence.handoffs {
        let Some(runs) = handoff.child_run_key.and_then(|key| named.get(&key)) else { continue };
        let wanted = handoff.child_workflow.as_deref();
        let mut fitting = runs.iter().filter(|(_, workflow)| wanted.is_none() || *workflow == wanted);
        if let (Some((run, workflow)), None) = (fitting.next(), fitting.next()) {
            handoff.child_run_key = Some(*run);
            handoff.child_workflow = wanted.or(*workflow).map(str::to_owned);
        }
    }
}

/// A child's own evidence knows its inputs, its parent's evidence who sent them: one handoff.
/// The child's row stays, because sightings name it.
fn join_sides(evidence: &mut Evidence) {
    let is_half = |handoff: &Handoff| {
        handoff.parent_run_key.is_none()
            && handoff.evidence == "rest"
            && matches!(handoff.mechanism.as_str(), "child_run" | "api_other")
    };
    let mut senders: HashMap<Key, Handoff> = HashMap::new();
    for handoff in evidence.handoffs.iter().filter(|handoff| handoff.mechanism == "child_run") {
        if let (Some(child), Some(_)) = (handoff.child_run_key, handoff.parent_run_key) {
            senders.entry(child).or_insert_with(|| handoff.clone());
        }
    }
    let mut joined: HashMap<Key, Key> = HashMap::new();
    for half in evidence.handoffs.iter_mut().filter(|handoff| is_half(handoff)) {
        let Some(sender) = half.child_run_key.and_then(|child| senders.remove(&child)) else { continue };
        joined.insert(sender.handoff_key, half.handoff_key);
        *half = Handoff {
            handoff_key: half.handoff_key,
            credential_subject: sender.credential_subject.or(half.credential_subject.take()),
            source_key: half.source_key,
            ..sender
        };
    }
    evidence.handoffs.retain(|handoff| !joined.contains_key(&handoff.handoff_key));
    let known: HashSet<(Key, String)> =
        evidence.handoff_inputs.iter().map(|input| (input.handoff_key, input.name.clone())).collect();
    evidence.handoff_inputs.retain_mut(|input| match joined.get(&input.handoff_key) {
        Some(half) => {
            input.handoff_key = *half;
            !known.contains(&(*half, input.name.clone()))
        }
        None => true,
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use leakgraph_model::tables::{HandoffInput, Run};

    #[test]
    fn a_named_child_is_found_and_its_two_sides_are_one() {
        let run = |name: &str| Run {
            run_key: Key::of("run", &[name]),
            platform: "airflow".to_owned(),
            platform_run_id: Some("manual__1".to_owned()),
            workflow_name: Some(name.to_owned()),
            ..Run::default()
        };
        let sender = Handoff {
            handoff_key: Key::of("handoff", &["sender"]),
            parent_run_key: Some(Key::of("run", &["parent"])),
            child_run_key: Some(named_run("airflow", "manual__1")),
            child_workflow: Some("child".to_owned()),
            mechanism: "child_run".to_owned(),
            evidence: "rest".to_owned(),
            ..Handoff::default()
        };
        let half = Handoff {
            handoff_key: Key::of("handoff", &["half"]),
            child_run_key: Some(run("child").run_key),
            mechanism: "api_other".to_owned(),
            evidence: "rest".to_owned(),
            ..Handoff::default()
        };
        let input = |handoff: &Handoff, name: &str| HandoffInput {
            handoff_key: handoff.handoff_key,
            name: name.to_owned(),
            ..HandoffInput::default()
        };
        let mut evidence = Evidence {
            runs: vec![run("child"), run("other")],
            handoff_inputs: vec![input(&sender, "to"), input(&half, "to"), input(&sender, "more")],
            handoffs: vec![sender.clone(), half.clone()],
            ..Evidence::default()
        };
        link(&mut evidence);
        let [joined] = evidence.handoffs.as_slice() else { panic!("one handoff") };
        assert_eq!((joined.handoff_key, joined.parent_run_key), (half.handoff_key, sender.parent_run_key));
        assert_eq!(joined.child_run_key, half.child_run_key);
        let names: Vec<_> = evidence.handoff_inputs.iter().map(|input| input.name.as_str()).collect();
        assert_eq!(names, ["to", "more"]);
    }

    #[test]
    fn a_name_of_two_runs_names_none() {
        let run = |name: &str| Run {
            run_key: Key::of("run", &[name]),
            platform: "airflow".to_owned(),
            platform_run_id: Some("scheduled__1".to_owned()),
            workflow_name: Some(name.to_owned()),
            ..Run::default()
        };
        let handoff =
            Handoff { child_run_key: Some(named_run("airflow", "scheduled__1")), ..Handoff::default() };
        let mut evidence = Evidence {
            runs: vec![run("a"), run("b")],
            handoffs: vec![handoff.clone()],
            ..Evidence::default()
        };
        link(&mut evidence);
        assert_eq!(evidence.handoffs[0].child_run_key, handoff.child_run_key);
    }
}
