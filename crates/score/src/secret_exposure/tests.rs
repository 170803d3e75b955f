//! Scenarios: each says in a line what the right answer is and why.

use super::*;
use crate::Weights;
use leakgraph_model::tables::HandoffInput;
use proptest::prelude::*;

const HOUR: i64 = 3600;

fn key(name: &str) -> Key {
    Key::of("test", &[name])
}

fn at(hours: i64) -> Option<Timestamp> {
    Some(Timestamp::from_seconds(10_000_000 + hours * HOUR))
}

fn run(name: &str, repo: &str, hours: i64, visibility: Option<&str>) -> Run {
    Run {
        run_key: key(name),
        platform: "github".to_owned(),
        repo: Some(repo.to_owned()),
        workflow_path: Some("ci.yml".to_owned()),
        visibility: visibility.map(str::to_owned),
        created_at: at(hours),
        ended_at: at(hours + 1),
        ..Run::default()
    }
}

fn job(run: &str, environment: Option<&str>) -> Job {
    Job {
        job_key: key(&format!("{run}-job")),
        run_key: key(run),
        environment: environment.map(str::to_owned),
        ended_at: None,
        ..Job::default()
    }
}

fn seen(name: &str, run: &str, hours: i64) -> SecretSighting {
    SecretSighting {
        sighting_key: key(name),
        secret_key: key("s"),
        run_key: Some(key(run)),
        job_key: Some(key(&format!("{run}-job"))),
        source_key: key(run),
        place: "log".to_owned(),
        name: Some("TOKEN".to_owned()),
        seen_at: at(hours),
        ..SecretSighting::default()
    }
}

fn access_key(name: &str, status: &str, made: i64) -> Credential {
    Credential {
        credential_key: key(name),
        identity_key: Some(key("user")),
        kind: "access_key".to_owned(),
        status: status.to_owned(),
        created_at: at(made),
        ..Credential::default()
    }
}

/// A long-lived AWS key of `user`, shown in a private run at hour 10; the last evidence is of hour 100.
fn leak() -> Evidence {
    Evidence {
        runs: vec![run("a", "o/r", 10, Some("private")), run("late", "o/x", 99, Some("private"))],
        jobs: vec![job("a", None)],
        secrets: vec![Secret {
            secret_key: key("s"),
            fingerprint: "0123456789abcdef0123456789abcdef".to_owned(),
            provider: "aws".to_owned(),
            lifetime: "long".to_owned(),
            identity_key: Some(key("user")),
            ..Secret::default()
        }],
        secret_sightings: vec![seen("one", "a", 10)],
        ..Evidence::default()
    }
}

fn rows(evidence: &Evidence) -> Vec<SecretExposure> {
    exposures(evidence, Weights::builtin().trust()).0
}

type Answer = fn(&SecretExposure) -> bool;

