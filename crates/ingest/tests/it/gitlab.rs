//! GitLab: answers and webhooks after GitLab's documentation (pages of
//! docs.gitlab.com: "Jobs API", "Pipelines API", "Deployments API", "Protected environments
//! API", "CI/CD job token scope API", "Webhook events", "CI/CD YAML syntax reference").

use crate::support::{Inputs, Texts, problem, read_path, recognised};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use leakgraph_ingest::{Limits, link};
use leakgraph_model::Evidence;
use leakgraph_model::tables::{Handoff, identity_key, run_key};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::HashSet;

fn linked(inputs: &Inputs) -> (Evidence, Texts) {
    let (mut evidence, texts) = inputs.read(&Limits::default());
    link(&mut evidence);
    (evidence, texts)
}

/// A job of the Jobs API, shortened.
fn job(id: i64, name: &str) -> Value {
    json!({"id": id, "name": name, "stage": "test", "status": "failed", "ref": "main", "tag": false,
        "created_at": "2015-12-24T15:51:21.802Z", "started_at": "2015-12-24T17:54:27.722Z", "finished_at": "2015-12-24T17:54:27.895Z",
        "tag_list": ["docker runner", "ubuntu18"], "runner": {"description": "r1", "runner_type": "project_type"},
        "pipeline": {"id": 6, "project_id": 1, "ref": "main", "sha": "0ff3ae198f8601a285adcf5c0fff204ee6fba5fd", "status": "pending"},
        "web_url": format!("https://example.com/foo/bar/-/jobs/{id}"), "project": {"ci_job_token_scope_enabled": false},
        "user": {"id": 1, "username": "root", "name": "Administrator"}})
}

/// A trigger job of the same page.
fn bridge(id: i64, downstream: Value) -> Value {
    let mut value = job(id, "deploy");
    let members = value.as_object_mut().expect("an object");
    members.insert("downstream_pipeline".to_owned(), downstream);
    members.remove("tag_list");
    value
}

fn downstream() -> Value {
    json!({"id": 5, "sha": "f62a4b2fb89754372a346f24659212eb8da13601", "ref": "main", "status": "pending",
        "created_at": "2015-12-24T17:54:27.722Z", "updated_at": "2015-12-24T17:58:27.896Z",
        "web_url": "https://example.com/diaspora/diaspora-client/pipelines/5"})
}

/// A trace of job 7 with a variable that is masked and one that is not.
pub(crate) const TRACE: &str = "\x1b[0KRunning with gitlab-runner 16.3.3 (ed9cebb1)\n\
section_start:1450979667:step_script\r\x1b[0K\x1b[0KExecuting \"step_script\" stage of the job script\n\
\x1b[32;1m$ env\x1b[0;m\nDEPLOY_TOKEN=[MASKED]\nMODE=fast\n\
section_end:1450979668:step_script\r\x1b[0K\x1b[31;1mERROR: Job failed: exit code 1\n\x1b[0;m";

