//! The whole score on small evidence.

use super::*;
use leakgraph_model::tables::{
    Activity, Approval, Assumption, Grant, Handoff, HandoffInput, Identity, IdentityUsed, Job, Run, Secret,
    SecretPassed, SecretSighting, TokenPermission, identity_key,
};

const ARN: &str = "arn:aws:iam::111122223333:role/deploy";

pub(super) fn key(name: &str) -> Key {
    Key::of("test", &[name])
}

pub(super) fn job(run: &str, name: &str) -> Job {
    Job { job_key: key(name), run_key: key(run), name: name.to_owned(), has_log: true, ..Job::default() }
}

pub(super) fn permission(job: &str, scope: &str, access: &str) -> TokenPermission {
    let (scope, access) = (scope.to_owned(), access.to_owned());
    TokenPermission { job_key: key(job), scope, access, ..TokenPermission::default() }
}

/// A build hands to a deploy run, which acts as a role and shows a secret.
pub(super) fn evidence() -> Evidence {
    let run = |name: &str| Run {
        run_key: key(name),
        platform: "github".to_owned(),
        repo: Some("o/r".to_owned()),
        workflow_name: Some(name.to_owned()),
        ..Run::default()
    };
    let role = identity_key("aws", ARN);
    let mut evidence = Evidence::default();
    evidence.runs = vec![run("ci"), run("cd")];
    evidence.jobs = vec![job("ci", "build"), job("cd", "deploy")];
    evidence.token_permissions = vec![
        permission("build", "contents", "read"),
        permission("build", "checks", "write"),
        permission("build", "actions", "write"),
        permission("deploy", "contents", "read"),
    ];
    evidence.handoffs = vec![Handoff {
        handoff_key: key("h"),
        parent_run_key: Some(key("ci")),
        parent_job_key: Some(key("build")),
        child_run_key: Some(key("cd")),
        mechanism: "workflow_dispatch".to_owned(),
        gate: "none".to_owned(),
        evidence: "log".to_owned(),
        ..Handoff::default()
    }];
    evidence.handoff_inputs = vec![HandoffInput {
        handoff_key: key("h"),
        name: "environment".to_owned(),
        value_class: "enum".to_owned(),
        validated: Some(true),
        ..HandoffInput::default()
    }];
    evidence.identities = vec![Identity {
        identity_key: role,
        platform: "aws".to_owned(),
        native_id: ARN.to_owned(),
        is_nhi: Some(true),
        ..Identity::default()
    }];
    evidence.grants = vec![Grant {
        grant_key: key("g"),
        identity_key: role,
        platform: "aws".to_owned(),
        policy_kind: "identity".to_owned(),
        effect: "allow".to_owned(),
        actions: vec!["secretsmanager:GetSecretValue".to_owned(), "s3:GetObject".to_owned()],
        resources: vec!["*".to_owned()],
        understood: true,
        ..Grant::default()
    }];
    evidence.identities_used = vec![IdentityUsed {
        job_key: Some(key("deploy")),
        identity_key: Some(role),
        identity_kind: "aws_role".to_owned(),
        how: "static".to_owned(),
        ..IdentityUsed::default()
    }];
    evidence
}

pub(super) fn scored(evidence: &Evidence) -> Scores {
    score(evidence, &Weights::builtin()).unwrap()
}

#[test]
fn a_dedicated_child_with_closed_inputs_passes() {
    let scores = scored(&evidence());
    let row = &scores.handoff_scores[0];
    assert_eq!((row.verdict.as_str(), row.identity_mode.as_str()), ("pass", "own"));
    assert_eq!(row.permissions_dropped, ["actions:write", "checks:write"]);
    assert!(row.permissions_added.is_empty());
    assert_eq!(row.inputs_validated, Some(1.0));
    assert!(row.blast_low <= row.blast && row.blast <= row.blast_high && row.blast > 0.0);
    assert_eq!(row.top_target.as_deref(), Some("* [CRED]"));
    assert_eq!(row.top_path, ["o/r cd / deploy", ARN, "* [CRED]"]);
    assert!(row.expansion > Some(0.0));
    assert_eq!((row.parent.as_str(), row.child.as_str()), ("o/r ci / build", "o/r cd / *"));
}