fn scenarios() -> Vec<(&'static str, Evidence, Answer)> {
    let with = |change: fn(&mut Evidence)| {
        let mut evidence = leak();
        change(&mut evidence);
        evidence
    };
    vec![
        ("no inventory has the key: whether it lives is unknown, not yes and not no", with(|_| ()), |row| {
            row.state == "unknown" && row.gaps.contains(&"no_inventory".to_owned()) && row.exposed_s.is_none()
        }),
        (
            "the user's only key is active and older than the leak: it lives",
            with(|e| e.credentials.push(access_key("k", "active", 1))),
            |row| row.state == "alive" && row.exposed_s == Some((90 * HOUR) as f64),
        ),
        (
            "the user's only key is inactive: revoked",
            with(|e| e.credentials.push(access_key("k", "inactive", 1))),
            |row| row.state == "revoked",
        ),
        (
            "the user's only key was made after the leak: the leaked one is gone",
            with(|e| e.credentials.push(access_key("k", "active", 50))),
            |row| row.state == "revoked" && row.ended_at == at(50),
        ),
        (
            "near miss: it was made before the second sighting, so that one may be it",
            with(|e| {
                e.credentials.push(access_key("k", "active", 50));
                e.secret_sightings.push(seen("two", "late", 99));
            }),
            |row| row.state == "alive" && row.reused_after_exposure == Some(true),
        ),
        (
            "one of two keys is inactive, and which of them leaked is not known",
            with(|e| e.credentials.extend([access_key("k", "inactive", 1), access_key("l", "active", 2)])),
            |row| row.state == "unknown" && row.gaps.contains(&"several_credentials".to_owned()),
        ),
        (
            "both keys are active and older than the leak: whichever leaked lives",
            with(|e| e.credentials.extend([access_key("k", "active", 1), access_key("l", "active", 2)])),
            |row| row.state == "alive",
        ),
        (
            "the inventory shows use after the leak: it lives, whatever its status",
            with(|e| {
                e.credentials.push(Credential { last_used_at: at(60), ..access_key("k", "unknown", 1) });
            }),
            |row| row.state == "alive" && row.used_after_exposure == Some(true),
        ),
        (
            "its user is disabled: revoked",
            with(|e| {
                e.identities.push(Identity {
                    identity_key: key("user"),
                    status: "disabled".to_owned(),
                    ..Identity::default()
                });
            }),
            |row| row.state == "revoked",
        ),
        ("it told its own expiry, which has passed", with(|e| e.secrets[0].expires_at = at(20)), |row| {
            row.state == "expired" && row.exposed_s == Some((10 * HOUR) as f64)
        }),
        (
            "near miss: its expiry lies after the last evidence",
            with(|e| e.secrets[0].expires_at = at(2000)),
            |row| row.state == "alive",
        ),
        (
            "a job's token ended with its run",
            with(|e| e.secrets[0].lifetime = "ephemeral".to_owned()),
            |row| row.state == "expired" && row.ended_at == at(11),
        ),
        (
            "a session's key: the longest session had ended before the last evidence",
            with(|e| e.secrets[0].lifetime = "hours".to_owned()),
            |row| row.state == "expired",
        ),
        (
            "near miss: the session may still have lasted at the last evidence",
            with(|e| {
                e.secrets[0].lifetime = "hours".to_owned();
                e.runs[1] = run("late", "o/x", 20, None);
            }),
            |row| row.state == "unknown",
        ),
        (
            "the stored secret was changed after the leak: rotated where it is kept, which revokes nothing",
            with(|e| stored(e, 50)),
            |row| row.state == "rotated" && row.ended_at == at(50),
        ),
        (
            "the stored secret is older than the leak: it is the one that leaked",
            with(|e| stored(e, 5)),
            |row| row.state == "alive",
        ),
        ("a private run: who can read the repository", with(|_| ()), |row| {
            row.audience == "repository" && row.audience_high == "repository" && row.audience_from == "run"
        }),
        (
            "one public place is enough for anyone",
            with(|e| {
                e.runs.push(run("b", "o/open", 12, Some("public")));
                e.secret_sightings.push(seen("two", "b", 12));
            }),
            |row| row.audience == "anyone" && row.repos == ["o/open", "o/r"],
        ),
        (
            "nothing tells the run's visibility: unknown, and at worst anyone",
            with(|e| e.runs[0].visibility = None),
            |row| {
                row.audience == "unknown"
                    && row.audience_high == "anyone"
                    && row.gaps.contains(&"no_visibility".to_owned())
            },
        ),
        (
            "another run of the repository tells it",
            with(|e| {
                e.runs[0].visibility = None;
                e.runs.push(run("b", "O/R", 12, Some("internal")));
            }),
            |row| row.audience == "organisation" && row.audience_from == "repository",
        ),
        (
            "near miss: other runs disagree, so the repository was opened or closed in between",
            with(|e| {
                e.runs[0].visibility = None;
                e.runs.push(run("b", "o/r", 12, Some("internal")));
                e.runs.push(run("c", "o/r", 13, Some("public")));
            }),
            |row| row.audience == "unknown",
        ),
        (
            "the same value in production and in staging",
            with(|e| {
                e.jobs = vec![job("a", Some("production")), job("b", Some("staging-eu"))];
                e.runs.push(run("b", "o/r", 12, None));
                e.secret_sightings.push(seen("two", "b", 12));
            }),
            |row| row.crosses_environment == Some(true),
        ),
        (
            "near miss: non-prod and test are not production",
            with(|e| {
                e.jobs = vec![job("a", Some("non-prod")), job("b", Some("test"))];
                e.runs.push(run("b", "o/r", 12, None));
                e.secret_sightings.push(seen("two", "b", 12));
            }),
            |row| row.crosses_environment == Some(false),
        ),
        ("a job without an environment: unknown", with(|_| ()), |row| {
            row.crosses_environment.is_none() && row.gaps.contains(&"no_environment".to_owned())
        }),
        ("seen twice in one run: no reuse", with(|e| e.secret_sightings.push(seen("two", "a", 11))), |row| {
            row.reused_after_exposure == Some(false) && row.sightings == 2
        }),
        (
            "an input of a handoff has its fingerprint",
            with(|e| {
                e.handoff_inputs.push(HandoffInput {
                    handoff_key: key("h"),
                    value_fingerprint: Some("0123456789abcdef".to_owned()),
                    ..HandoffInput::default()
                });
            }),
            |row| row.handoffs == 1,
        ),
        (
            "its run was deleted since",
            with(|e| {
                e.evidence_gaps.push(EvidenceGap {
                    subject_key: key("a"),
                    gap: "deleted_run".to_owned(),
                    ..EvidenceGap::default()
                });
            }),
            |row| row.deleted_logs == 1,
        ),
    ]
}

