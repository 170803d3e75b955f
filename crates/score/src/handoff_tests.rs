//! Handoffs: what is right in which situation, and what must hold in all.

use super::tests::{evidence, job, key, permission, scored};
use super::*;
use leakgraph_model::Timestamp;
use leakgraph_model::scored::HandoffScore;
use leakgraph_model::tables::{
    Approval, Handoff, HandoffInput, Identity, IdentityUsed, Run, Secret, SecretPassed, SecretSighting,
    identity_key,
};
use proptest::prelude::*;

fn passed(job: &str, run: &str, name: &str, how: &str) -> SecretPassed {
    SecretPassed {
        job_key: Some(key(job)),
        run_key: key(run),
        name: name.to_owned(),
        how: how.to_owned(),
        ..SecretPassed::default()
    }
}

fn known_secret() -> Secret {
    Secret {
        secret_key: key("s"),
        fingerprint: "0123456789abcdef".repeat(2),
        lifetime: "long".to_owned(),
        ..Secret::default()
    }
}

/// What a scenario says, how it comes about, and what the row must show.
type Scenario = (&'static str, fn(&mut Evidence), fn(&HandoffScore) -> bool);

const SCENARIOS: &[Scenario] = &[
    (
        "own token, closed inputs, nothing forwarded: pass",
        |_| {},
        |row| {
            row.verdict == "pass"
                && row.identity_mode == "own"
                && row.controls == ["closed_inputs", "own_identity"]
        },
    ),
    (
        "a reusable workflow with `secrets: inherit` runs on its caller's identity: fail, and the names are listed",
        |e| {
            e.handoffs[0].mechanism = "workflow_call".to_owned();
            e.secrets_passed =
                vec![passed("build", "ci", "NPM", "binding"), passed("deploy", "cd", "NPM", "inherit_all")];
        },
        |row| {
            row.verdict == "fail"
                && row.identity_mode == "inherited"
                && row.forwarded == ["NPM=inherited"]
                && row.secrets_forwarded == 0
        },
    ),
    (
        "the child has a scope the parent had not: widened",
        |e| e.token_permissions.push(permission("deploy", "packages", "write")),
        |row| row.identity_mode == "widened" && row.verdict == "fail" && row.factor_widening > Some(0.0),
    ),
    (
        "an input's fingerprint is a known secret's: forwarded by value, whatever it looks like",
        |e| {
            e.handoff_inputs[0].value_fingerprint = Some("0123456789abcdef".to_owned());
            e.secrets = vec![known_secret()];
        },
        |row| {
            row.forwarded == ["environment=value"]
                && row.verdict == "fail"
                && row.evidence.iter().any(|e| e.starts_with("secrets:"))
        },
    ),
    (
        "the scanner decoded a secret in an input: forwarded, with its encodings",
        |e| {
            e.secrets = vec![known_secret()];
            e.secret_sightings = vec![SecretSighting {
                sighting_key: key("x"),
                secret_key: key("s"),
                handoff_key: Some(key("h")),
                name: Some("token".to_owned()),
                place: "handoff_input".to_owned(),
                encodings: vec!["base64".to_owned(), "hex".to_owned()],
                confidence: "likely".to_owned(),
                ..SecretSighting::default()
            }];
        },
        |row| {
            row.forwarded == ["token=encoded:base64+hex"] && (row.factor_exposure.unwrap() - 0.7).abs() < 1e-9
        },
    ),
    (
        "near miss: a fingerprint that no secret has is a value like any other",
        |e| e.handoff_inputs[0].value_fingerprint = Some("f".repeat(16)),
        |row| row.forwarded.is_empty() && row.verdict == "pass",
    ),
    (
        "both sides act as the same role: inherited, and the role is named",
        |e| {
            let mut same = e.identities_used[0].clone();
            same.job_key = Some(key("build"));
            e.identities_used.push(same);
        },
        |row| row.identity_mode == "inherited" && row.identities_shared.len() == 1 && row.verdict == "fail",
    ),
    (
        "another person approved the child's run: one more check, one more control",
        |e| {
            e.approvals = vec![Approval {
                run_key: key("cd"),
                state: "approved".to_owned(),
                self_review: Some(false),
                ..Approval::default()
            }];
        },
        |row| {
            row.checks.contains(&"approval".to_owned())
                && row.controls.contains(&"approval".to_owned())
                && row.control_factor < 0.5
        },
    ),
    (
        "near miss: an approval of one's own run is none",
        |e| {
            e.approvals = vec![Approval {
                run_key: key("cd"),
                state: "approved".to_owned(),
                self_review: Some(true),
                ..Approval::default()
            }];
        },
        |row| !row.checks.contains(&"approval".to_owned()),
    ),
    (
        "sent with the job's token a minute ago, first attempt: fresh",
        |e| fresh(e, "GITHUB_TOKEN", 1),
        |row| row.checks.contains(&"freshness".to_owned()) && row.factor_persistence == Some(1.0),
    ),
    (
        "the same, replayed: not fresh",
        |e| fresh(e, "GITHUB_TOKEN", 2),
        |row| !row.checks.contains(&"freshness".to_owned()),
    ),
    (
        "a personal token stands until somebody ends it: not fresh",
        |e| fresh(e, "pat", 1),
        |row| !row.checks.contains(&"freshness".to_owned()),
    ),
    (
        "no child: nothing but an upper bound, and the verdict is open",
        |e| {
            e.handoffs[0].child_run_key = None;
            e.handoff_inputs.clear();
        },
        |row| {
            row.verdict == "unknown"
                && row.blast == 0.0
                && row.blast_high > 0.0
                && row.factor_privilege.is_none()
                && row.factor_depth.is_none()
                && row.factor_widening.is_none()
                && row.descendants == 0
        },
    ),
    (
        "no permissions of the parent: what the child gained cannot be said",
        |e| e.token_permissions.retain(|row| row.job_key == key("deploy")),
        |row| row.factor_widening.is_none() && row.permissions_added.is_empty() && row.coverage < 1.0,
    ),
    (
        "the child hands on: its descendants count",
        |e| {
            e.jobs.push(job("cd", "later"));
            e.handoffs[0].child_job_key = Some(key("deploy"));
            e.handoffs.push(Handoff {
                handoff_key: key("h2"),
                parent_job_key: Some(key("deploy")),
                child_job_key: Some(key("later")),
                confidence: 1.0,
                ..Handoff::default()
            });
        },
        |row| row.descendants == 2 && row.factor_depth > Some(0.29),
    ),
];

fn fresh(evidence: &mut Evidence, credential: &str, attempt: i64) {
    evidence.handoffs[0].credential_kind = credential.to_owned();
    evidence.handoffs[0].sent_at = Some(Timestamp(1_000_000_000));
    let child = evidence.runs.iter_mut().find(|run| run.run_key == key("cd")).unwrap();
    child.attempt = Some(attempt);
    child.created_at = Some(Timestamp(1_060_000_000));
}

#[test]
fn scenarios() {
    for (name, change, holds) in SCENARIOS {
        let mut evidence = evidence();
        change(&mut evidence);
        let scores = scored(&evidence);
        let row = scores.handoff_scores.iter().find(|row| row.handoff_key == key("h")).unwrap();
        assert!(holds(row), "{name}: {row:#?}");
        assert!(row.blast_low <= row.blast && row.blast <= row.blast_high, "{name}");
    }
}

/// Runs of one job each that hand on at random, with roles.
fn organisation(links: &[(usize, usize)], roles: &[usize]) -> Evidence {
    let mut all = Evidence::default();
    for index in 0..8usize {
        let name = format!("run{index}");
        all.runs.push(Run {
            run_key: key(&name),
            platform: "github".to_owned(),
            repo: Some(format!("o/r{index}")),
            ..Run::default()
        });
        all.jobs.push(job(&name, &format!("job{index}")));
        all.token_permissions.push(permission(
            &format!("job{index}"),
            "contents",
            if index % 2 == 0 { "write" } else { "read" },
        ));
    }
    for (index, (from, to)) in links.iter().enumerate().filter(|(_, (from, to))| from != to) {
        all.handoffs.push(Handoff {
            handoff_key: key(&format!("handoff{index}")),
            parent_run_key: Some(key(&format!("run{from}"))),
            child_run_key: Some(key(&format!("run{to}"))),
            mechanism: "workflow_dispatch".to_owned(),
            gate: "none".to_owned(),
            credential_kind: "pat".to_owned(),
            evidence: "log".to_owned(),
            confidence: 1.0,
            ..Handoff::default()
        });
        all.handoff_inputs.push(HandoffInput {
            handoff_key: key(&format!("handoff{index}")),
            name: "ref".to_owned(),
            value_class: "text".to_owned(),
            validated: Some(false),
            ..HandoffInput::default()
        });
    }
    for (index, role) in roles.iter().enumerate() {
        let native = format!("arn:aws:iam::111122223333:role/r{role}");
        all.identities.push(Identity {
            identity_key: identity_key("aws", &native),
            platform: "aws".to_owned(),
            native_id: native.clone(),
            is_nhi: Some(true),
            ..Identity::default()
        });
        all.identities_used.push(IdentityUsed {
            job_key: Some(key(&format!("job{index}"))),
            identity_key: Some(identity_key("aws", &native)),
            identity_kind: "aws_role".to_owned(),
            how: "static".to_owned(),
            ..IdentityUsed::default()
        });
    }
    all.identities.dedup_by_key(|row| row.identity_key);
    all
}

fn by_key(scores: &Scores) -> HashMap<Key, HandoffScore> {
    scores.handoff_scores.iter().map(|row| (row.handoff_key, row.clone())).collect()
}

fn links() -> impl Strategy<Value = Vec<(usize, usize)>> {
    prop::collection::vec((0usize..8, 0usize..8), 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn an_approval_never_raises_a_blast_radius(links in links(), roles in prop::collection::vec(0usize..4, 0..6), which in 0usize..8) {
        let open = organisation(&links, &roles);
        let mut gated = open.clone();
        gated.approvals = vec![Approval {
            run_key: key(&format!("run{which}")),
            state: "approved".to_owned(),
            self_review: Some(false),
            ..Approval::default()
        }];
        let (open, gated) = (by_key(&scored(&open)), by_key(&scored(&gated)));
        for (key, before) in &open {
            let after = &gated[key];
            prop_assert!(after.blast <= before.blast + 1e-9 && after.blast_high <= before.blast_high + 1e-9 && after.blast_low <= before.blast_low + 1e-9);
        }
    }

    #[test]
    fn one_more_handoff_never_lowers_a_blast_radius(links in links(), extra in (0usize..8, 0usize..8), roles in prop::collection::vec(0usize..4, 0..6)) {
        let before = by_key(&scored(&organisation(&links, &roles)));
        let mut more = links;
        more.push(extra);
        let after = by_key(&scored(&organisation(&more, &roles)));
        for (key, row) in &before {
            prop_assert!(after[key].blast >= row.blast - 1e-9 && after[key].blast_high >= row.blast_high - 1e-9);
        }
    }

    #[test]
    fn order_and_splitting_leave_no_trace(links in links(), roles in prop::collection::vec(0usize..4, 0..6), at in 0usize..12) {
        let whole = organisation(&links, &roles);
        let mut second = whole.clone();
        let mut first = Evidence::default();
        let at = at.min(second.handoffs.len());
        first.handoffs = second.handoffs.drain(..at).collect();
        let half = second.jobs.len() / 2;
        first.jobs = second.jobs.drain(..half).collect();
        second.runs.reverse();
        second.identities_used.reverse();
        second.token_permissions.reverse();
        second.append(first);
        prop_assert_eq!(scored(&whole), scored(&second));
    }

    #[test]
    fn the_closure_says_of_handoffs_what_searches_say(links in links(), roles in prop::collection::vec(0usize..4, 0..6)) {
        let evidence = organisation(&links, &roles);
        let weights = Weights::builtin();
        let base = Base::of(&evidence).unwrap();
        let graph = base.graph(&evidence, &weights);
        let mut blast = blast::Blast::new(&evidence, &graph, &weights);
        let searched = blast.handoffs(&base.sides, &base.crossings);
        blast.budget = 0;
        let closed = blast.handoffs(&base.sides, &base.crossings);
        prop_assert_eq!(searched.len(), closed.len());
        for (one, two) in searched.iter().zip(&closed) {
            prop_assert!((one.blast - two.blast).abs() < 1e-9 && (one.blast_low - two.blast_low).abs() < 1e-9 && (one.blast_high - two.blast_high).abs() < 1e-9);
            prop_assert_eq!((&one.top_path, one.reached_identities, two.blast_error), (&two.top_path, two.reached_identities, 0.0));
        }
    }
}

#[test]
fn weights_that_do_not_matter_move_nothing_and_others_do() {
    let rows = sensitivity(&evidence(), &Weights::builtin()).unwrap();
    let of = |weight: &str, ranking: &str| {
        rows.iter()
            .filter(|row| row.weight == weight && row.ranking == ranking)
            .map(|row| row.points)
            .fold(0.0, f64::max)
    };
    assert_eq!(rows.len(), Weights::builtin().names().len() * 2 * 4);
    assert_eq!(of("control.approval", "handoffs"), 0.0);
    assert!(of("class.CRED.sensitivity", "handoffs") > 0.0);
    assert!(of("class.CRED.ceiling", "nhis") > 0.0);
    assert!(rows.iter().all(|row| row.places == 0), "one of each stays first");
}