#[test]
fn widened_forwarded_or_free_inputs_fail() {
    let mut widened = evidence();
    widened.token_permissions.push(permission("deploy", "packages", "write"));
    let row = &scored(&widened).handoff_scores[0];
    assert_eq!((row.verdict.as_str(), row.identity_mode.as_str()), ("fail", "widened"));

    let mut free = evidence();
    free.handoff_inputs[0].validated = Some(false);
    assert_eq!(scored(&free).handoff_scores[0].verdict, "fail");

    let mut forwarded = evidence();
    let fingerprint = "0123456789abcdef".repeat(2);
    forwarded.handoff_inputs[0].value_fingerprint = fingerprint.get(..16).map(str::to_owned);
    forwarded.secrets =
        vec![Secret { secret_key: key("s"), fingerprint, lifetime: "long".to_owned(), ..Secret::default() }];
    let scores = scored(&forwarded);
    assert_eq!(
        (scores.handoff_scores[0].verdict.as_str(), scores.handoff_scores[0].secrets_forwarded),
        ("fail", 1)
    );
    assert_eq!(scores.secret_scores[0].blast, None);
    assert!(scores.reach_edges.iter().any(|edge| edge.kind == "secret_forward" && edge.observed));
}

#[test]
fn secrets_by_name_are_shared_or_added() {
    let mut both = evidence();
    let passed = |job: &str, run: &str, name: &str| SecretPassed {
        job_key: Some(key(job)),
        run_key: key(run),
        name: name.to_owned(),
        ..SecretPassed::default()
    };
    both.secrets_passed = vec![
        passed("build", "ci", "NPM"),
        passed("deploy", "cd", "NPM"),
        passed("deploy", "cd", "KEY"),
        passed("deploy", "cd", "github_token"),
    ];
    let row = &scored(&both).handoff_scores[0];
    assert_eq!(
        (&row.secrets_shared[..], &row.secrets_added[..]),
        (&["NPM".to_owned()][..], &["KEY".to_owned()][..])
    );
}

#[test]
fn an_unseen_child_is_unknown_and_only_bounded_above() {
    let mut unseen = evidence();
    unseen.handoffs[0].child_run_key = None;
    unseen.handoffs[0].child_repo = Some("o/other".to_owned());
    unseen.handoff_inputs.clear();
    let scores = scored(&unseen);
    let row = &scores.handoff_scores[0];
    assert_eq!(
        (row.verdict.as_str(), row.identity_mode.as_str(), row.inputs_validated),
        ("unknown", "unknown", None)
    );
    assert_eq!((row.blast_low, row.blast), (0.0, 0.0));
    assert!(row.blast_high > 0.0);
    assert!(scores.evidence_gaps.iter().any(|gap| gap.gap == "no_child" && gap.effect == "lower_bound_only"));
}

#[test]
fn an_approval_lowers_what_the_parent_gains() {
    let before = scored(&evidence()).handoff_scores[0].expansion;
    let mut gated = evidence();
    gated.approvals = vec![Approval {
        run_key: key("cd"),
        state: "approved".to_owned(),
        self_review: Some(false),
        ..Approval::default()
    }];
    assert!(scored(&gated).handoff_scores[0].expansion < before);
}

#[test]
fn use_is_joined_and_refusals_are_not_use() {
    let mut active = evidence();
    let seen = |action: &str, denied: bool| Activity {
        identity_key: Some(identity_key("aws", ARN)),
        principal: ARN.to_owned(),
        action: action.to_owned(),
        denied,
        calls: 3,
        first_at: Some(leakgraph_model::Timestamp(0)),
        last_at: Some(leakgraph_model::Timestamp(100 * 86_400_000_000)),
        ..Activity::default()
    };
    assert_eq!(scored(&active).nhi_scores[0].excess, None);
    active.activity = vec![seen("s3:GetObject", false), seen("secretsmanager:getsecretvalue", true)];
    let refused = scored(&active).nhi_scores[0].clone();
    assert_eq!(
        (refused.actions_used, refused.usage.as_str(), refused.window_days),
        (1, "action", Some(100.0))
    );
    active.activity[1].denied = false;
    let used = scored(&active).nhi_scores[0].clone();
    assert_eq!(used.actions_used, 2);
    assert!(used.excess < refused.excess);
}

