//! Azure DevOps, by fixtures in the form of Microsoft's documentation:
//! "Builds - Get", "Timeline - Get", "Runs - Get", "Approvals - Query", "Executionhistory - List"
//! and "Endpoints - Get Service Endpoints" of the Azure DevOps REST API reference 7.1
//! (learn.microsoft.com/rest/api/azure/devops). Logs have the lines that the agent writes
//! (microsoft/azure-pipelines-agent, `JobExtension.cs`; issue 4691 there shows some).

use crate::orchestrators::places;
use crate::support::{Inputs, Texts, corpus, files_below, problem, zipped};
use leakgraph_ingest::{Limits, link};
use leakgraph_model::tables::run_key;
use leakgraph_model::{Evidence, Key};
use serde_json::{Value, json};
use std::fs;

fn read(name: &str, value: &Value) -> (Evidence, Texts) {
    let inputs = Inputs::new();
    inputs.add(name, value.to_string());
    let (mut evidence, texts) = inputs.read(&Limits::default());
    let neighbour = evidence.jobs.iter().find(|job| job.name == "neighbour-job").map(|job| job.run_key);
    evidence.runs.retain(|run| Some(run.run_key) != neighbour);
    evidence.jobs.retain(|job| Some(job.run_key) != neighbour);
    (evidence, texts)
}

fn run(build: &str) -> Key {
    run_key("azure_devops", "acme", build, 1)
}

const ADDRESS: &str = "https://dev.azure.com/acme/cbb18261-c48f-4abb-8651-8cdcb5474649/_apis/build/Builds/77";

fn person(name: &str, descriptor: &str) -> Value {
    json!({"displayName": name, "uniqueName": format!("{name}@acme.test"), "descriptor": descriptor})
}

fn build() -> Value {
    json!({
        "id": 77, "buildNumber": "20261007.96", "status": "completed", "result": "succeeded",
        "queueTime": "2026-10-08T03:37:08.1587704Z", "startTime": "2026-10-08T03:40:20.5222247Z",
        "finishTime": "2026-10-08T04:41:27.3816273Z", "url": ADDRESS, "reason": "buildCompletion",
        "definition": {"id": 139, "name": "deploy-shop", "type": "build"},
        "project": {"id": "cbb18261", "name": "Shop", "visibility": "private"},
        "uri": "vstfs:///Build/Build/77", "sourceBranch": "refs/heads/main",
        "sourceVersion": "9e9d2102f3b5d808024e9d40f0b3048bbe652ad3",
        "requestedFor": person("alice", "aad.AAA"), "requestedBy": person("tfs", "s2s.BBB"),
        "repository": {"id": "acme/shop", "type": "GitHub", "url": "https://github.com/acme/shop"},
        "triggeredByBuild": {"id": 76, "buildNumber": "1", "definition": {"name": "build-shop"},
            "url": "https://dev.azure.com/acme/other/_apis/build/Builds/76"},
        "templateParameters": {"environment": "prod", "apiToken": "tok-9f8e7d6c5b4a3f2e1d0c"},
        "parameters": "{\"image\":\"shop:1.2.3\"}",
    })
}

#[test]
fn a_build_hands_on_what_it_was_given() {
    let (evidence, texts) = read("build.json", &json!({"count": 1, "value": [build()]}));
    assert_eq!(evidence.problems, []);
    let [row] = evidence.runs.as_slice() else { panic!("one run") };
    assert_eq!((row.run_key, row.repo.as_deref()), (run("77"), Some("acme/shop")));
    assert_eq!((row.status.as_deref(), row.conclusion.as_deref()), (Some("completed"), Some("success")));
    assert_eq!((row.actor.as_deref(), row.actor_kind.as_deref()), (Some("alice@acme.test"), Some("user")));
    assert_eq!(row.triggering_actor.as_deref(), Some("tfs@acme.test"));
    assert_eq!(evidence.triggers[0].kind, "upstream");
    let [handoff] = evidence.handoffs.as_slice() else { panic!("one handoff") };
    assert_eq!((handoff.parent_run_key, handoff.child_run_key), (Some(run("76")), Some(run("77"))));
    assert_eq!((handoff.link_method.as_str(), handoff.confidence), ("explicit_id", 1.0));
    let inputs: Vec<_> = evidence
        .handoff_inputs
        .iter()
        .map(|input| (input.name.as_str(), input.value_class.as_str()))
        .collect();
    // Members of a JSON object come sorted.
    assert_eq!(inputs, [("apiToken", "token_like"), ("environment", "enum"), ("image", "text")]);
    assert_eq!(texts.count("tok-9f8e7d6c5b4a3f2e1d0c"), 1, "handed over once");
    let owner = |needle: &str| {
        let holds = |(_, bytes): &&(_, Vec<u8>)| String::from_utf8_lossy(bytes).contains(needle);
        texts.0.iter().find(holds).map(|(context, _)| (context.run_key, context.handoff_key))
    };
    assert_eq!(owner("tok-9f8e"), Some((Some(run("77")), Some(handoff.handoff_key))));
    assert_eq!(places(&texts, "tok-9f8e"), ["handoff_input"]);
    assert_eq!(owner("20261007.96"), Some((Some(run("77")), None)));
    assert_eq!(places(&texts, "20261007.96"), ["json"]);
}

