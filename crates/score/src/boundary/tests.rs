//! Evidence of execution boundaries for tests, and what single rows say.

mod laws;
mod scenarios;

use super::*;
use leakgraph_model::tables::{
    Binding, IdentityUsed, Job, Run, SecretPassed, Step, TokenPermission, WorkflowDefinition,
};
use leakgraph_model::{Evidence, Key, Timestamp};

fn key(name: &str) -> Key {
    Key::of("test", &[name])
}

fn at(seconds: i64) -> Option<Timestamp> {
    Some(Timestamp::from_seconds(1_000_000 + seconds))
}

const SHA: &str = "@34e114876b0b11c390a56381ad16ebd13914f8d5";

/// A job on a push with a log, whose token may read, and no steps yet; each step takes 10 s.
struct Case {
    evidence: Evidence,
}

impl Case {
    fn new(event: &str) -> Self {
        let mut evidence = Evidence::default();
        evidence.runs.push(Run {
            run_key: key("run"),
            platform: "github".to_owned(),
            repo: Some("o/r".to_owned()),
            workflow_name: Some("CI".to_owned()),
            workflow_path: Some(".github/workflows/ci.yml".to_owned()),
            event: Some(event.to_owned()),
            from_fork: Some(false),
            ..Run::default()
        });
        evidence.jobs.push(Job {
            job_key: key("job"),
            run_key: key("run"),
            name: "build".to_owned(),
            has_log: true,
            runner_kind: Some("hosted".to_owned()),
            started_at: at(0),
            ended_at: at(100),
            ..Job::default()
        });
        Self { evidence }.permission("contents", "read").step("Set up job", "setup")
    }

    fn permission(mut self, scope: &str, access: &str) -> Self {
        self.evidence.token_permissions.push(TokenPermission {
            job_key: key("job"),
            scope: scope.to_owned(),
            access: access.to_owned(),
            ..TokenPermission::default()
        });
        self
    }

    fn step(mut self, name: &str, kind: &str) -> Self {
        let ordinal = self.evidence.steps.len();
        let seconds = i64::try_from(ordinal).unwrap() * 10;
        self.evidence.steps.push(Step {
            step_key: key(&format!("step {ordinal}")),
            job_key: key("job"),
            ordinal: i64::try_from(ordinal).unwrap(),
            name: name.to_owned(),
            kind: kind.to_owned(),
            script_bytes: name.strip_prefix("Run ").map(|line| i64::try_from(line.len()).unwrap()),
            started_at: at(seconds),
            ended_at: at(seconds + 10),
            attribution: "file".to_owned(),
            ..Step::default()
        });
        self
    }

    fn run_step(self, script: &str) -> Self {
        self.step(&format!("Run {script}"), "run")
    }

    fn action(self, uses: &str) -> Self {
        let mut case = self.step(&format!("Run {uses}"), "action");
        let reference = uses.split('@').nth(1).unwrap_or_default();
        let step = case.evidence.steps.last_mut().unwrap();
        step.uses = Some(uses.to_owned());
        step.script_bytes = None;
        step.pinned = Some(
            match reference.len() {
                0 => "local",
                40 => "sha",
                _ => "tag",
            }
            .to_owned(),
        );
        case
    }

    /// The last step is handed a masked value.
    fn bound(mut self, name: &str, place: &str) -> Self {
        let step = self.evidence.steps.last().unwrap().step_key;
        self.evidence.bindings.push(Binding {
            binding_key: Key::of("binding", &[&step.to_string(), name]),
            step_key: step,
            job_key: key("job"),
            place: place.to_owned(),
            name: name.to_owned(),
            state: "masked".to_owned(),
            ..Binding::default()
        });
        self.secret(name, "binding")
    }

    fn secret(mut self, name: &str, how: &str) -> Self {
        self.evidence.secrets_passed.push(SecretPassed {
            job_key: Some(key("job")),
            run_key: key("run"),
            name: name.to_owned(),
            how: how.to_owned(),
            ..SecretPassed::default()
        });
        self
    }

    /// A checkout that leaves its token, or not.
    fn checkout(self, persists: bool) -> Self {
        let mut case = self.action("actions/checkout@v4");
        let step = case.evidence.steps.last().unwrap().step_key;
        case.evidence.bindings.push(Binding {
            binding_key: Key::of("binding", &[&step.to_string(), "persist"]),
            step_key: step,
            job_key: key("job"),
            place: "with".to_owned(),
            name: "persist-credentials".to_owned(),
            state: "clear".to_owned(),
            value_bytes: Some(if persists { 4 } else { 5 }),
            ..Binding::default()
        });
        case
    }