#[test]
fn a_trace_its_job_and_the_pipeline_it_started_meet() {
    let inputs = Inputs::new();
    let value = format!("{}{}", "Zx81hGk2", "Lq9Vt4Rw7Yb3");
    inputs.add("a/projects/foo%2Fbar/jobs/7/trace", TRACE);
    inputs.add("jobs.json", json!([job(7, "teaspoon"), job(8, "teaspoon")]).to_string());
    inputs.add("bridges.json", json!([bridge(9, downstream()), bridge(10, Value::Null)]).to_string());
    let pipeline = json!({"id": 5, "iid": 2, "project_id": 3, "status": "success", "source": "pipeline", "ref": "main", "sha": "f62a",
        "web_url": "https://example.com/diaspora/diaspora-client/-/pipelines/5", "created_at": "2015-12-24T17:54:27.722Z",
        "user": {"username": "root"}});
    inputs.add("pipeline.json", pipeline.to_string());
    let variables = json!([{"key": "RUN_NIGHTLY_BUILD", "variable_type": "env_var", "value": "true"}, {"key": "API", "value": value}]);
    inputs.add("projects/diaspora%2Fdiaspora-client/pipelines/5/variables.json", variables.to_string());
    let (evidence, texts) = linked(&inputs);
    assert_eq!(evidence.problems, []);

    let (parent, child) =
        (run_key("gitlab", "foo/bar", "6", 1), run_key("gitlab", "diaspora/diaspora-client", "5", 1));
    let of_gitlab: HashSet<_> =
        evidence.runs.iter().filter(|run| run.platform == "gitlab").map(|run| run.run_key).collect();
    assert_eq!(of_gitlab, HashSet::from([parent, child]));
    // A retry has the name of the job before it and is another job.
    let jobs: Vec<_> =
        evidence.jobs.iter().filter(|job| job.run_key == parent && job.name == "teaspoon").collect();
    assert_eq!(jobs.len(), 2);
    let traced = jobs.iter().find(|job| job.has_log).expect("the trace is of job 7");
    assert_eq!(
        (traced.platform_job_id.as_deref(), traced.runner_kind.as_deref()),
        (Some("7"), Some("self_hosted"))
    );
    assert_eq!(traced.runner_version.as_deref(), Some("16.3.3"));
    let bound: Vec<_> =
        evidence.bindings.iter().map(|row| (row.name.as_str(), row.state.as_str(), row.job_key)).collect();
    assert!(bound.contains(&("DEPLOY_TOKEN", "masked", traced.job_key)), "{bound:?}");
    let secret = evidence.secrets_passed.iter().find(|row| row.name == "DEPLOY_TOKEN").unwrap();
    assert_eq!((secret.run_key, secret.job_key), (parent, Some(traced.job_key)));

    let handoff = |child| evidence.handoffs.iter().find(|row: &&Handoff| row.child_run_key == child).unwrap();
    let started = handoff(Some(child));
    assert_eq!((started.parent_run_key, started.mechanism.as_str()), (Some(parent), "trigger_multi"));
    assert_eq!(
        (started.link_method.as_str(), started.confidence, started.crosses.as_str()),
        ("explicit_id", 1.0, "org")
    );
    assert_eq!(started.credential_subject.as_deref(), Some("root"));
    let failed = handoff(None);
    assert_eq!((failed.link_method.as_str(), failed.confidence), ("unlinked", 0.0));
    assert!(
        evidence
            .evidence_gaps
            .iter()
            .any(|gap| gap.subject_key == failed.handoff_key && gap.gap == "no_child")
    );
    assert_eq!(evidence.handoffs.len(), 2);

    let carried: Vec<_> = evidence
        .handoff_inputs
        .iter()
        .filter(|row| row.handoff_key == started.handoff_key)
        .map(|row| (row.name.as_str(), row.value_class.as_str(), row.value_fingerprint.is_some()))
        .collect();
    assert_eq!(carried, [("RUN_NIGHTLY_BUILD", "bool", false), ("API", "token_like", true)]);
    assert_eq!(texts.count(&value), 1, "the value is scanned once");
    assert!(!format!("{evidence:?}").contains(&value), "and is in no row");
    let users = evidence
        .identities_used
        .iter()
        .filter(|row| row.identity_key == Some(identity_key("gitlab", "user:root")));
    assert_eq!(users.count(), 4, "every job acts as its user");
}