#[test]
fn a_resource_trigger_is_a_cause_and_a_token_queues_as_itself() {
    let mut by_resource = build();
    by_resource["reason"] = json!("resourceTrigger");
    by_resource["triggeredByBuild"] = Value::Null;
    by_resource["triggerInfo"] = json!({"artifactType": "Pipeline", "pipelineId": "75", "source": "build-shop",
        "alias": "shop", "pipelineTriggerType": "PipelineCompletion", "version": "1"});
    let (evidence, _) = read("build.json", &by_resource);
    let handoff = &evidence.handoffs[0];
    assert_eq!((handoff.parent_run_key, handoff.link_method.as_str()), (Some(run("75")), "cause"));
    assert!(handoff.confidence < 1.0);

    let mut queued = build();
    queued["reason"] = json!("manual");
    queued["triggeredByBuild"] = Value::Null;
    queued["requestedBy"] = json!({"displayName": "Shop Build Service (acme)", "descriptor": "svc.CCC"});
    let (evidence, _) = read("build.json", &queued);
    let handoff = &evidence.handoffs[0];
    assert_eq!((handoff.parent_run_key, handoff.mechanism.as_str()), (None, "api_other"));
    assert_eq!(handoff.credential_kind, "System.AccessToken");
    assert_eq!(handoff.credential_subject.as_deref(), Some("Shop Build Service (acme)"));
    assert_eq!(evidence.triggers[0].kind, "api");
}

#[test]
fn pull_requests_of_forks_are_told() {
    let mut pull = build();
    pull["reason"] = json!("pullRequest");
    pull["triggeredByBuild"] = Value::Null;
    pull["triggerInfo"] = json!({"pr.number": "5", "pr.isFork": "True"});
    pull["templateParameters"] = Value::Null;
    pull["parameters"] = json!("{\"system.pullRequest.isFork\":\"True\",\"x\":\"in-parameters\"}");
    let (evidence, texts) = read("build.json", &pull);
    assert_eq!(evidence.runs[0].from_fork, Some(true));
    assert_eq!(evidence.triggers[0].subject_trust, "fork");
    assert_eq!(evidence.handoffs, []);
    assert_eq!(texts.count("in-parameters"), 1);
}

#[test]
fn a_pipeline_run_is_the_build_of_its_id() {
    let value = json!({
        "templateParameters": {"region": "eu"}, "pipeline": {"id": 139, "name": "deploy-shop", "folder": "\\"},
        "state": "completed", "result": "failed", "createdDate": "2026-10-08T03:37:08Z",
        "finishedDate": "2026-10-08T04:37:08Z", "id": 77, "name": "20261007.96",
        "url": "https://dev.azure.com/acme/cbb18261/_apis/pipelines/139/runs/77",
        "resources": {"repositories": {"self": {"refName": "refs/heads/main", "version": "9e9d2102"}}},
        "variables": {"DB_PASSWORD": {"value": null, "isSecret": true}, "size": {"value": "small"}},
    });
    let (evidence, _) = read("run.json", &value);
    assert_eq!(evidence.problems, []);
    assert_eq!(
        (evidence.runs[0].run_key, evidence.runs[0].conclusion.as_deref()),
        (run("77"), Some("failure"))
    );
    let secret =
        evidence.secrets_passed.iter().find(|secret| secret.how == "run_variable").expect("a secret");
    assert_eq!((secret.name.as_str(), secret.run_key), ("DB_PASSWORD", run("77")));
    let names: Vec<_> = evidence.handoff_inputs.iter().map(|input| input.name.as_str()).collect();
    assert_eq!(names, ["region", "size"]);
}

