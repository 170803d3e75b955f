//! Who may change what runs: scenarios, each with the right answer and why.

use crate::tests::{evidence, job, key, permission, scored};
use leakgraph_model::scored::ReachEdge;
use leakgraph_model::tables::{
    Assumption, Credential, Grant, Identity, IdentityUsed, Run, SecretPassed, identity_key,
};
use leakgraph_model::{Evidence, Key};
use proptest::prelude::*;

/// A GitHub identity with a grant on a resource.
fn holder(evidence: &mut Evidence, kind: &str, actions: &[&str], resource: &str) -> Key {
    let holder = identity_key("github", kind);
    evidence.identities.push(Identity {
        identity_key: holder,
        platform: "github".to_owned(),
        kind: kind.to_owned(),
        native_id: kind.to_owned(),
        is_nhi: Some(true),
        ..Identity::default()
    });
    evidence.grants.push(Grant {
        grant_key: key(kind),
        identity_key: holder,
        platform: "github".to_owned(),
        policy_kind: "permission".to_owned(),
        effect: "allow".to_owned(),
        actions: actions.iter().map(|action| (*action).to_owned()).collect(),
        resources: vec![resource.to_owned()],
        understood: true,
        ..Grant::default()
    });
    holder
}

fn stored(kind: &str, scope: &str) -> Credential {
    Credential {
        credential_key: key(scope),
        kind: kind.to_owned(),
        name: "NPM".to_owned(),
        scope: Some(scope.to_owned()),
        status: "active".to_owned(),
        ..Credential::default()
    }
}

fn environment(reviewers: usize) -> Identity {
    Identity {
        identity_key: identity_key("github", "env:o/r/production"),
        platform: "github".to_owned(),
        kind: "environment".to_owned(),
        native_id: "env:o/r/production".to_owned(),
        is_nhi: Some(false),
        tags: vec![format!("required_reviewers={reviewers}")],
        ..Identity::default()
    }
}

fn edges(evidence: &Evidence, kind: &str) -> Vec<ReachEdge> {
    let mut edges = scored(evidence).reach_edges;
    edges.retain(|edge| edge.kind == kind);
    edges
}

fn blast(evidence: &Evidence, identity: Key) -> Option<f64> {
    scored(evidence).nhi_scores.into_iter().find(|row| row.identity_key == identity).and_then(|row| row.blast)
}

#[test]
fn who_may_write_to_a_repository_reaches_what_its_workflows_hold() {
    // (kind, permissions, on, what it may change, whether that is sure, and why)
    let scenarios = [
        (
            "deploy_key",
            &["contents:write"][..],
            "repo:o/r",
            Some(("repo:o/r workflows", true)),
            "keys may push workflow files",
        ),
        ("deploy_key", &["contents:read"], "repo:o/r", None, "reading changes nothing"),
        ("deploy_key", &["contents:write"], "repo:o/other", None, "another repository"),
        (
            "app_installation",
            &["contents:write"],
            "repo:o/*",
            Some(("repo:o/r code", true)),
            "an app without `workflows` may change scripts only",
        ),
        (
            "app_installation",
            &["contents:write", "workflows:write"],
            "repo:O/R",
            Some(("repo:o/r workflows", true)),
            "with it, workflow files too; names have no case",
        ),
        (
            "app_installation",
            &["issues:write", "workflows:write"],
            "repo:o/*",
            None,
            "without `contents` nothing can be pushed",
        ),
        (
            "app_installation",
            &["contents:write"],
            "repo:o/selected",
            Some(("repo:o/r code", false)),
            "which repositories were selected is not on record",
        ),
        (
            "repository_token",
            &["contents:write", "workflows:write"],
            "repo:o/r",
            Some(("repo:o/r code", true)),
            "a job's token never writes workflow files",
        ),
    ];
    for (kind, actions, resource, right, why) in scenarios {
        let mut case = evidence();
        case.token_permissions.clear();
        let holder = holder(&mut case, kind, actions, resource);
        let mut found = edges(&case, "change_code");
        found.retain(|edge| edge.source == kind);
        let to: Vec<_> = found.iter().map(|edge| (edge.target.as_str(), !edge.unknown)).collect();
        assert_eq!(to, right.into_iter().collect::<Vec<_>>(), "{kind} {actions:?} on {resource}: {why}");
        assert!(found.iter().all(|edge| !edge.observed && edge.assumed), "possible edges stay apart");
        let reaches = blast(&case, holder)
            > blast(
                &{
                    let mut less = case.clone();
                    less.jobs.clear();
                    less
                },
                holder,
            );
        assert_eq!(reaches, right.is_some_and(|(_, sure)| sure), "{kind} {actions:?} on {resource}: {why}");
    }
}

