//! Scenarios of execution boundaries, each with the right answer and why.

use super::*;
use leakgraph_model::tables::{
    Binding, IdentityUsed, Job, Run, SecretPassed, Step, TokenPermission, WorkflowDefinition,
};
use leakgraph_model::{Evidence, Key, Timestamp};
use proptest::prelude::*;

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
        crossings(&Index::of(&self.evidence, &[]), &Weights::builtin()).remove(0)
    }
}

/// What a scenario says, its case, the class, whose code crosses, and a gap that must be named.
type Scenario = (&'static str, Case, &'static str, Option<&'static str>, Option<&'static str>);

fn scenarios() -> Vec<Scenario> {
    vec![
        (
            "a read-only build of the repository's own code holds nothing",
            Case::new("push").checkout(true).run_step("npm ci"),
            "NONE",
            None,
            None,
        ),
        (
            "a fork's code runs, but there is nothing to take",
            Case::new("pull_request")
                .run(|run| run.from_fork = Some(true))
                .checkout(true)
                .run_step("./test.sh"),
            "NONE",
            None,
            None,
        ),
        (
            "the secret is handed to a pinned action alone",
            Case::new("push").checkout(false).action(&format!("acme/upload{SHA}")).bound("KEY", "with"),
            "MEDIATED",
            None,
            None,
        ),
        (
            "the secret is handed to an action behind a tag",
            Case::new("push").checkout(false).action("acme/upload@v1").bound("KEY", "with"),
            "SHARED",
            Some("third_party_unpinned"),
            None,
        ),
        (
            "near miss: an action of the same owner, behind a tag",
            Case::new("push").checkout(false).action("o/upload@v1").bound("KEY", "with"),
            "MEDIATED",
            None,
            None,
        ),
        (
            "one step builds, another has the secret",
            Case::new("push")
                .checkout(false)
                .run_step("npm ci")
                .run_step("./publish.sh")
                .bound("NPM_TOKEN", "env"),
            "SHARED",
            Some("build"),
            None,
        ),
        (
            "the secret is in the environment of the whole job, the build too reads it",
            Case::new("push")
                .run_step("npm ci")
                .bound("NPM_TOKEN", "env")
                .run_step("./publish.sh")
                .bound("NPM_TOKEN", "env"),
            "AMBIENT",
            Some("build"),
            None,
        ),
        (
            "checkout leaves a token that may write, and a build follows",
            Case::new("push").permission("contents", "write").checkout(true).run_step("npm ci"),
            "AMBIENT",
            Some("build"),
            None,
        ),
        (
            "near miss: the same with persist-credentials off",
            Case::new("push").permission("contents", "write").checkout(false).run_step("npm ci"),
            "SHARED",
            Some("build"),
            None,
        ),
        (
            "the session of a role is there for the action that follows",
            Case::new("push")
                .action(&format!("aws-actions/configure-aws-credentials{SHA}"))
                .session("oidc")
                .action("acme/scan@main"),
            "AMBIENT",
            Some("third_party_unpinned"),
            None,
        ),
        (
            "near miss: the action ran before the session began",
            Case::new("push")
                .action("acme/scan@main")
                .action(&format!("aws-actions/configure-aws-credentials{SHA}"))
                .session("oidc"),
            "SHARED",
            Some("third_party_unpinned"),
            None,
        ),
        (
            "whoever runs in the job can ask for an OIDC token",
            Case::new("push").permission("id-token", "write").action("acme/scan@main"),
            "AMBIENT",
            Some("third_party_unpinned"),
            None,
        ),
        (
            "a login action leaves the password on disk for the action that follows",
            Case::new("push")
                .action(&format!("docker/login-action{SHA}"))
                .bound("password", "with")
                .action("acme/scan@v2"),
            "AMBIENT",
            Some("third_party_unpinned"),
            None,
        ),
        (
            "a container reads what it was handed, not what an earlier step exported",
            {
                let login = format!("aws-actions/configure-aws-credentials{SHA}");
                Case::new("push")
                    .action(&login)
                    .session("oidc")
                    .action("acme/container@v1")
                    .bound("NAME", "docker_e")
            },
            "SHARED",
            Some("third_party_unpinned"),
            None,
        ),
        (
            "all secrets reach the job, and an action behind a branch runs in it",
            Case::new("push").secret("*", "tojson_all").action("acme/scan@main"),
            "FULL",
            Some("third_party_unpinned"),
            None,
        ),
        (
            "an unmerged change of a member runs with a secret",
            Case::new("pull_request").checkout(false).run_step("./test.sh").bound("KEY", "env"),
            "SHARED",
            Some("proposed"),
            None,
        ),
        (
            "pull_request_target checks out the fork's head, as the file declares",
            Case::new("pull_request_target")
                .definition(|row| {
                    row.untrusted_checkouts = vec!["github.event.pull_request.head.sha".to_owned()]
                })
                .checkout(false)
                .run_step("./test.sh")
                .bound("KEY", "env"),
            "SHARED",
            Some("outsider"),
            None,
        ),
        (
            "near miss: the same file on a push checks out its own code",
            Case::new("push")
                .definition(|row| {
                    row.untrusted_checkouts = vec!["github.event.pull_request.head.sha".to_owned()]
                })
                .checkout(false)
                .run_step("./test.sh")
                .bound("KEY", "env"),
            "MEDIATED",
            None,
            None,
        ),
        (
            "a title of an issue is pasted into a script of a job with a session",
            Case::new("issues")
                .permission("id-token", "write")
                .definition(|row| {
                    row.untrusted_expressions = vec!["steps[0].run: github.event.issue.title".to_owned()]
                })
                .run_step("./label.sh"),
            "AMBIENT",
            Some("expression"),
            None,
        ),
        (
            "a script of more lines than its name shows may build",
            {
                let mut case = Case::new("push").checkout(false).run_step("set -e").bound("KEY", "env");
                case.evidence.steps.last_mut().unwrap().script_bytes = Some(500);
                case
            },
            "UNKNOWN",
            None,
            Some("no_script"),
        ),
        (
            "the platform lists the secret, no log shows a step that read it",
            {
                let mut case = Case::new("push").secret("KEY", "audit_list").action("acme/scan@main");
                case.evidence.jobs[0].has_log = false;
                case
            },
            "SHARED",
            Some("third_party_unpinned"),
            Some("no_bindings"),
        ),
        (
            "no log, but the file: the secret and an unpinned action are declared",
            Case::new("push").without_log().definition(|row| {
                row.secrets = vec!["KEY".to_owned()];
                row.unpinned_uses = vec!["acme/scan@main".to_owned()];
            }),
            "SHARED",
            Some("third_party_unpinned"),
            Some("no_steps"),
        ),
        (
            "no log, and the file declares a secret: what its scripts run is not on record",
            Case::new("push").without_log().definition(|row| row.secrets = vec!["KEY".to_owned()]),
            "UNKNOWN",
            None,
            Some("no_steps"),
        ),
        ("no log and no file", Case::new("push").without_log(), "UNKNOWN", None, Some("no_log")),
        (
            "steps are known, permissions are not",
            {
                let mut case = Case::new("push").run_step("npm ci");
                case.evidence.token_permissions.clear();
                case
            },
            "UNKNOWN",
            None,
            Some("no_permissions"),
        ),
        (
            "a model calls a tool that was given a key",
            Case::new("agent").step("shell", "tool").bound("API_KEY", "env"),
            "SHARED",
            Some("agent_tool"),
            None,
        ),
    ]
}