fn stored(evidence: &mut Evidence, changed: i64) {
    evidence.secrets[0].identity_key = None;
    evidence.secrets[0].resolved_subject = Some("secret:o/r/TOKEN".to_owned());
    evidence.credentials.push(Credential {
        credential_key: key("stored"),
        kind: "actions_secret".to_owned(),
        name: "token".to_owned(),
        scope: Some("O/r".to_owned()),
        status: "unknown".to_owned(),
        rotated_at: at(changed),
        ..Credential::default()
    });
}

#[test]
fn each_scenario_has_its_answer() {
    for (why, evidence, answer) in scenarios() {
        let found = rows(&evidence);
        assert_eq!(found.len(), 1, "{why}");
        assert!(answer(&found[0]), "{why}\n{:#?}", found[0]);
    }
}

#[test]
fn nothing_gives_nothing() {
    assert!(rows(&Evidence::default()).is_empty());
}

fn wide(audience: &str) -> usize {
    ["unknown", "repository", "organisation", "anyone"].iter().position(|name| *name == audience).unwrap()
}

proptest! {
    #[test]
    fn order_leaves_no_trace_and_a_sighting_never_narrows(places in prop::collection::vec((0usize..4, 1i64..90), 0..7), turn in 0usize..7) {
        let mut evidence = leak();
        for (number, visibility) in [None, Some("private"), Some("internal"), Some("public")].into_iter().enumerate() {
            evidence.runs.push(run(&format!("r{number}"), &format!("o/r{number}"), 5, visibility));
        }
        let mut before = rows(&evidence).remove(0);
        for (index, (place, hours)) in places.iter().enumerate() {
            evidence.secret_sightings.push(seen(&format!("x{index}"), &format!("r{place}"), *hours));
            let after = rows(&evidence).remove(0);
            prop_assert!(wide(&after.audience) >= wide(&before.audience));
            prop_assert!(after.first_exposed_at <= before.first_exposed_at && after.last_exposed_at >= before.last_exposed_at);
            prop_assert!(after.runs >= before.runs && after.sightings > before.sightings);
            before = after;
        }
        let mut other = evidence.clone();
        let turn = turn % other.secret_sightings.len();
        other.secret_sightings.rotate_left(turn);
        other.runs.reverse();
        prop_assert_eq!(rows(&evidence), rows(&other));
    }
}
