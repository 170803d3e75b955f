//! What a step dispatches: by an action, by `gh`, by the REST API, by a script of
//! `actions/github-script`. Logs and workflow files say it in the same words.

use super::dispatch::flatten;
use super::shell::{commands, options};

/// A dispatch as a step describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sent {
    pub(super) mechanism: &'static str,
    /// `owner/name`; the step's own repository if `None`.
    pub(super) repo: Option<String>,
    /// File, name or id of the workflow; the type of a `repository_dispatch`.
    pub(super) workflow: Option<String>,
    pub(super) reference: Option<String>,
    /// Names and values as written.
    pub(super) inputs: Vec<(String, String)>,
}

const WORKFLOW: &str = "workflow_dispatch";
const REPOSITORY: &str = "repository_dispatch";

/// Actions that dispatch, by their published inputs. `input` gives the first of these
/// inputs that is set.
pub(super) fn by_action(uses: &str, input: &dyn Fn(&[&str]) -> Option<String>) -> Option<Sent> {
    let action = uses.split('@').next()?.to_ascii_lowercase();
    let json = |names: &[&str]| input(names).map(|json| flatten(&json)).unwrap_or_default();
    let owned = || {
        let (owner, repo) = (input(&["owner"]), input(&["repo"])?);
        if repo.contains('/') { Some(repo) } else { owner.map(|owner| format!("{owner}/{repo}")) }
    };
    Some(match action.as_str() {
        "peter-evans/repository-dispatch" => Sent {
            mechanism: REPOSITORY,
            repo: input(&["repository"]),
            workflow: input(&["event-type"]),
            inputs: json(&["client-payload"]),
            reference: None,
        },
        "benc-uk/workflow-dispatch"
        | "the-actions-org/workflow-dispatch"
        | "aurelien-baudet/workflow-dispatch" => Sent {
            mechanism: WORKFLOW,
            repo: input(&["repo"]),
            workflow: input(&["workflow"]),
            reference: input(&["ref"]),
            inputs: json(&["inputs"]),
        },
        "convictional/trigger-workflow-and-wait" => Sent {
            mechanism: WORKFLOW,
            repo: owned(),
            workflow: input(&["workflow_file_name"]),
            reference: input(&["ref"]),
            inputs: json(&["client_payload"]),
        },
        "codex-/return-dispatch" => Sent {
            mechanism: WORKFLOW,
            repo: owned(),
            workflow: input(&["workflow"]),
            reference: input(&["ref"]),
            inputs: json(&["workflow_inputs"]),
        },
        "lasith-kg/dispatch-workflow" => {
            let is_repository = input(&["dispatch-method"]).as_deref() == Some(REPOSITORY);
            Sent {
                mechanism: if is_repository { REPOSITORY } else { WORKFLOW },
                repo: owned(),
                workflow: if is_repository { input(&["event-type"]) } else { input(&["workflow"]) },
                reference: input(&["ref"]),
                inputs: json(&["workflow-inputs"]),
            }
        }
        "actions/github-script" => return by_javascript(&input(&["script"])?),
        _ => return None,
    })
}

/// Commands of a shell script that dispatch.
pub(super) fn by_script(script: &str) -> Vec<Sent> {
    // Nearly every script dispatches nothing.
    if !script.contains("/dispatches") && !script.contains("workflow run") {
        return Vec::new();
    }
    commands(script).iter().filter_map(|words| by_gh(words).or_else(|| by_rest(words))).collect()
}