#[test]
fn a_jobs_own_token_needs_somebody_to_start_the_next_run() {
    let mut case = evidence();
    assert!(edges(&case, "change_code").is_empty(), "its token may read only");
    case.token_permissions.push(permission("build", "contents", "write"));
    let own = edges(&case, "change_code");
    assert_eq!(own.len(), 1);
    assert_eq!((own[0].cost, own[0].unproven, own[0].observed), (1, 1, false));
    let mut key = evidence();
    holder(&mut key, "deploy_key", &["contents:write"], "repo:o/r");
    let of_key = |edge: &ReachEdge| edge.source == "deploy_key" && edge.cost == 0;
    assert!(edges(&key, "change_code").iter().any(of_key));
}

#[test]
fn reviewers_of_an_environment_stand_before_its_jobs_and_secrets() {
    let cost = |guard: Option<Identity>| {
        let mut case = evidence();
        case.jobs[1].environment = Some("production".to_owned());
        case.credentials = vec![stored("environment_secret", "o/r/production")];
        case.identities.extend(guard);
        let of = |edge: &ReachEdge| (edge.cost, edge.unproven);
        let jobs = edges(&case, "runs").iter().filter(|edge| edge.target_key == key("deploy")).map(of).next();
        (jobs, edges(&case, "stores").first().map(of))
    };
    assert_eq!(cost(Some(environment(2))), (Some((1, 0)), Some((1, 0))));
    assert_eq!(cost(Some(environment(0))), (Some((0, 0)), Some((0, 0))), "it asks nobody");
    assert_eq!(cost(None), (Some((0, 1)), Some((0, 1))), "whether it asks is not on record");
}

#[test]
fn workflow_files_may_ask_for_every_secret_of_their_repository() {
    let mut case = evidence();
    case.credentials = vec![
        stored("actions_secret", "O/R"),
        stored("organization_secret", "o"),
        stored("actions_secret", "o/without-runs"),
        stored("dependabot_secret", "o/r/x"),
    ];
    let found = edges(&case, "stores");
    let mut found: Vec<_> = found.iter().map(|edge| (edge.target.as_str(), edge.unknown)).collect();
    found.sort_unstable();
    // Which repositories may use the organisation's is not on record; Dependabot's go to no workflow.
    assert_eq!(
        found,
        [("secret:o/NPM", true), ("secret:o/r/NPM", false), ("secret:o/without-runs/NPM", false)]
    );
}

#[test]
fn sessions_stand_between_jobs_and_identities() {
    let mut case = evidence();
    let direct = scored(&case);
    case.identities_used[0] = IdentityUsed {
        how: "oidc".to_owned(),
        session_id: Some("AROAEXAMPLE:deploy-1".to_owned()),
        session_name: Some("deploy-1".to_owned()),
        ..case.identities_used[0].clone()
    };
    let role = case.identities[0].identity_key;
    case.assumptions = vec![
        Assumption {
            target_identity_key: Some(role),
            target: "role".to_owned(),
            session_id: Some("AROAEXAMPLE:deploy-1".to_owned()),
            ..Assumption::default()
        },
        Assumption {
            denied: true,
            session_id: Some("AROAEXAMPLE:2".to_owned()),
            target_identity_key: Some(role),
            ..Assumption::default()
        },
    ];
    let sessions = scored(&case);
    assert_eq!(sessions.handoff_scores[0].blast, direct.handoff_scores[0].blast);
    assert_eq!(sessions.handoff_scores[0].top_path.len(), direct.handoff_scores[0].top_path.len() + 1);
    // The log and the trail tell of one session; a refused one was none.
    assert_eq!(sessions.reach_nodes.iter().filter(|node| node.kind == "session").count(), 1);
}

