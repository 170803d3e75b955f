use super::*;
use crate::documents;

fn rows(path: &str, yaml: &str) -> Vec<WorkflowDefinition> {
    let value = documents::yaml(yaml.as_bytes()).next().and_then(Result::ok).expect("YAML");
    let kind = recognise(&value).expect("a definition").kind;
    let document = Document { path, source_key: Key::default(), part: 0, bytes: yaml.as_bytes() };
    import(kind, &document, &value).workflow_definitions
}

const DEPLOY: &str = r#"
name: Deploy
on:
  push: {branches: [main, "rel/*"]}
  schedule: [{cron: "0 3 * * *"}]
  workflow_dispatch:
    inputs:
      env: {type: choice, required: true, options: [staging, production]}
      tag: {description: free text}
  workflow_call:
    inputs: {dry: {type: boolean}}
    secrets: {KEY: {required: true}}
permissions: {contents: read, id-token: none}
concurrency: deploy-${{ github.ref }}
env: {ORG: "${{ secrets.ORG_TOKEN }}"}
jobs:
  build:
    runs-on: [self-hosted, linux]
    permissions: write-all
    environment: {name: production}
    if: ${{ !cancelled() }}
    steps:
      - uses: actions/checkout@v4
        with: {persist-credentials: false}
      - uses: acme/deploy@34e114876b0b11c390a56381ad16ebd13914f8d5
        with: {token: "${{ secrets.PAT }}"}
      - run: |
          echo ${{ inputs.tag }} ${{ inputs.env }} ${{ github.event.inputs.tag }}
          gh workflow run -R acme/other child.yml -f who=${{ github.actor }}
  call:
    needs: build
    uses: acme/ci/.github/workflows/x.yml@main
    secrets: inherit
"#;

#[test]
fn a_workflow_has_a_row_per_job() {
    let rows = rows("repos/acme/shop/.github/workflows/deploy.yml", DEPLOY);
    let [build, call] = rows.as_slice() else { panic!("{rows:#?}") };
    assert_eq!(build.kind, "reusable_workflow");
    assert_eq!((build.repo.as_deref(), build.job_id.as_deref()), (Some("acme/shop"), Some("build")));
    assert_eq!(build.triggers.len(), 4);
    assert_eq!(
        build.trigger_filters,
        ["push.branches=main", "push.branches=rel/*", "schedule.cron=0 3 * * *"]
    );
    assert_eq!(
        build.inputs,
        [
            "workflow_call.dry:boolean",
            "workflow_call.KEY:secret:required",
            "workflow_dispatch.env:choice:required:staging|production",
            "workflow_dispatch.tag:string",
        ]
    );
    assert_eq!(build.free_inputs, ["tag"]);
    assert_eq!(
        (build.permissions.as_slice(), build.permissions_from.as_str()),
        (&["*:write".to_owned()][..], "job")
    );
    assert_eq!(build.workflow_permissions, ["contents:read"]);
    assert_eq!(build.environment.as_deref(), Some("production"));
    assert_eq!(build.concurrency.as_deref(), Some("deploy-${{ github.ref }}"));
    assert_eq!(build.runs_on, ["self-hosted", "linux"]);
    assert_eq!(build.secrets, ["ORG_TOKEN", "PAT"]);
    assert_eq!(build.unpinned_uses, ["actions/checkout@v4"]);
    assert_eq!(build.uses.len(), 2);
    assert_eq!(build.persists_credentials, Some(false));
    assert_eq!(
        build.input_expressions,
        ["steps[2].run: inputs.tag", "steps[2].run: github.event.inputs.tag"],
        "the choice is closed"
    );
    assert_eq!(build.untrusted_expressions, [] as [String; 0]);
    assert_eq!(build.dispatches, ["workflow_dispatch acme/other child.yml"]);
    assert_eq!(call.calls.as_deref(), Some("acme/ci/.github/workflows/x.yml@main"));
    assert_eq!((call.inherits_secrets, call.needs.as_slice()), (true, &["build".to_owned()][..]));
    assert_eq!(
        (call.permissions.as_slice(), call.permissions_from.as_str()),
        (&["contents:read".to_owned()][..], "workflow")
    );
    assert_eq!(call.unpinned_uses, ["acme/ci/.github/workflows/x.yml@main"]);
    assert_eq!(call.persists_credentials, None);
    assert_ne!(build.definition_key, call.definition_key);
}

#[test]
fn outsiders_text_and_code_are_seen_where_they_meet_secrets() {
    let rows = rows(
        "ci.yml",
        r#"
on: [pull_request_target, issue_comment]
permissions: {}
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
        with: {ref: "${{ github.event.pull_request.head.sha }}"}
      - run: echo "${{ github.event.pull_request.title }}" && gh pr checkout 7
      - uses: actions/github-script@v7
        with: {script: "core.info('${{ github.event.comment.body }}')"}
      - run: echo "$TITLE"
        env: {TITLE: "${{ github.event.issue.title }}"}
"#,
    );
    let [row] = rows.as_slice() else { panic!("{rows:#?}") };
    assert_eq!(
        row.untrusted_expressions,
        ["steps[1].run: github.event.pull_request.title", "steps[2].with.script: github.event.comment.body"],
        "a variable is no paste"
    );
    assert_eq!(row.untrusted_checkouts.len(), 2, "{:?}", row.untrusted_checkouts);
    assert_eq!((row.permissions.len(), row.permissions_from.as_str()), (0, "workflow"), "declared as none");
    assert_eq!(row.persists_credentials, Some(true));
    assert_eq!(row.path.as_deref(), Some("ci.yml"));
}

#[test]
fn the_same_checkout_in_a_plain_pull_request_is_no_crossing() {
    let rows = rows(
        "ci.yml",
        "on: pull_request\njobs: {t: {runs-on: x, steps: [{uses: actions/checkout@v4, with: {ref: '${{ github.head_ref }}'}}]}}\n",
    );
    assert_eq!(rows[0].untrusted_checkouts, [] as [String; 0]);
    assert_eq!(rows[0].triggers, ["pull_request"]);
}

#[test]
fn actions_are_definitions_of_their_own() {
    let rows = rows(
        ".github/actions/x/action.yml",
        "name: X\ndescription: d\ninputs: {cmd: {required: true}}\nruns: {using: composite, steps: [{run: '${{ inputs.cmd }}', shell: bash}, {uses: 'docker://alpine:3'}]}\n",
    );
    let [row] = rows.as_slice() else { panic!("{rows:#?}") };
    assert_eq!((row.kind.as_str(), row.job_id.as_deref(), row.steps), ("composite_action", None, 2));
    assert_eq!(row.inputs, ["action.cmd:string:required"]);
    assert_eq!(row.input_expressions, ["steps[0].run: inputs.cmd"]);
    assert_eq!(row.unpinned_uses, ["docker://alpine:3"]);
}

#[test]
fn files_of_others_are_not_ours() {
    for yaml in [
        "jobs: {build: {docker: [{image: x}], steps: [checkout]}}\nversion: 2.1\n",
        "on: push\n",
        "runs: {using: node}\n",
        "stages: [a]\njob: {script: [x]}\n",
        "version: 2\nupdates: []\n",
    ] {
        let value = documents::yaml(yaml.as_bytes()).next().and_then(Result::ok).expect("YAML");
        assert_eq!(recognise(&value), None, "{yaml}");
    }
}