/// `gh workflow run <workflow> [-R owner/name] [-r ref] [-f name=value]` (GitHub CLI manual).
fn by_gh(words: &[String]) -> Option<Sent> {
    let at = words.windows(3).position(|three| three == ["gh", "workflow", "run"])?;
    let rest = words.get(at + 3..)?;
    let owned = |values: Vec<&str>| values.first().map(|value| (*value).to_owned());
    let takes_value = ["-R", "--repo", "-r", "--ref", "-f", "-F", "--field", "--raw-field"];
    let mut is_value = false;
    let workflow = rest.iter().find(|word| {
        let was_value = std::mem::replace(&mut is_value, takes_value.contains(&word.as_str()));
        !was_value && !word.starts_with('-')
    });
    Some(Sent {
        mechanism: WORKFLOW,
        // `HOST/OWNER/NAME` is allowed, too.
        repo: owned(options(rest, &["-R", "--repo"])).map(|repo| {
            let parts: Vec<&str> = repo.rsplitn(3, '/').collect();
            match parts.as_slice() {
                [name, owner, _host] => format!("{owner}/{name}"),
                _ => repo,
            }
        }),
        workflow: workflow.cloned(),
        reference: owned(options(rest, &["-r", "--ref"])),
        inputs: options(rest, &["-f", "-F", "--field", "--raw-field"])
            .into_iter()
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
    })
}

/// `POST /repos/{owner}/{repo}/dispatches` and
/// `POST /repos/{owner}/{repo}/actions/workflows/{id}/dispatches` (REST API reference),
/// by `gh api` or any HTTP client.
fn by_rest(words: &[String]) -> Option<Sent> {
    let url = words.iter().find(|word| word.contains("/dispatches"))?;
    // Text about a dispatch, not a dispatch.
    if words.first().is_some_and(|first| matches!(first.as_str(), "echo" | "printf" | "grep")) {
        return None;
    }
    let (before, _) = url.split_once("/dispatches")?;
    let (_, path) = before.rsplit_once("repos/")?;
    let (repo, workflow) = match path.split_once("/actions/workflows/") {
        Some((repo, workflow)) => (repo, Some(workflow.to_owned())),
        None => (path, None),
    };
    let mut body: Vec<(String, String)> = options(words, &["-f", "-F", "--field", "--raw-field"])
        .into_iter()
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.replace('[', ".").replace(']', ""), value.to_owned()))
        .collect();
    let data = ["-d", "--data", "--data-raw", "--data-binary", "--json", "--body", "--post-data"];
    body.extend(options(words, &data).into_iter().flat_map(flatten));
    Some(of_body(repo, workflow, body))
}

/// A dispatch by the members of its request: `ref`, `inputs`, `event_type`, `client_payload`.
fn of_body(repo: &str, workflow: Option<String>, body: Vec<(String, String)>) -> Sent {
    let mut sent = Sent {
        mechanism: if workflow.is_some() { WORKFLOW } else { REPOSITORY },
        repo: (repo.split('/').count() == 2).then(|| repo.to_owned()),
        workflow,
        ..Sent::default()
    };
    for (name, value) in body {
        match name.as_str() {
            "ref" => sent.reference = Some(value),
            "event_type" => sent.workflow = Some(value),
            _ => {
                let name = name.strip_prefix("inputs.").or_else(|| name.strip_prefix("client_payload."));
                sent.inputs.extend(name.map(|name| (name.to_owned(), value)));
            }
        }
    }
    sent
}