/// "Pipeline events" of the webhook page, shortened; times and comments as there.
fn pipeline_event(variables: Value) -> Value {
    json!({"object_kind": "pipeline",
    "object_attributes": {"id": 31, "iid": 3, "name": "Pipeline for branch: master", "ref": "master", "tag": false,
        "sha": "bcbb5ec396a2c0f828686f14fac9b80b780504f2", "before_sha": "bcbb5ec396a2c0f828686f14fac9b80b780504f2",
        "source": "pipeline", "status": "success", "stages": ["build", "test", "deploy"],
        "created_at": "2016-08-12 15:23:28 UTC", "finished_at": "2016-08-12 15:26:29 UTC", "duration": 63, "variables": variables,
        "url": "http://example.com/gitlab-org/gitlab-test/-/pipelines/31"},
    "merge_request": {"id": 1, "iid": 1, "source_project_id": 2, "target_project_id": 1},
    "user": {"id": 1, "name": "Administrator", "username": "root"},
    "project": {"id": 1, "name": "Gitlab Test", "web_url": "http://192.168.64.1:3005/gitlab-org/gitlab-test", "visibility_level": 20,
        "path_with_namespace": "gitlab-org/gitlab-test"},
    "source_pipeline": {"project": {"id": 41, "web_url": "https://gitlab.example.com/gitlab-org/upstream-project",
        "path_with_namespace": "gitlab-org/upstream-project"}, "pipeline_id": 30, "job_id": 3401},
    "builds": [
        {"id": 380, "stage": "deploy", "name": "production", "status": "success", "created_at": "2016-08-12 15:23:28 UTC",
         "started_at": "2016-08-12 15:26:12 UTC", "finished_at": "2016-08-12 15:26:29 UTC", "when": "manual", "manual": true,
         "user": {"username": "root"}, "runner": {"id": 380987, "description": "shared-runners-manager-6.gitlab.com",
         "runner_type": "instance_type", "is_shared": true, "tags": ["linux"]}, "environment": {"name": "production", "action": "start"}},
        {"id": 379, "stage": "deploy", "name": "staging", "status": "created", "created_at": "2016-08-12 15:23:28 UTC",
         "started_at": null, "manual": true, "user": {"username": "project_6_bot"}, "runner": null, "environment": null},
        {"id": null, "name": "broken"}
    ]})
}

#[test]
fn a_pipeline_event_names_jobs_upstream_and_variables() {
    let inputs = Inputs::new();
    inputs.add(
        "hook.json",
        pipeline_event(json!([{"key": "NESTOR_PROD_ENVIRONMENT", "value": "us-west-1"}])).to_string(),
    );
    let (evidence, texts) = linked(&inputs);
    let run = evidence.runs.iter().find(|run| run.platform == "gitlab").unwrap();
    assert_eq!(run.run_key, run_key("gitlab", "gitlab-org/gitlab-test", "31", 1));
    assert_eq!(
        (run.visibility.as_deref(), run.from_fork, run.evidence.as_str()),
        (Some("public"), Some(true), "webhook")
    );
    assert_eq!(run.created_at.map(|at| at.to_string()).as_deref(), Some("2016-08-12T15:23:28Z"));
    let [handoff] = evidence.handoffs.as_slice() else { panic!("{:#?}", evidence.handoffs) };
    assert_eq!(handoff.parent_run_key, Some(run_key("gitlab", "gitlab-org/upstream-project", "30", 1)));
    assert_eq!(
        (handoff.mechanism.as_str(), handoff.crosses.as_str(), handoff.confidence),
        ("trigger_multi", "repo", 1.0)
    );
    assert!(handoff.parent_job_key.is_some());
    let [input] = evidence.handoff_inputs.as_slice() else { panic!("one variable") };
    assert_eq!((input.handoff_key, input.visible.as_str()), (handoff.handoff_key, "webhook"));
    assert_eq!(texts.count("NESTOR_PROD_ENVIRONMENT=us-west-1"), 1);
    let production = evidence.jobs.iter().find(|job| job.name == "production").unwrap();
    assert_eq!(
        (production.environment.as_deref(), production.runner_kind.as_deref()),
        (Some("production"), Some("hosted"))
    );
    // Started by hand: only the one that ran.
    let manual: Vec<_> = evidence
        .triggers
        .iter()
        .filter(|row| row.kind == "manual")
        .map(|row| (row.job_key, row.decided_by.as_deref()))
        .collect();
    assert_eq!(manual, [(Some(production.job_key), Some("root"))]);
    assert!(evidence.triggers.iter().any(|row| row.kind == "upstream" && row.subject_trust == "fork"));
    assert!(problem(&evidence, "hook.json", "incomplete").reason.starts_with("1 "));
}