    /// The last step begins a session of a role.
    fn session(mut self, how: &str) -> Self {
        let issued_at = self.evidence.steps.last().unwrap().started_at;
        self.evidence.identities_used.push(IdentityUsed {
            job_key: Some(key("job")),
            subject: Some("arn:aws:iam::111122223333:role/deploy".to_owned()),
            how: how.to_owned(),
            issued_at,
            ..IdentityUsed::default()
        });
        self
    }

    fn definition(mut self, change: impl FnOnce(&mut WorkflowDefinition)) -> Self {
        let mut row = WorkflowDefinition {
            definition_key: key("definition"),
            repo: Some("o/r".to_owned()),
            path: Some(".github/workflows/ci.yml".to_owned()),
            job_id: Some("build".to_owned()),
            permissions_from: "job".to_owned(),
            ..WorkflowDefinition::default()
        };
        change(&mut row);
        self.evidence.workflow_definitions.push(row);
        self
    }

    /// Nothing of the job itself but that it ran.
    fn without_log(mut self) -> Self {
        self.evidence.steps.clear();
        self.evidence.bindings.clear();
        self.evidence.token_permissions.clear();
        self.evidence.secrets_passed.clear();
        self.evidence.jobs[0].has_log = false;
        self
    }

    fn run(mut self, change: impl FnOnce(&mut Run)) -> Self {
        change(&mut self.evidence.runs[0]);
        self
    }

    fn row(&self) -> BoundaryCrossing {
        crossings(&Index::of(&self.evidence, &[]), &Weights::builtin()).crossings.remove(0)
    }
}

/// What a scenario says, its case, the class, whose code crosses, and a gap that must be named.
type Scenario = (&'static str, Case, &'static str, Option<&'static str>, Option<&'static str>);

#[test]
fn the_score_names_step_material_and_time() {
    let login = format!("aws-actions/configure-aws-credentials{SHA}");
    let row =
        Case::new("push").action(&login).session("oidc").run_step("./own.sh").action("acme/scan@main").row();
    assert_eq!(row.step.as_deref(), Some("acme/scan@main"));
    assert_eq!(row.step_key, Some(key("step 3")));
    assert_eq!(row.credential.as_deref(), Some("arn:aws:iam::111122223333:role/deploy"));
    // 0.6 for the action, 0.5 for a role without grants on record, 0.3 for a session.
    assert!((row.bc.unwrap() - 9.0).abs() < 1e-9 && (row.bc_low - 9.0).abs() < 1e-9);
    assert_eq!((row.exposed_steps, row.window_s), (Some(2), Some(90.0)));
    let handed = Case::new("push").action("acme/upload@v1").bound("KEY", "with").run_step("./own.sh").row();
    assert_eq!((handed.exposed_steps, handed.window_s, handed.bc), (Some(1), Some(10.0), Some(30.0)));
}

#[test]
fn a_forks_head_that_is_not_ruled_out_widens_the_bound() {
    let case = |fork| {
        let case = Case::new("pull_request").run(|run| run.from_fork = fork);
        case.run_step("./test.sh").bound("KEY", "env").row()
    };
    let (member, unknown, outsider) = (case(Some(false)), case(None), case(Some(true)));
    assert_eq!((member.bc, unknown.bc, outsider.bc), (Some(35.0), Some(35.0), Some(50.0)));
    assert!(member.bc_high < unknown.bc_high && unknown.gaps.contains(&"no_fork".to_owned()));
}

#[test]
fn what_is_declared_raises_no_lower_bound() {
    let row = Case::new("push").without_log().definition(|row| {
        row.reads_all_secrets = true;
        row.unpinned_uses = vec!["acme/scan@main".to_owned()];
    });
    let row = row.row();
    assert_eq!((row.class.as_str(), row.basis.as_str(), row.bc_low), ("FULL", "declared", 0.0));
    assert!(row.bc > Some(0.0) && row.step_key.is_none() && row.exposed_steps.is_none());
}

#[test]
fn runners_of_ones_own_are_told() {
    let mut case = Case::new("push").action("acme/upload@v1").bound("KEY", "with");
    case.evidence.jobs[0].runner_kind = Some("self_hosted".to_owned());
    assert!(case.row().reasons.iter().any(|reason| reason.contains("next job")));
    case.evidence.jobs[0].labels = vec!["ephemeral".to_owned()];
    assert!(case.row().reasons.iter().any(|reason| reason.contains("ephemeral")));
    case.evidence.jobs[0].runner_kind = None;
    assert!(case.row().gaps.contains(&"no_runner".to_owned()));
}