/// `github.rest.actions.createWorkflowDispatch({…})` and `github.rest.repos.createDispatchEvent({…})`
/// (octokit/rest.js). Only literals are read: names of inputs of an object written out.
fn by_javascript(script: &str) -> Option<Sent> {
    let (mechanism, call) = match script.split_once("createWorkflowDispatch(") {
        Some((_, call)) => (WORKFLOW, call),
        None => (REPOSITORY, script.split_once("createDispatchEvent(")?.1),
    };
    let literal = |name: &str| {
        let (_, after) = call.split_once(name)?;
        let after = after.trim_start_matches(['\'', '"']).trim_start().strip_prefix(':')?.trim_start();
        let quote = after.chars().next().filter(|first| matches!(first, '\'' | '"' | '`'))?;
        Some(after.get(1..)?.split(quote).next()?.to_owned())
    };
    let is_workflow = mechanism == WORKFLOW;
    let members = call.split_once(if is_workflow { "inputs" } else { "client_payload" });
    let inputs =
        members.and_then(|(_, after)| after.split_once('{')?.1.split_once('}')).map(|(members, _)| {
            members
                .split([',', '\n'])
                .filter_map(|member| member.split_once(':'))
                .map(|(name, value)| {
                    (
                        name.trim().trim_matches(['\'', '"']).to_owned(),
                        value.trim().trim_matches(['\'', '"', '`']).to_owned(),
                    )
                })
                .collect()
        });
    Some(Sent {
        mechanism,
        repo: literal("owner").zip(literal("repo")).map(|(owner, repo)| format!("{owner}/{repo}")),
        workflow: literal(if is_workflow { "workflow_id" } else { "event_type" }),
        reference: literal("ref"),
        inputs: inputs.unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(mechanism: &'static str, parts: [Option<&str>; 3], inputs: &[(&str, &str)]) -> Sent {
        let [repo, workflow, reference] = parts.map(|part| part.map(str::to_owned));
        let inputs = inputs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Sent { mechanism, repo, workflow, reference, inputs }
    }

    #[test]
    fn commands_of_the_cli_and_of_curl_are_dispatches() {
        let script = "set -e\ngh workflow run -R acme/deploy deploy.yml --ref main -f env=prod -f \"note=two words\"\n\
            RESPONSE=$(curl -X POST \\\n -H \"Authorization: Bearer $TOKEN\" \\\n https://api.github.com/repos/acme/child/dispatches \\\n \
            -d '{\"event_type\": \"run-child\", \"client_payload\": {\"run_id\": \"'\"17001\"'\"}}')\n\
            gh api repos/{owner}/{repo}/actions/workflows/e2e.yml/dispatches -f ref=dev -f 'inputs[suite]=smoke'\n\
            echo \"see repos/a/b/dispatches\"\n";
        assert_eq!(
            by_script(script),
            [
                sent(
                    WORKFLOW,
                    [Some("acme/deploy"), Some("deploy.yml"), Some("main")],
                    &[("env", "prod"), ("note", "two words")]
                ),
                sent(REPOSITORY, [Some("acme/child"), Some("run-child"), None], &[("run_id", "17001")]),
                sent(WORKFLOW, [Some("{owner}/{repo}"), Some("e2e.yml"), Some("dev")], &[("suite", "smoke")]),
            ]
        );
    }

    #[test]
    fn scripts_of_octokit_are_dispatches() {
        let script = "await github.rest.actions.createWorkflowDispatch({\n  owner: 'acme',\n  repo: 'deploy',\n  \
            workflow_id: 'deploy.yml',\n  ref: 'main',\n  inputs: { env: 'prod' },\n})";
        let input = |names: &[&str]| (names == ["script"]).then(|| script.to_owned());
        let expected =
            sent(WORKFLOW, [Some("acme/deploy"), Some("deploy.yml"), Some("main")], &[("env", "prod")]);
        assert_eq!(by_action("actions/github-script@v7", &input), Some(expected));
    }

    #[test]
    fn actions_that_dispatch_are_known_by_their_inputs() {
        let input = |names: &[&str]| match names {
            ["repo"] => Some("deploy".to_owned()),
            ["owner"] => Some("acme".to_owned()),
            ["workflow_file_name"] => Some("deploy.yml".to_owned()),
            ["client_payload"] => Some(r#"{"a": {"b": 1}}"#.to_owned()),
            _ => None,
        };
        let found = by_action("convictional/trigger-workflow-and-wait@v1.6.5", &input);
        assert_eq!(
            found,
            Some(sent(WORKFLOW, [Some("acme/deploy"), Some("deploy.yml"), None], &[("a.b", "1")]))
        );
        assert_eq!(by_action("actions/checkout@v4", &input), None);
    }
}
