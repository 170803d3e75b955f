//! Any damage to definitions and settings is survived, and every text of theirs still scanned.

use crate::orchestrators::{damaged, marker};
use crate::support::{Texts, read_path};
use leakgraph_ingest::link;
use leakgraph_model::Evidence;
use proptest::prelude::*;
use serde_json::{Value, json};

fn read_file(name: &str, content: &str) -> (Evidence, Texts) {
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    let path = folder.path().join(name);
    std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
    std::fs::write(&path, content).expect("write");
    read_path(&path)
}

/// Documents of all kinds that hold definitions or settings, by a path they are read under.
fn documents() -> Vec<(&'static str, &'static str, Value)> {
    let place = |route: Value| {
        json!({"symbolic": {"key": {"Local": {"verbatim_path": ".github/workflows/ci.yml"}}, "kind": "Primary",
            "feature_kind": {"Subfeature": {"fragment": {"Raw": "inputs.tag"}}}, "route": {"route": route}},
            "concrete": {"feature": "inputs.tag"}})
    };
    let finding = |ident: &str, route: Value| json!({"ident": ident, "determinations": {"severity": "High"}, "locations": [place(route)], "ignored": false});
    let step = json!([{"Key": "jobs"}, {"Key": "build"}, {"Key": "steps"}, {"Index": 2}, {"Key": "run"}]);
    vec![
        (
            ".gitlab-ci.yml",
            "ci_yaml",
            json!({
                "include": [{"project": "a/b", "file": ["/x.yml"], "ref": "v1"}, {"component": "h/c@1"}, "https://e.test/y.yml"],
                "default": {"image": {"name": "ruby"}, "id_tokens": {"T": {"aud": ["https://a.test"]}}},
                "workflow": {"rules": [{"if": "$CI_PIPELINE_SOURCE == \"web\"", "when": "never", "changes": {"paths": ["a"]}}]},
                ".base": {"extends": ".base", "tags": ["x"], "services": ["db", {"name": "c"}]},
                "build": {"extends": [".base"], "script": ["a", ["b"]], "needs": ["x", {"job": "y"}], "only": {"refs": ["main"]}},
                "deploy": {"trigger": {"include": [{"local": "c.yml"}], "forward": {"pipeline_variables": true}}, "environment": {"name": "p"}},
            }),
        ),
        (
            "run.json",
            "gh_run_json",
            json!({"databaseId": 17001, "attempt": 2, "headSha": "ab", "workflowName": "CI", "url": "https://github.com/a/b/actions/runs/17001",
                "jobs": [{"databaseId": 1, "name": "build", "startedAt": "0001-01-01T00:00:00Z", "url": "https://github.com/a/b/actions/runs/17001/job/1",
                    "steps": [{"number": 1, "name": "x", "conclusion": "success"}]}]}),
        ),
        (
            "contents.json",
            "contents_json",
            json!({"type": "file", "encoding": "base64", "path": ".github/workflows/ci.yml", "sha": "x", "git_url": "x",
                "url": "https://api.github.com/repos/a/b/contents/.github/workflows/ci.yml?ref=main",
                "content": "b246IHB1c2gKam9iczoge2E6IHtydW5zLW9uOiB4fX0K\n"}),
        ),
        (
            "gitlab_contents.json",
            "contents_json",
            json!({"file_name": "ci.yml", "file_path": "ci.yml", "encoding": "base64", "ref": "main", "blob_id": "x", "commit_id": "x",
                "content": "dDoge3NjcmlwdDogeCwgc3RhZ2U6IHl9Cg=="}),
        ),
        (
            "zizmor.json",
            "zizmor_json",
            json!([
                finding("template-injection", step.clone()),
                finding("unpinned-uses", step.clone()),
                finding("secrets-inherit", step),
                finding("dangerous-triggers", json!([{"Key": "on"}, {"Key": "workflow_run"}]))
            ]),
        ),
        (
            "definition.json",
            "definition_json",
            json!({"id": 3, "name": "d", "revision": 1, "jobAuthorizationScope": "project", "process": {"yamlFilename": "/a.yml"},
                "repository": {"name": "r"}, "variables": {"A": {"isSecret": true}, "B": {"value": "v", "allowOverride": true}},
                "variableGroups": [{"name": "g", "variables": {"C": {"isSecret": true}}}, {"name": "h"}],
                "triggers": [{"triggerType": "schedule", "branchFilters": ["+x"]}], "url": "https://dev.azure.com/acme/p/_apis/build/Definitions/3"}),
        ),
        (
            "groups.json",
            "variable_group_json",
            json!({"value": [{"id": 1, "name": "g", "type": "Vsts", "modifiedOn": "2026-10-01T10:00:00Z", "variables": {"A": {"value": "v"}, "B": {"isSecret": true}},
                "variableGroupProjectReferences": [{"projectReference": {"name": "p"}}]}]}),
        ),
        (
            "project/gh/a/b/envvar.json",
            "project_variable_json",
            json!({"items": [{"name": "A", "value": "xxxx1234"}], "next_page_token": null}),
        ),
        (
            "variables.json",
            "context_variable_json",
            json!({"items": [{"variable": "A", "context_id": "c", "created_at": "2026-10-01T10:00:00Z"}], "next_page_token": null}),
        ),
    ]
}

#[test]
fn undamaged_they_are_what_they_are() {
    for (name, kind, document) in documents() {
        let (evidence, _) = read_file(name, &document.to_string());
        assert_eq!(evidence.source_files[0].kind, kind, "{name}");
        let rows = evidence.workflow_definitions.len() + evidence.credentials.len() + evidence.jobs.len();
        assert!(rows > 0, "{name} gives no row");
    }
}

#[test]
fn unknown_members_of_settings_are_scanned() {
    let secret = marker("unknown");
    for (name, _, document) in documents().into_iter().filter(|(name, ..)| {
        // Of runs and answers with a file only what has a column is read, as of the REST API.
        !matches!(*name, "run.json" | "contents.json" | "gitlab_contents.json")
    }) {
        let mut document = document;
        let items = ["/value/0", "/items/0", "/0", ""];
        let at =
            items.iter().find(|at| document.pointer(at).is_some_and(Value::is_object)).expect("an object");
        let members = document.pointer_mut(at).and_then(Value::as_object_mut).expect("an object");
        members.insert("description".to_owned(), Value::from(secret.clone()));
        let (_, texts) = read_file(name, &document.to_string());
        assert_eq!(texts.count(&secret), 1, "{name}");
    }
}

fn any_damaged() -> impl Strategy<Value = (&'static str, Value)> {
    let all = documents()
        .into_iter()
        .map(|(name, _, document)| damaged(document).prop_map(move |value| (name, value)).boxed());
    proptest::strategy::Union::new(all)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_damage_is_survived((name, document) in any_damaged()) {
        let (mut evidence, _) = read_file(name, &document.to_string());
        prop_assert!(!evidence.source_files.is_empty() || !evidence.problems.is_empty());
        link(&mut evidence);
    }
}
