//! The child runs of dispatches that do not name them, by likeness.

use leakgraph_model::tables::{Handoff, Run};
use leakgraph_model::{Evidence, Key, Timestamp};
use std::collections::{HashMap, HashSet};

/// Dispatches and child runs farther apart than this are not linked by time.
pub(super) const WINDOW_SECONDS: f64 = 60.0;
/// Clocks of dispatcher and server may differ by this much.
pub(super) const SKEW_SECONDS: f64 = 2.0;
/// Candidates below this score are no link.
pub(super) const LEAST_CONFIDENCE: f64 = 0.2;
/// What each agreement adds. Time fades with [`FADE_SECONDS`].
pub(super) const BY_TIME: f64 = 0.4;
pub(super) const BY_ACTOR: f64 = 0.3;
pub(super) const BY_CARRIED_ID: f64 = 0.5;
pub(super) const BY_BEING_ONLY: f64 = 0.2;
const FADE_SECONDS: f64 = 15.0;

/// What nearness in time adds; `None` outside the window.
pub(super) fn by_time(gap: f64) -> Option<f64> {
    let is_near = (-SKEW_SECONDS..=WINDOW_SECONDS).contains(&gap);
    is_near.then(|| BY_TIME * (-gap.max(0.0) / FADE_SECONDS).exp())
}

/// Runs by a time of theirs.
#[derive(Default)]
pub(super) struct Timeline<'e>(Vec<(Timestamp, &'e Run)>);

impl<'e> Timeline<'e> {
    pub(super) fn push(&mut self, at: Timestamp, run: &'e Run) {
        self.0.push((at, run));
    }

    pub(super) fn sort(&mut self) {
        self.0.sort_by_key(|(at, run)| (*at, run.run_key));
    }

    /// The runs whose time lies between `before` seconds before and `after` seconds after one.
    pub(super) fn near(&self, at: Timestamp, before: f64, after: f64) -> impl Iterator<Item = &'e Run> {
        let start = self.0.partition_point(|(time, _)| time.seconds_since(at) < -before);
        let end = self.0.partition_point(|(time, _)| time.seconds_since(at) <= after);
        self.0.get(start..end).unwrap_or_default().iter().map(|(_, run)| *run)
    }
}

/// A run that may be the child of a dispatch.
struct Candidate {
    handoff: usize,
    run: Key,
    score: f64,
    is_carried: bool,
}

/// Finds the child run of dispatches that do not name it: same event, repository and
/// workflow are musts; time, sender, a carried run id and uniqueness add up (research:
/// linking children without an id). A run is the child of one dispatch, the likeliest.
pub(super) fn link(evidence: &mut Evidence) {
    // A dispatch may have a row of its log, of a webhook and of the audit log, which are
    // joined by their child: of each kind a run is the child of one.
    let mut taken: HashSet<(Key, String)> = evidence
        .handoffs
        .iter()
        .filter(is_dispatch)
        .filter_map(|row| Some((row.child_run_key?, row.evidence.clone())))
        .collect();
    let (mut found, counts) = candidates(evidence, &taken);
    let keys: Vec<Key> = evidence.handoffs.iter().map(|row| row.handoff_key).collect();
    let key = |one: &Candidate| (keys.get(one.handoff).copied(), one.run);
    found.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| key(a).cmp(&key(b))));
    for one in found {
        let Some(handoff) = evidence.handoffs.get_mut(one.handoff) else { continue };
        if handoff.child_run_key.is_none() && taken.insert((one.run, handoff.evidence.clone())) {
            handoff.child_run_key = Some(one.run);
            handoff.confidence = one.score.min(1.0);
            handoff.candidates = counts.get(&one.handoff).copied();
            let method = if one.is_carried { "correlation_input" } else { "temporal" };
            method.clone_into(&mut handoff.link_method);
        }
    }
}