fn record(id: &str, parent: Option<&str>, kind: &str, name: &str, order: i64) -> Value {
    json!({"id": id, "parentId": parent, "type": kind, "name": name, "order": order, "state": "completed",
        "result": "succeeded", "startTime": "2026-10-08T03:40:20Z", "finishTime": "2026-10-08T03:41:20Z",
        "log": {"id": order, "type": "Container", "url": format!("{ADDRESS}/logs/{order}")}})
}

fn timeline() -> Value {
    let mut job = record("j", Some("p"), "Job", "Deploy", 1);
    job["workerName"] = json!("Azure Pipelines 34");
    let mut task = record("t2", Some("j"), "Task", "Log in", 2);
    task["task"] = json!({"id": "46e4be58", "name": "AzureCLI", "version": "2.212.0"});
    task["result"] = json!("failed");
    let mut gate = record("a", Some("c"), "Checkpoint.Approval", "Checkpoint.Approval", 1);
    gate["result"] = Value::Null;
    gate["state"] = json!("inProgress");
    json!({"id": "90533c89", "changeId": 5, "url": format!("{ADDRESS}/Timeline/90533c89"), "records": [
        task,
        record("s", None, "Stage", "Production", 1),
        record("p", Some("s"), "Phase", "Deploy", 1),
        job,
        record("t1", Some("j"), "Task", "Initialize job", 1),
        record("c", Some("s"), "Checkpoint", "Checkpoint", 0),
        gate,
    ]})
}

#[test]
fn a_timeline_is_jobs_steps_and_gates() {
    let (evidence, _) = read("timeline.json", &timeline());
    assert_eq!(evidence.problems, []);
    let [job] = evidence.jobs.as_slice() else { panic!("one job") };
    assert_eq!((job.name.as_str(), job.runner_kind.as_deref()), ("Deploy", Some("hosted")));
    let mut steps: Vec<_> = evidence.steps.iter().filter(|step| step.job_key == job.job_key).collect();
    steps.sort_by_key(|step| step.number);
    let rows: Vec<_> = steps
        .iter()
        .map(|step| (step.number, step.kind.as_str(), step.uses.as_deref(), step.conclusion.as_deref()))
        .collect();
    let expected = [
        (Some(1), "setup", None, Some("success")),
        (Some(2), "action", Some("AzureCLI@2.212.0"), Some("failure")),
    ];
    assert_eq!(rows, expected);
    let gate = &evidence.approvals[0];
    assert_eq!((gate.run_key, gate.environment.as_deref()), (run("77"), Some("Production")));
    assert_eq!(gate.state, "pending");
}

#[test]
fn approvals_and_connections_are_of_their_builds() {
    let owner = json!({"id": 77, "name": "20261007.96", "_links": {"self": {"href": ADDRESS}}});
    let approval = json!({"count": 1, "value": [{
        "id": "2f7ab4a5-43a6-4b84-94a4-9e4f2b1f5a7a", "status": "approved", "executionOrder": "anyOrder",
        "minRequiredApprovers": 1, "instructions": "check the plan", "createdOn": "2026-10-08T03:37:08Z",
        "steps": [{"assignedApprover": person("team", "vssgp.X"), "actualApprover": person("bob", "aad.BBB"),
            "status": "approved", "comment": "fine", "lastModifiedOn": "2026-10-08T03:38:08Z", "order": 1}],
        "pipeline": {"id": "139", "name": "deploy-shop", "owner": owner},
    }]});
    let (evidence, texts) = read("approvals.json", &approval);
    let [row] = evidence.approvals.as_slice() else { panic!("one approval") };
    assert_eq!((row.run_key, row.state.as_str()), (run("77"), "approved"));
    assert_eq!((row.reviewer.as_deref(), row.reviewer_kind.as_str()), (Some("bob@acme.test"), "user"));
    assert_eq!(texts.count("check the plan"), 1);

    let used = json!({"value": [{"endpointId": "46E4BE58-730b-4389-8a2f-ea10b3e5e815", "data": {
        "planType": "Build", "owner": owner, "startTime": "2026-10-08T03:40:20Z", "result": "succeeded"}}]});
    let (evidence, _) = read("history.json", &used);
    let [identity] = evidence.identities_used.as_slice() else { panic!("one identity") };
    assert_eq!((identity.run_key, identity.identity_kind.as_str()), (Some(run("77")), "service_connection"));

    let endpoint = json!({"value": [{"id": "46e4be58-730b-4389-8a2f-ea10b3e5e815", "name": "prod", "type": "azurerm",
        "isReady": true, "isShared": false, "data": {"subscriptionId": "1272a66f"}, "authorization":
        {"scheme": "ServicePrincipal", "parameters": {"tenantid": "t", "serviceprincipalid": "c"}}}]});
    let (evidence, _) = read("endpoints.json", &endpoint);
    assert_eq!(Some(evidence.identities[0].identity_key), identity.identity_key, "one connection, one key");
    assert!(evidence.identities[0].tags.contains(&"scheme=ServicePrincipal".to_owned()));
}