#[test]
fn job_and_deployment_events_speak_of_the_same_job() {
    let inputs = Inputs::new();
    let project = json!({"id": 30, "web_url": "http://10.126.0.2:3000/root/test-deployment-webhooks", "path_with_namespace": "root/test-deployment-webhooks", "visibility_level": 0});
    let job = json!({"object_kind": "build", "ref": "main", "tag": false, "sha": "2293ada6b400935a1378653304eaf6221e0fdb8f", "build_id": 796,
        "build_name": "deploy", "build_stage": "deploy", "build_status": "success", "build_started_at": "2021-04-28T19:49:00Z",
        "build_finished_at": null, "pipeline_id": 2366, "project_id": 30, "project": project, "commit": {"id": 2366, "name": "Build pipeline"},
        "runner": {"runner_type": "project_type", "description": "own", "tags": ["linux", "docker"]}, "environment": null});
    let deployment = json!({"object_kind": "deployment", "status": "success", "status_changed_at": "2021-04-28 21:50:00 +0200", "deployment_id": 15,
        "deployable_id": 796, "deployable_url": "http://10.126.0.2:3000/root/test-deployment-webhooks/-/jobs/796", "environment": "staging",
        "project": project, "short_sha": "279484c0", "user": {"username": "root"}});
    inputs.add("1.json", deployment.to_string());
    inputs.add("2.json", job.to_string());
    inputs.add(
        "3.json",
        json!({"object_kind": "issue", "object_attributes": {"title": "a secret"}, "project": project})
            .to_string(),
    );
    let (evidence, texts) = linked(&inputs);
    assert_eq!(evidence.problems, []);
    let run = run_key("gitlab", "root/test-deployment-webhooks", "2366", 1);
    let [job] = evidence.jobs.iter().filter(|job| job.run_key == run).collect::<Vec<_>>()[..] else {
        panic!("{:#?}", evidence.jobs)
    };
    assert_eq!((job.environment.as_deref(), job.conclusion.as_deref()), (Some("staging"), Some("success")));
    assert_eq!(job.ended_at.map(|at| at.to_string()).as_deref(), Some("2021-04-28T19:50:00Z"));
    assert_eq!(evidence.runs.iter().filter(|run| run.platform == "gitlab").count(), 1);
    assert_eq!(texts.count("a secret"), 1, "other events are scanned");
}

#[test]
fn approvals_of_deployments_say_who_let_them_pass() {
    let inputs = Inputs::new();
    let user = |name: &str| json!({"id": 100, "username": name});
    let deployment = |status: &str, pending: i64, approvals: Value| {
        let mut deployable = job(664, "deploy");
        deployable.as_object_mut().unwrap().remove("web_url");
        deployable["pipeline"]["web_url"] = json!("http://gitlab.dev/root/project/pipelines/6");
        json!({"id": 42, "iid": 2, "ref": "main", "sha": "a91957a858320c0e17f3a0eca7cfacbff50ea29a", "status": status,
            "environment": {"id": 9, "name": "production"}, "user": user("root"), "deployable": deployable,
            "pending_approval_count": pending, "approvals": approvals,
            "approval_summary": {"rules": [{"required_approvals": 2, "deployment_approvals": approvals}]}})
    };
    let approved = json!([
        {"user": user("security-user-1"), "status": "approved", "created_at": "2022-04-11T03:37:03.058Z", "comment": null},
        {"user": user("root"), "status": "approved", "created_at": "2022-04-11T03:38:03.058Z", "comment": "mine"},
    ]);
    inputs.add("deployments.json", json!([deployment("success", 0, approved), {"id": 1, "iid": 1, "sha": "a", "environment": {"name": "x"}, "deployable": null}]).to_string());
    inputs.add("waiting.json", deployment("blocked", 1, json!([])).to_string());
    let (evidence, _) = linked(&inputs);
    let run = run_key("gitlab", "root/project", "6", 1);
    let seen: Vec<_> = evidence
        .approvals
        .iter()
        .map(|row| (row.run_key == run, row.state.as_str(), row.reviewer.as_deref(), row.self_review))
        .collect();
    let expected = [
        (true, "approved", Some("security-user-1"), Some(false)),
        (true, "approved", Some("root"), Some(true)),
        (true, "pending", None, None),
    ];
    assert_eq!(seen, expected);
    assert!(evidence.jobs.iter().any(|job| job.environment.as_deref() == Some("production")));
    // A deployment made by the API has no job.
    assert!(problem(&evidence, "deployments.json", "incomplete").reason.starts_with("1 "));
}