/// All pairs that may belong together, and how many runs fit each dispatch.
fn candidates(evidence: &Evidence, taken: &HashSet<(Key, String)>) -> (Vec<Candidate>, HashMap<usize, i64>) {
    let mut runs: HashMap<(String, &str), Timeline<'_>> = HashMap::new();
    for run in &evidence.runs {
        if let (Some(repo), Some(event), Some(at)) = (&run.repo, &run.event, run.created_at) {
            runs.entry((repo.to_lowercase(), event)).or_default().push(at, run);
        }
    }
    runs.values_mut().for_each(Timeline::sort);
    let ids: HashMap<Key, &str> =
        evidence.runs.iter().filter_map(|run| Some((run.run_key, run.platform_run_id.as_deref()?))).collect();
    let mut candidates: Vec<Candidate> = Vec::new();
    let mut counts: HashMap<usize, i64> = HashMap::new();
    for (index, handoff) in evidence.handoffs.iter().enumerate() {
        if !is_dispatch(&handoff) || handoff.child_run_key.is_some() {
            continue;
        }
        let (Some(repo), Some(sent_at)) = (&handoff.child_repo, handoff.sent_at) else { continue };
        let of_event = runs.get(&(repo.to_lowercase(), handoff.mechanism.as_str()));
        let parent_id = handoff.parent_run_key.and_then(|run| ids.get(&run).copied());
        let fitting: Vec<Candidate> = of_event
            .into_iter()
            .flat_map(|runs| runs.near(sent_at, SKEW_SECONDS, WINDOW_SECONDS))
            .filter(|run| !taken.contains(&(run.run_key, handoff.evidence.clone())))
            .filter_map(|run| {
                let is_carried = parent_id.is_some_and(|id| names(run, id));
                let score = likeness(handoff, run)? + if is_carried { BY_CARRIED_ID } else { 0.0 };
                Some(Candidate { handoff: index, run: run.run_key, score, is_carried })
            })
            .collect();
        counts.insert(index, i64::try_from(fitting.len()).unwrap_or(i64::MAX));
        let bonus = if fitting.len() == 1 { BY_BEING_ONLY } else { 0.0 };
        let fitting = fitting.into_iter().map(|one| Candidate { score: one.score + bonus, ..one });
        candidates.extend(fitting.filter(|one| one.score >= LEAST_CONFIDENCE));
    }
    (candidates, counts)
}

fn is_dispatch(handoff: &&Handoff) -> bool {
    matches!(handoff.mechanism.as_str(), "workflow_dispatch" | "repository_dispatch" | "deployment")
}

/// Whether a run's title holds the id of another run, as `run-name: deploy for 17001234` does.
fn names(run: &Run, id: &str) -> bool {
    let titles = [&run.display_title, &run.workflow_name].into_iter().flatten();
    titles.flat_map(|title| title.split(|letter: char| !letter.is_ascii_digit())).any(|word| word == id)
}