const INITIALIZE: &str = "2026-10-08T03:40:21.0000000Z ##[section]Starting: Initialize job\n\
2026-10-08T03:40:21.1000000Z Agent name: 'Azure Pipelines 34'\n\
2026-10-08T03:40:21.1000000Z Agent machine name: 'fv-az578'\n\
2026-10-08T03:40:21.1000000Z Current agent version: '4.266.2'\n\
2026-10-08T03:40:21.1000000Z ##[group]Operating System\n\
2026-10-08T03:40:21.2000000Z ##[endgroup]\n\
2026-10-08T03:40:21.3000000Z ##[section]Finishing: Initialize job\n";
const LOG_IN: &str = "2026-10-08T03:40:22.0000000Z ##[section]Starting: Log in\n\
2026-10-08T03:40:22.0000000Z ==============================================================================\n\
2026-10-08T03:40:22.0000000Z Task         : Azure CLI\n\
2026-10-08T03:40:22.0000000Z Version      : 2.212.0\n\
2026-10-08T03:40:22.0000000Z ==============================================================================\n\
2026-10-08T03:40:23.0000000Z [command]/usr/bin/az login --service-principal -u 3615bd26-4fae-415b-a220-9cedae222489 --tenant *** --federated-token ***\n\
2026-10-08T03:40:24.0000000Z ##[error]denied\n\
2026-10-08T03:40:24.1000000Z ##[section]Finishing: Log in\n";

fn whole() -> String {
    format!(
        "\u{feff}2026-10-08T03:40:20.0000000Z ##[section]Starting: Deploy\n{INITIALIZE}{LOG_IN}\
2026-10-08T03:40:25.0000000Z ##[section]Finishing: Deploy\n"
    )
}

fn archive() -> Vec<u8> {
    zipped(&[
        ("1_Deploy.txt", whole()),
        ("Deploy/1_Initialize job.txt", INITIALIZE.to_owned()),
        ("Deploy/2_Log in.txt", LOG_IN.to_owned()),
        ("initializeLog.txt", "2026-10-08T03:40:19Z queued\n".to_owned()),
    ])
}

/// Steps of the job `Deploy` as number, name and kind.
fn deploy_steps(evidence: &Evidence) -> Vec<(Option<i64>, String, String)> {
    let job = evidence.jobs.iter().find(|job| job.name == "Deploy").expect("the job");
    let steps = evidence.steps.iter().filter(|step| step.job_key == job.job_key);
    steps.map(|step| (step.number, step.name.clone(), step.kind.clone())).collect()
}

