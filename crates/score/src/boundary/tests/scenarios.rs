//! Scenarios of execution boundaries, each with the right answer and why.

use super::*;

pub(super) fn scenarios() -> Vec<Scenario> {
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