/// How well a run fits a dispatch; `None` if it cannot be its child.
fn likeness(handoff: &Handoff, run: &Run) -> Option<f64> {
    if Some(run.run_key) == handoff.parent_run_key {
        return None;
    }
    if handoff.mechanism == "workflow_dispatch" {
        let wanted = handoff.child_workflow.as_deref()?;
        let fits = run.workflow_path.as_deref().is_some_and(|path| path.ends_with(wanted))
            || run.workflow_name.as_deref() == Some(wanted);
        if !fits {
            return None;
        }
    }
    // A deployment is one of a commit.
    let is_other = handoff.mechanism == "deployment"
        && handoff.child_sha.as_ref().zip(run.head_sha.as_ref()).is_some_and(|(sha, head)| sha != head);
    // A dispatch to a branch starts a run on it.
    let branch =
        |name: &str| name.trim_start_matches("refs/heads/").trim_start_matches("refs/tags/").to_owned();
    let is_elsewhere = handoff.mechanism == "workflow_dispatch"
        && handoff.child_ref.as_ref().zip(run.head_ref.as_ref()).is_some_and(|(sent, head)| {
            // As written in a script, it may be a variable.
            !sent.contains(['$', '*']) && branch(sent) != branch(head)
        });
    if is_other || is_elsewhere {
        return None;
    }
    let near = by_time(run.created_at?.seconds_since(handoff.sent_at?))?;
    let by_actor = match (&handoff.credential_subject, &run.actor) {
        (Some(sender), Some(actor)) if sender == actor => BY_ACTOR,
        _ => 0.0,
    };
    Some(near + by_actor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(id: &str, event: &str, at: &str) -> Run {
        Run {
            run_key: Key::of("run", &[id]),
            platform_run_id: Some(id.to_owned()),
            repo: Some("Acme/deploy".to_owned()),
            event: Some(event.to_owned()),
            head_ref: Some("main".to_owned()),
            workflow_path: Some(".github/workflows/deploy.yml".to_owned()),
            created_at: Timestamp::parse(at),
            ..Run::default()
        }
    }

    fn sent(name: &str, at: &str) -> Handoff {
        Handoff {
            handoff_key: Key::of("handoff", &[name]),
            mechanism: "workflow_dispatch".to_owned(),
            child_repo: Some("acme/deploy".to_owned()),
            child_workflow: Some("deploy.yml".to_owned()),
            child_ref: Some("refs/heads/main".to_owned()),
            sent_at: Timestamp::parse(at),
            evidence: "log".to_owned(),
            ..Handoff::default()
        }
    }

    fn linked(handoffs: Vec<Handoff>, runs: Vec<Run>) -> Vec<Handoff> {
        let mut evidence = Evidence { handoffs, runs, ..Evidence::default() };
        link(&mut evidence);
        evidence.handoffs
    }

    #[test]
    fn the_nearest_fitting_run_is_the_child() {
        let near = run("near", "workflow_dispatch", "2026-10-01T00:00:12Z");
        let runs = vec![
            run("early", "workflow_dispatch", "2026-10-01T00:00:01Z"),
            near.clone(),
            run("late", "workflow_dispatch", "2026-10-01T00:00:50Z"),
            run("push", "push", "2026-10-01T00:00:11Z"),
            Run {
                head_ref: Some("dev".to_owned()),
                ..run("branch", "workflow_dispatch", "2026-10-01T00:00:10Z")
            },
        ];
        let rows = linked(vec![sent("a", "2026-10-01T00:00:10Z")], runs);
        assert_eq!(rows[0].child_run_key, Some(near.run_key));
        assert!(rows[0].confidence > 0.3 && rows[0].confidence < 1.0);
        assert_eq!(rows[0].candidates, Some(2));
    }

    #[test]
    fn two_dispatches_have_two_children() {
        let (first, second) = (
            run("1", "workflow_dispatch", "2026-10-01T00:00:11Z"),
            run("2", "workflow_dispatch", "2026-10-01T00:00:16Z"),
        );
        let handoffs = vec![sent("b", "2026-10-01T00:00:15Z"), sent("a", "2026-10-01T00:00:10Z")];
        let rows = linked(handoffs, vec![second.clone(), first.clone()]);
        assert_eq!(rows[0].child_run_key, Some(second.run_key));
        assert_eq!(rows[1].child_run_key, Some(first.run_key));
    }

    #[test]
    fn a_title_with_the_parents_id_outweighs_time() {
        let parent =
            Run { event: Some("push".to_owned()), ..run("17001234", "push", "2026-10-01T00:00:00Z") };
        let named = Run {
            display_title: Some("Deploy for 17001234".to_owned()),
            ..run("2", "workflow_dispatch", "2026-10-01T00:00:40Z")
        };
        let near = run("3", "workflow_dispatch", "2026-10-01T00:00:10Z");
        let handoff = Handoff { parent_run_key: Some(parent.run_key), ..sent("a", "2026-10-01T00:00:10Z") };
        let rows = linked(vec![handoff], vec![parent, near, named.clone()]);
        assert_eq!(rows[0].child_run_key, Some(named.run_key));
        assert_eq!(rows[0].link_method, "correlation_input");
    }

    #[test]
    fn sender_and_uniqueness_add_up() {
        let child =
            Run { actor: Some("cat".to_owned()), ..run("1", "workflow_dispatch", "2026-10-01T00:00:10Z") };
        let handoff =
            Handoff { credential_subject: Some("cat".to_owned()), ..sent("a", "2026-10-01T00:00:10Z") };
        let rows = linked(vec![handoff], vec![child]);
        assert!((rows[0].confidence - 0.9).abs() < 1e-9, "0.4 + 0.3 + 0.2: {}", rows[0].confidence);
        assert_eq!(
            linked(
                vec![sent("a", "2026-10-01T00:02:00Z")],
                vec![run("1", "workflow_dispatch", "2026-10-01T00:00:10Z")]
            )[0]
            .child_run_key,
            None
        );
    }
}