#[test]
fn credentials_that_were_ended_open_nothing() {
    let mut case = evidence();
    let role = case.identities[0].identity_key;
    let credential = |name: &str, status: &str| Credential {
        credential_key: key(name),
        identity_key: Some(role),
        kind: "access_key".to_owned(),
        name: name.to_owned(),
        status: status.to_owned(),
        ..Credential::default()
    };
    case.credentials = vec![credential("live", "active"), credential("ended", "inactive")];
    let open: Vec<_> = edges(&case, "credential_of").into_iter().map(|edge| edge.source).collect();
    assert_eq!(open, ["access key live"]);
}

#[test]
fn whoever_caused_a_run_stands_above_it() {
    let mut case = evidence();
    let person = |run: &mut Run, actor: &str, kind: &str| {
        run.actor = Some(actor.to_owned());
        run.actor_kind = Some(kind.to_owned());
    };
    person(&mut case.runs[0], "Cat", "user");
    person(&mut case.runs[1], "renovate[bot]", "bot");
    let starts = |case: &Evidence| {
        edges(case, "starts").into_iter().map(|edge| (edge.source, edge.source_kind)).collect::<Vec<_>>()
    };
    assert_eq!(starts(&case), [("Cat".to_owned(), "human".to_owned())]);
    holder(&mut case, "app:renovate", &["issues:write"], "repo:o/*");
    assert!(starts(&case).contains(&("app:renovate".to_owned(), "identity".to_owned())));
}

#[test]
fn the_token_of_a_job_is_no_secret_of_its_own() {
    let mut case = evidence();
    let passed = |name: &str, how: &str| SecretPassed {
        job_key: Some(key("deploy")),
        run_key: key("cd"),
        name: name.to_owned(),
        how: how.to_owned(),
        ..SecretPassed::default()
    };
    case.secrets_passed = vec![passed("token", "binding"), passed("GH_TOKEN", "binding")];
    let own = scored(&case);
    assert_eq!(own.handoff_scores[0].secrets_added, Vec::<String>::new());
    assert_ne!(own.handoff_scores[0].identity_mode, "widened");
    assert!(own.reach_nodes.iter().all(|node| node.kind != "secret"));
    // A secret by that name on the platform's own list is one.
    case.secrets_passed.push(passed("token", "audit_list"));
    assert_eq!(scored(&case).handoff_scores[0].secrets_added, ["token"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// A grant, credential or run more never lowers any reach, and order leaves no trace.
    #[test]
    fn more_never_lowers_and_order_leaves_no_trace(picks in proptest::collection::vec(0usize..6, 0..5), more in 0usize..6) {
        let add = |case: &mut Evidence, pick: usize, at: usize| match pick {
            0 => drop(holder(case, &format!("key{at}"), &["contents:write", "workflows:write"], "repo:o/r")),
            1 => drop(holder(case, &format!("app{at}"), &["contents:write"], "repo:o/*")),
            2 => case.credentials.push(Credential { identity_key: Some(case.identities[0].identity_key), ..stored("access_key", &format!("k{at}")) }),
            3 => case.jobs.push(job("cd", &format!("job{at}"))),
            4 => case.runs[0].actor = Some(format!("p{at}")),
            _ => case.assumptions.push(Assumption { target_identity_key: Some(case.identities[0].identity_key), session_id: Some(format!("s{at}")), ..Assumption::default() }),
        };
        let mut case = evidence();
        for (at, pick) in picks.iter().enumerate() {
            add(&mut case, *pick, at);
        }
        let before = scored(&case);
        let mut turned = case.clone();
        turned.grants.reverse();
        turned.runs.reverse();
        turned.jobs.reverse();
        turned.credentials.reverse();
        turned.assumptions.reverse();
        turned.identities.reverse();
        prop_assert_eq!(&scored(&turned).reach_edges, &before.reach_edges);
        add(&mut case, more, 99);
        let after = scored(&case);
        for row in &before.nhi_scores {
            let reach = |scores: &crate::Scores| {
                let total: f64 = scores.reach_nodes.iter().map(|node| node.sensitivity).sum();
                let blast = scores.nhi_scores.iter().find(|other| other.identity_key == row.identity_key)?.blast?;
                // Scores are relative to all there is; reach is not.
                Some((blast / 100.0 * total.ln_1p()).exp_m1())
            };
            prop_assert!(reach(&after) >= reach(&before).map(|reach| reach - 1e-9));
        }
    }
}