#[test]
fn settings_bound_tokens_and_environments() {
    let inputs = Inputs::new();
    let scope = json!({"inbound_enabled": true, "outbound_enabled": false});
    inputs.add("projects/acme%2Fshop/job_token_scope.json", scope.to_string());
    inputs.add("projects/acme%2Fopen/job_token_scope.json", json!({"inbound_enabled": false}).to_string());
    inputs.add("unknown.json", scope.to_string());
    let listed =
        json!([{"id": 4, "name": "Diaspora Client", "path_with_namespace": "diaspora/diaspora-client"}]);
    inputs.add("projects/acme%2Fshop/job_token_scope/allowlist.json", listed.to_string());
    let protected = json!([{"name": "production", "deploy_access_levels": [{"id": 12, "access_level": 40, "access_level_description": "Maintainers"}],
        "approval_rules": [{"access_level_description": "qa-group", "required_approvals": 2}], "required_approval_count": 0}]);
    inputs.add("projects/acme%2Fshop/protected_environments.json", protected.to_string());
    let (evidence, _) = linked(&inputs);
    let token = |project: &str| identity_key("gitlab", &format!("repo:{project}:token"));
    let grants: Vec<_> =
        evidence.grants.iter().map(|row| (row.identity_key, row.resources[0].as_str())).collect();
    assert_eq!(grants.len(), 2);
    assert!(grants.contains(&(token("*"), "repo:acme/open")));
    assert!(grants.contains(&(token("diaspora/diaspora-client"), "repo:acme/shop")));
    let environment = evidence.identities.iter().find(|row| row.kind == "environment").unwrap();
    assert_eq!(environment.native_id, "env:acme/shop/production");
    assert_eq!(
        environment.tags,
        ["protected=true", "deploys=Maintainers", "approves=qa-group:2", "required_approvals=0"]
    );
    assert!(problem(&evidence, "unknown.json", "incomplete").lossy);
}

#[test]
fn variables_are_of_a_pipeline_or_of_a_project() {
    let inputs = Inputs::new();
    let variable = json!([{"key": "TEST_VARIABLE_1", "variable_type": "env_var", "value": "TEST_1", "protected": false, "masked": true, "environment_scope": "*"}]);
    inputs.add("projects/acme%2Fshop/variables.json", variable.to_string());
    inputs.add("somewhere.json", variable.to_string());
    inputs
        .add("projects/21/pipelines/46/variables.json", json!([{"key": "foo", "value": "bar"}]).to_string());
    let (evidence, texts) = linked(&inputs);
    let [credential] = evidence.credentials.as_slice() else { panic!("{:#?}", evidence.credentials) };
    assert_eq!(
        (credential.name.as_str(), credential.scope.as_deref()),
        ("TEST_VARIABLE_1", Some("acme/shop"))
    );
    assert_eq!(texts.count("TEST_VARIABLE_1=TEST_1"), 2);
    assert!(problem(&evidence, "somewhere.json", "incomplete").lossy);
    // The id of a project says nothing of its path: the handoff is there, its child unknown.
    let [handoff] = evidence.handoffs.as_slice() else { panic!("{:#?}", evidence.handoffs) };
    assert_eq!((handoff.child_run_key, evidence.handoff_inputs[0].handoff_key), (None, handoff.handoff_key));
    assert_eq!(evidence.evidence_gaps.len(), 1);
}

/// After "CI/CD YAML syntax reference": `include`, `trigger`, `id_tokens`, `secrets`.
const DEFINITION: &str = r"
include:
  - project: 'my-group/my-project'
    ref: main
    file: '/templates/.gitlab-ci-template.yml'
  - component: $CI_SERVER_FQDN/my-org/security-components/secret-detection@1.0
  - remote: 'https://gitlab.com/x/raw/main/a.yml'
  - template: Auto-DevOps.gitlab-ci.yml
  - local: '/b.yml'