#[test]
fn a_downloaded_archive_and_the_timeline_are_one_build() {
    let inputs = Inputs::new();
    inputs.add("acme/shop/builds/77/logs.zip", archive());
    inputs.add("timeline.json", timeline().to_string());
    let (mut evidence, texts) = inputs.read(&Limits::default());
    assert_eq!(evidence.problems, []);
    link(&mut evidence);
    let jobs: Vec<_> = evidence.jobs.iter().filter(|job| job.run_key == run("77")).collect();
    let [job] = jobs.as_slice() else { panic!("{jobs:#?}") };
    assert!(job.has_log && job.platform_job_id.as_deref() == Some("j"));
    assert_eq!(job.runner_version.as_deref(), Some("4.266.2"));
    let mut steps = deploy_steps(&evidence);
    steps.sort();
    let expected =
        [(Some(1), "Initialize job".into(), "setup".into()), (Some(2), "Log in".into(), "action".into())];
    assert_eq!(steps, expected);
    let [identity] = evidence.identities_used.as_slice() else { panic!("one login") };
    assert_eq!((identity.how.as_str(), identity.job_key), ("oidc", Some(job.job_key)));
    // The steps, not the whole log again.
    assert_eq!(texts.count("az login"), 1);
    assert_eq!(texts.count("queued"), 1);
    assert!(
        evidence.source_files.iter().all(|file| file.platform != "unknown"),
        "{:#?}",
        evidence.source_files
    );
}

#[test]
fn the_same_archive_unpacked_gives_the_same_rows() {
    let rows = |inputs: &Inputs| {
        let (evidence, texts) = inputs.read(&Limits::default());
        assert_eq!(texts.count("az login"), 1);
        deploy_steps(&evidence)
    };
    let zip = Inputs::new();
    zip.add("acme/shop/builds/77/logs_77.zip", archive());
    let folder = Inputs::new();
    folder.add("acme/shop/builds/77/logs_77/1_Deploy.txt", whole());
    folder.add("acme/shop/builds/77/logs_77/Deploy/1_Initialize job.txt", INITIALIZE);
    folder.add("acme/shop/builds/77/logs_77/Deploy/2_Log in.txt", LOG_IN);
    assert_eq!(rows(&zip), rows(&folder));
}

#[test]
fn single_logs_are_a_job_or_a_step() {
    let inputs = Inputs::new();
    inputs.add("acme/shop/_apis/build/builds/77/logs/9", whole());
    inputs.add("acme/shop/_apis/build/builds/77/logs/5", LOG_IN);
    let (evidence, texts) = inputs.read(&Limits::default());
    assert_eq!(deploy_steps(&evidence).len(), 2);
    let row = problem(&evidence, "logs/5", "incomplete");
    assert!(!row.lossy);
    let runs: Vec<_> = texts
        .0
        .iter()
        .filter(|(context, _)| context.path.contains("/77/"))
        .map(|(context, _)| context.run_key)
        .collect();
    assert_eq!(runs, [Some(run("77")); 2]);
    let kinds: Vec<_> = evidence
        .source_files
        .iter()
        .filter(|file| file.platform == "azure_devops")
        .map(|file| file.kind.as_str())
        .collect();
    assert_eq!(kinds, ["step_log", "job_log"]);
}

#[test]
fn a_whole_log_that_holds_more_than_the_steps_is_read_instead() {
    let inputs = Inputs::new();
    let long = format!("{}{}", whole(), "2026-10-08T03:40:25.0000000Z more\n".repeat(100));
    let members = [("1_Deploy.txt", long), ("Deploy/1_Initialize job.txt", INITIALIZE.to_owned())];
    inputs.add("logs_77.zip", zipped(&members));
    let (evidence, texts) = inputs.read(&Limits::default());
    assert_eq!(deploy_steps(&evidence).len(), 2);
    assert_eq!((texts.count("az login"), texts.count("Agent machine name")), (1, 1));
}

#[test]
fn no_file_of_the_corpus_looks_like_a_log_of_azure() {
    let Some(corpus) = corpus() else { return };
    let files = files_below(&corpus.join("workflows"));
    assert!(files.len() > 400, "{} files", files.len());
    // What is asked first of every text, so that all logs of GitHub stay what they are.
    let has_sections = |file: &&std::path::PathBuf| {
        let bytes = fs::read(file).expect("readable");
        memchr::memmem::find(&bytes, b"##[section]").is_some()
    };
    assert_eq!(files.iter().find(has_sections), None);
}

#[test]
fn early_logs_of_github_with_sections_stay_githubs() {
    let inputs = Inputs::new();
    let section = "2020-03-13T01:02:02.0000000Z ##[section]Starting: Request a runner to run this job\n\
2020-03-13T01:02:03.0000000Z ##[section]Finishing: Request a runner to run this job\n";
    inputs.add("early.log", format!("{section}{}", crate::support::job_log("early")));
    let (evidence, _) = inputs.read(&Limits::default());
    assert!(evidence.jobs.iter().any(|job| job.name == "early"));
    assert!(evidence.source_files.iter().all(|file| file.platform == "github"));
}