#[test]
fn a_logged_secret_leads_to_its_identity() {
    let mut leaked = evidence();
    leaked.identities_used.clear();
    let role = identity_key("aws", ARN);
    leaked.secrets = vec![Secret {
        secret_key: key("s"),
        identity_key: Some(role),
        lifetime: "long".to_owned(),
        ..Secret::default()
    }];
    leaked.secret_sightings = vec![SecretSighting {
        sighting_key: key("x"),
        secret_key: key("s"),
        job_key: Some(key("deploy")),
        ..SecretSighting::default()
    }];
    let scores = scored(&leaked);
    assert_eq!(scores.secret_scores[0].identities, [ARN]);
    assert!(scores.secret_scores[0].blast > Some(0.0));
    assert!(scores.handoff_scores[0].reached_identities >= Some(2));
}

#[test]
fn a_refused_assumption_cuts_the_trust() {
    let other = identity_key("aws", "arn:aws:iam::111122223333:role/ci");
    let mut refused = evidence();
    refused.assumptions = vec![Assumption {
        source_identity_key: Some(other),
        target_identity_key: Some(identity_key("aws", ARN)),
        denied: true,
        ..Assumption::default()
    }];
    assert!(scored(&refused).reach_edges.iter().all(|edge| edge.kind != "assumed"));
    refused.assumptions[0].denied = false;
    assert!(scored(&refused).reach_edges.iter().any(|edge| edge.kind == "assumed" && edge.observed));
}

#[test]
fn what_was_only_ever_refused_is_no_edge() {
    let mut refused = evidence();
    refused.grants[0].resources = vec!["arn:aws:s3:::prod/*".to_owned()];
    let to_data = |evidence: &Evidence| {
        scored(evidence).reach_edges.iter().filter(|edge| edge.target == "arn:aws:s3:::prod/* [DATA]").count()
    };
    assert_eq!(to_data(&refused), 1);
    let call = |denied: bool| Activity {
        identity_key: Some(identity_key("aws", ARN)),
        action: "s3:GetObject".to_owned(),
        resource: Some("arn:aws:s3:::prod/*".to_owned()),
        denied,
        calls: 1,
        ..Activity::default()
    };
    refused.activity = vec![call(true)];
    assert_eq!(to_data(&refused), 0);
    // Near misses: it succeeded once, or another resource was asked for.
    refused.activity.push(call(false));
    assert_eq!(to_data(&refused), 1);
    refused.activity = vec![Activity { resource: Some("arn:aws:s3:::prod/other".to_owned()), ..call(true) }];
    assert_eq!(to_data(&refused), 1);
}

#[test]
fn a_rejected_deployment_cuts_the_handoff() {
    let mut rejected = evidence();
    rejected.jobs[1].environment = Some("production".to_owned());
    let edges = |evidence: &Evidence| {
        scored(evidence).reach_edges.iter().filter(|edge| edge.kind == "handoff").count()
    };
    assert_eq!(edges(&rejected), 1);
    let review = |state: &str, environment: &str| Approval {
        run_key: key("cd"),
        environment: Some(environment.to_owned()),
        state: state.to_owned(),
        ..Approval::default()
    };
    rejected.approvals = vec![review("rejected", "staging")];
    assert_eq!(edges(&rejected), 1);
    rejected.approvals.push(review("rejected", "production"));
    assert_eq!(edges(&rejected), 0);
    rejected.approvals.push(review("approved", "production"));
    assert_eq!(edges(&rejected), 1);
}

#[test]
fn row_order_leaves_no_trace() {
    let forward = evidence();
    let mut backward = evidence();
    backward.jobs.reverse();
    backward.runs.reverse();
    backward.token_permissions.reverse();
    assert_eq!(scored(&forward), scored(&backward));
}

#[test]
fn nothing_gives_nothing() {
    assert_eq!(scored(&Evidence::default()), Scores::default());
}