#[test]
fn each_scenario_has_its_answer() {
    for (why, case, class, origin, gap) in scenarios() {
        let row = case.row();
        assert_eq!((row.class.as_str(), row.code_origin.as_deref()), (class, origin), "{why}: {row:#?}");
        assert!(gap.is_none_or(|gap| row.gaps.iter().any(|other| other == gap)), "{why}: {:?}", row.gaps);
        let bc = row.bc.unwrap_or(row.bc_low);
        assert!(row.bc_low <= bc && bc <= row.bc_high, "{why}: {row:#?}");
        assert!(!row.reasons.is_empty() && !row.evidence.is_empty(), "{why}");
        assert_eq!(
            row.credential.is_some(),
            matches!(class, "SHARED" | "AMBIENT" | "FULL"),
            "{why}: {row:#?}"
        );
    }
}

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

proptest! {
    #[test]
    fn more_code_and_more_material_never_lower(index in 0..scenarios().len()) {
        let case = || scenarios().swap_remove(index).1;
        let before = case().row();
        if case().evidence.steps.is_empty() {
            return Ok(());
        }
        let more = case().action("acme/more@main").bound("MORE", "with").row();
        prop_assert!(more.bc_low >= before.bc_low && more.bc_high >= before.bc_high, "{:?} {:?}", before, more);
        prop_assert!(more.bc.unwrap_or(100.0) >= before.bc.unwrap_or(0.0));
    }

    #[test]
    fn pinning_never_raises(index in 0..scenarios().len()) {
        let case = || scenarios().swap_remove(index).1;
        let mut pinned = case();
        for step in pinned.evidence.steps.iter_mut().filter(|step| step.pinned.as_deref() == Some("tag")) {
            step.pinned = Some("sha".to_owned());
        }
        let (before, after) = (case().row(), pinned.row());
        prop_assert!(after.bc_low <= before.bc_low && after.bc_high <= before.bc_high);
    }

    #[test]
    fn order_of_rows_leaves_no_trace(index in 0..scenarios().len()) {
        let case = || scenarios().swap_remove(index).1;
        let mut other = case();
        other.evidence.steps.reverse();
        other.evidence.bindings.reverse();
        other.evidence.secrets_passed.extend(other.evidence.secrets_passed.clone());
        other.evidence.secrets_passed.reverse();
        other.evidence.token_permissions.reverse();
        prop_assert_eq!(case().row(), other.row());
    }
}