#[test]
fn objects_without_a_place_are_told() {
    let mut nowhere = build();
    nowhere["url"] = json!("vstfs:///Build/Build/77");
    let (evidence, texts) = read("build.json", &nowhere);
    assert_eq!(evidence.runs, []);
    assert!(problem(&evidence, "build.json", "incomplete").reason.starts_with("1 objects"));
    assert_eq!(texts.count("tok-9f8e7d6c5b4a3f2e1d0c"), 1, "scanned all the same");
    let mut circle = timeline();
    circle["records"][1]["parentId"] = json!("p");
    let (evidence, _) = read("timeline.json", &circle);
    assert_eq!(evidence.jobs.len(), 1);
}

/// After "Variablegroups - Get" and "Definitions - Get"; the members of a definition as a real one
/// has them (PSTS 1.1.5 of the PowerShell Gallery, `tests/assets/BuildDefinition.json`).
#[test]
fn definitions_and_groups_name_the_secrets_and_show_the_rest() {
    let group = json!({"variables": {"endpoint": {"value": "https://ci:hunter2-hunter2@feed.test"}, "apiKey": {"value": null, "isSecret": true}},
        "id": 1, "type": "Vsts", "name": "release", "createdBy": {"displayName": "x", "id": "4adb1680"},
        "createdOn": "2026-10-01T10:00:00Z", "modifiedOn": "2026-10-02T10:00:00Z", "isShared": false,
        "variableGroupProjectReferences": [{"projectReference": {"id": "cbb1", "name": "shop"}, "name": "release"}]});
    let (evidence, texts) =
        read("acme/shop/_apis/distributedtask/variablegroups/1.json", &json!({"count": 1, "value": [group]}));
    assert_eq!(evidence.problems, []);
    let [credential] = evidence.credentials.as_slice() else { panic!("{:?}", evidence.credentials) };
    assert_eq!(
        (credential.name.as_str(), credential.scope.as_deref()),
        ("apiKey", Some("acme/shop/release"))
    );
    assert_eq!(texts.count("endpoint=https://ci:hunter2-hunter2@feed.test"), 1);
    let definition = json!({
        "triggers": [{"branchFilters": ["+refs/heads/main"], "pathFilters": [], "settingsSourceType": 2, "batchChanges": false,
            "maxConcurrentBuildsPerBranch": 1, "triggerType": "continuousIntegration"}],
        "_links": {"self": {"href": "https://dev.azure.com/acme/_apis/build/Definitions/367?revision=1"}},
        "jobAuthorizationScope": "projectCollection", "jobTimeoutInMinutes": 60, "process": {"yamlFilename": "/azure-pipelines.yaml", "type": 2},
        "repository": {"properties": {"fullName": "acme/shop"}, "id": "6e95", "type": "TfsGit", "name": "shop", "defaultBranch": "refs/heads/main"},
        "variables": {"TOKEN": {"value": null, "isSecret": true}, "tag": {"value": "v1", "allowOverride": true}},
        "variableGroups": [{"variables": {"apiKey": {"value": null, "isSecret": true}}, "type": "Vsts", "name": "release", "id": 1}, {"id": 2, "name": "later"}],
        "queue": {"id": 7, "name": "Default", "pool": {"id": 1, "name": "Default"}}, "id": 367, "name": "deploy-shop", "type": "build", "revision": 1});
    let (evidence, _) = read("definition.json", &definition);
    assert_eq!(evidence.problems, []);
    let [row] = evidence.workflow_definitions.as_slice() else {
        panic!("{:?}", evidence.workflow_definitions)
    };
    assert_eq!(
        (row.repo.as_deref(), row.path.as_deref()),
        (Some("acme/shop"), Some("/azure-pipelines.yaml"))
    );
    assert_eq!(row.secrets, ["TOKEN", "release/apiKey", "later/*"]);
    assert_eq!(
        (row.permissions.as_slice(), row.free_inputs.as_slice()),
        (&["scope:projectCollection".to_owned()][..], &["tag".to_owned()][..])
    );
    assert_eq!(row.trigger_filters, ["continuousIntegration.branchFilters=+refs/heads/main"]);
    assert_eq!(evidence.credentials.len(), 1, "those of the group are the group's");
}