stages: [build, deploy]
variables:
  GLOBAL: one
.base: &base
  image: alpine
build:
  <<: *base
  stage: build
  script:
    - !reference [.base, script]
    - echo hidden-in-script
  id_tokens:
    VAULT_ID_TOKEN: {aud: https://vault.example.com}
  secrets:
    DATABASE_PASSWORD:
      vault: production/db/password@ops
deploy:
  stage: deploy
  variables:
    ENVIRONMENT: staging
  trigger:
    project: my/deployment
    branch: stable
    strategy: depend
child:
  trigger:
    include:
      - local: path/to/child.yml
    forward: {yaml_variables: false}
  variables: {LEFT: behind}
";

#[test]
fn definitions_are_rows_of_what_their_jobs_declare() {
    let inputs = Inputs::new();
    inputs.add("shop/.gitlab-ci.yml", DEFINITION);
    let (evidence, texts) = linked(&inputs);
    assert_eq!(evidence.problems, []);
    assert_eq!((evidence.handoffs.len(), evidence.handoff_inputs.len()), (0, 0), "no run is known");
    let [file, build, child, deploy] = evidence.workflow_definitions.as_slice() else {
        panic!("{:#?}", evidence.workflow_definitions)
    };
    assert!(
        [file, build, child, deploy].iter().all(|row| row.platform == "gitlab" && row.kind == "workflow")
    );
    assert_eq!((&file.job_id, file.path.as_deref()), (&None, Some(".gitlab-ci.yml")));
    let by_reference = [
        "my-group/my-project:/templates/.gitlab-ci-template.yml@main",
        "$CI_SERVER_FQDN/my-org/security-components/secret-detection@1.0",
        "https://gitlab.com/x/raw/main/a.yml",
    ];
    assert_eq!(file.unpinned_uses, by_reference);
    assert_eq!(file.uses, [&by_reference[..], &["template:Auto-DevOps.gitlab-ci.yml"]].concat());
    assert_eq!(build.secrets, ["DATABASE_PASSWORD", "VAULT_ID_TOKEN@https://vault.example.com"]);
    assert_eq!(
        (build.permissions.as_slice(), build.permissions_from.as_str()),
        (&["id-token:write".to_owned()][..], "job")
    );
    assert_eq!((build.uses.as_slice(), build.steps), (&["docker://alpine".to_owned()][..], 1));
    assert_eq!(
        (deploy.calls.as_deref(), deploy.dispatches.as_slice()),
        (Some("my/deployment@stable"), &["trigger_multi my/deployment ".to_owned()][..])
    );
    assert_eq!(
        (child.calls.as_deref(), child.dispatches.as_slice()),
        (Some("path/to/child.yml"), &["trigger_child  path/to/child.yml".to_owned()][..])
    );
    assert_eq!(texts.count("hidden-in-script"), 1, "the definition is scanned once");
}

/// After "Use CI/CD inputs in a file" and "CI/CD components" of GitLab's documentation.
const TEMPLATE: &str = r"
spec:
  inputs:
    environment: {options: [staging, production], default: staging}
    command: {description: what to run}
---
workflow:
  rules:
    - if: $CI_PIPELINE_SOURCE == 'merge_request_event'
      when: never
    - if: $CI_PIPELINE_SOURCE == 'schedule'
deploy:
  script:
    - deploy $[[ inputs.environment ]]
    - $[[ inputs.command | expand_vars ]]
  environment: $[[ inputs.environment ]]
  resource_group: production
  tags: [deployer]
  needs: [build, {job: test, artifacts: false}]
";

#[test]
fn inputs_of_a_template_reach_the_scripts_of_its_jobs() {
    let inputs = Inputs::new();
    inputs.add("gitlab.example.com/acme/ci/-/raw/deploy.yml", TEMPLATE);
    let (evidence, _) = linked(&inputs);
    let [row] = evidence.workflow_definitions.as_slice() else {
        panic!("{:#?}", evidence.workflow_definitions)
    };
    assert_eq!((row.kind.as_str(), row.repo.as_deref()), ("reusable_workflow", Some("acme/ci")));
    assert_eq!(row.inputs, ["spec.command:string:required", "spec.environment:string:staging|production"]);
    assert_eq!(
        (row.free_inputs.as_slice(), row.input_expressions.as_slice()),
        (&["command".to_owned()][..], &["script[1]: inputs.command".to_owned()][..])
    );
    assert_eq!(row.triggers, ["schedule"]);
    assert_eq!(row.trigger_filters[0], "workflow.rules.never=$CI_PIPELINE_SOURCE == 'merge_request_event'");
    assert_eq!((row.concurrency.as_deref(), row.needs.len(), row.runs_on.len()), (Some("production"), 2, 1));
    assert_eq!(row.permissions_from, "default");
}

#[test]
fn what_is_of_others_is_left_to_them() {
    let inputs = Inputs::new();
    let others = [
        json!([{"key": "a", "value": "b"}]),
        json!({"id": 1, "run_id": 2, "name": "build", "steps": [], "labels": [], "status": "completed", "run_url": "https://api.github.com/repos/a/b/actions/runs/2"}),
        json!({"sender": {"login": "a"}, "workflow_run": {"id": 1}, "repository": {"full_name": "a/b"}}),
        json!({"object_kind": "page", "id": 1}),
        json!({"id": 1, "web_url": "https://example.com/a/b/pipelines/7"}),
        json!({"name": "x", "path_with_namespace": "a/b"}),
        json!({"inbound_enabled": true, "a": 1, "b": 2, "c": 3}),
    ];
    for (index, value) in others.iter().enumerate() {
        let path = inputs.add(&format!("{index}.json"), value.to_string());
        assert!(recognised(&path).iter().all(|(platform, _)| *platform != "gitlab"), "{value}");
    }
    let text = inputs
        .add("notes.md", "A trace begins with `Running with gitlab-runner 16`,\nthen `section_start:1:x`.\n");
    assert_eq!(recognised(&text), []);
}

/// GitLab documentation, "Repository files API".
#[test]
fn files_in_answers_of_the_api_are_read_as_files() {
    let answer = json!({"file_name": ".gitlab-ci.yml", "file_path": ".gitlab-ci.yml", "size": 9, "encoding": "base64",
        "content": STANDARD.encode("build:\n  script: echo hidden-in-script\n"), "ref": "release/2",
        "content_sha256": "4c29", "blob_id": "79f7", "commit_id": "d5a3", "last_commit_id": "570e"});
    let inputs = Inputs::new();
    let path = inputs.add("projects/shop%2Fapi/repository/files/ci.json", answer.to_string());
    assert_eq!(recognised(&path), [("gitlab", "contents_json")]);
    let (evidence, texts) = read_path(&path);
    let [row] = evidence.workflow_definitions.as_slice() else {
        panic!("{:?}", evidence.workflow_definitions)
    };
    assert_eq!((row.repo.as_deref(), row.job_id.as_deref()), (Some("shop/api"), Some("build")));
    assert_eq!(
        (row.path.as_deref(), row.definition_ref.as_deref()),
        (Some(".gitlab-ci.yml"), Some("release/2"))
    );
    assert_eq!(texts.count("hidden-in-script"), 1);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_answer_is_read(cut in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let values = [job(7, "a").to_string(), bridge(9, downstream()).to_string(), pipeline_event(json!([{"key": "a", "value": 1}])).to_string(), DEFINITION.to_owned()];
        for (index, text) in values.iter().enumerate() {
            let mut bytes = text.clone().into_bytes();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            bytes.truncate(cut.index(bytes.len()) + 1);
            let inputs = Inputs::new();
            let path = inputs.add(if index == 3 { ".gitlab-ci.yml" } else { "any.json" }, bytes);
            let (mut evidence, _) = read_path(&path);
            prop_assert!(!evidence.source_files.is_empty() || !evidence.problems.is_empty());
            link(&mut evidence);
        }
    }
}
