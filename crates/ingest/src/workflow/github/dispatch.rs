//! Handoffs that a step's header and output show.

use super::run_path::RunPath;
use super::sent::{self, Sent};
use super::steps::StepPart;
use super::{artifacts, identities};
use crate::TextSink;
use leakgraph_model::tables::{Handoff, HandoffInput};
use leakgraph_model::{Evidence, Key, entropy};

/// Where a step stands.
pub(crate) struct Place<'a> {
    pub(crate) run_key: Key,
    pub(crate) job_key: Key,
    pub(crate) step: usize,
    pub(crate) repo: Option<&'a str>,
    /// The run's id, so that its own URL is not taken for a child's.
    pub(crate) run_id: Option<&'a str>,
    pub(crate) source_key: Key,
}

/// Adds the handoffs and identities of one step.
pub(crate) fn add(step: &StepPart, place: &Place<'_>, evidence: &mut Evidence, sink: &mut dyn TextSink) {
    let input = |names: &[&str]| identities::value(step, names).map(str::to_owned);
    match step.uses.as_deref().and_then(|uses| sent::by_action(uses, &input)) {
        Some(sent) => {
            let credential = credential(step, &["token", "github_token", "github-token"]);
            handoff(step, place, (0, sent), credential, evidence, sink);
        }
        None => {
            let credential = credential(step, &["GH_TOKEN", "GITHUB_TOKEN"]);
            for sent in sent::by_script(&step.script).into_iter().enumerate() {
                handoff(step, place, sent, credential, evidence, sink);
            }
        }
    }
    artifacts::add(step, place, evidence);
    identities::add(step, place, evidence);
}

/// Children that a later step of the job names, as one that waits for them does.
/// `sent` has the step and the index of each handoff.
pub(crate) fn told_later(
    steps: &[&StepPart],
    sent: &[(usize, usize)],
    run_id: Option<&str>,
    evidence: &mut Evidence,
) {
    for (step, index) in sent {
        let Some(handoff) = evidence.handoffs.get_mut(*index) else { continue };
        let is_dispatch = handoff.mechanism.ends_with("_dispatch");
        let Some(repo) =
            handoff.child_repo.clone().filter(|_| is_dispatch && handoff.child_run_key.is_none())
        else {
            continue;
        };
        let later = steps.get(step + 1..).unwrap_or_default().iter().flat_map(|step| &step.notable);
        let child = later.filter_map(|line| child_run(line, run_id)).find(|child| is_of(child, &repo));
        if let Some(key) = child.as_ref().and_then(RunPath::key) {
            handoff.child_run_key = Some(key);
            "url_in_log".clone_into(&mut handoff.link_method);
            handoff.confidence = TOLD_LATER;
        }
    }
}

/// Confidence of a child whose URL a later step printed.
const TOLD_LATER: f64 = 0.9;

fn is_of(child: &RunPath, repo: &str) -> bool {
    child.repo.as_deref().is_some_and(|of| of.eq_ignore_ascii_case(repo))
}

/// What kind of token stands behind a binding. The value is masked, so only its
/// absence or an app action's name tells.
fn credential(step: &StepPart, names: &[&str]) -> &'static str {
    match step.bound.iter().find(|bound| names.iter().any(|name| bound.name.eq_ignore_ascii_case(name))) {
        Some(bound) if bound.state == "empty" => "none",
        _ => "unknown",
    }
}

/// The members of a JSON object as dotted names and texts.
pub(crate) fn flatten(json: &str) -> Vec<(String, String)> {
    fn walk(prefix: &str, value: &serde_json::Value, found: &mut Vec<(String, String)>) {
        match value {
            serde_json::Value::Object(members) => {
                for (name, value) in members {
                    let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
                    walk(&path, value, found);
                }
            }
            serde_json::Value::Array(items) => {
                for (index, value) in items.iter().enumerate() {
                    walk(&format!("{prefix}[{index}]"), value, found);
                }
            }
            serde_json::Value::String(text) => found.push((prefix.to_owned(), text.clone())),
            serde_json::Value::Null => found.push((prefix.to_owned(), String::new())),
            other => found.push((prefix.to_owned(), other.to_string())),
        }
    }
    let mut found = Vec::new();
    if let Ok(value) = serde_json::from_str(json) {
        walk("", &value, &mut found);
    }
    found
}

fn handoff(
    step: &StepPart,
    place: &Place<'_>,
    (ordinal, sent): (usize, Sent),
    credential_kind: &str,
    evidence: &mut Evidence,
    sink: &mut dyn TextSink,
) {
    let target = sent.repo.filter(|repo| repo.contains('/') && !repo.contains(['$', '{', '*']));
    let is_elsewhere = |child: &RunPath| target.as_ref().is_some_and(|repo| !is_of(child, repo));
    let told = step.notable.iter().filter_map(|line| Some((line, child_run(line, place.run_id)?)));
    let (link_method, child) = match told.into_iter().find(|(_, child)| !is_elsewhere(child)) {
        // The answer to `return_run_details`.
        Some((line, child)) if line.contains("workflow_run_id") || line.contains("run_url") => {
            ("explicit_id", Some(child))
        }
        Some((_, child)) => ("url_in_log", Some(child)),
        None => ("unlinked", None),
    };
    let repo = target.clone().or_else(|| place.repo.map(str::to_owned));
    let child_key = child.as_ref().and_then(RunPath::key);
    let (job, number, nth) = (place.job_key.to_string(), place.step.to_string(), ordinal.to_string());
    let mut natural = vec![job.as_str(), &number, sent.mechanism];
    // Further dispatches of a step are further handoffs.
    if ordinal > 0 {
        natural.push(&nth);
    }
    let handoff_key = Key::of("handoff", &natural);
    evidence.handoffs.push(Handoff {
        handoff_key,
        parent_run_key: Some(place.run_key),
        parent_job_key: Some(place.job_key),
        child_run_key: child_key,
        crosses: crossing(repo.as_deref(), place.repo).to_owned(),
        child_repo: child.and_then(|child| child.repo).or(repo),
        child_workflow: sent.workflow,
        mechanism: sent.mechanism.to_owned(),
        credential_kind: credential_kind.to_owned(),
        link_method: link_method.to_owned(),
        confidence: if child_key.is_some() { 1.0 } else { 0.0 },
        carried_run_id: place
            .run_id
            .filter(|id| sent.inputs.iter().any(|(_, value)| value == id))
            .map(str::to_owned),
        child_ref: sent.reference,
        gate: "unknown".to_owned(),
        sent_at: step.started_at,
        evidence: "log".to_owned(),
        source_key: place.source_key,
        ..Handoff::default()
    });
    for (name, value) in sent.inputs {
        evidence.handoff_inputs.push(input(handoff_key, &name, &value, "log", place.source_key, sink));
    }
}

/// The run id that an input carries by its name: `run_id`, `parent_run_url`, `source.runId`, …
pub(super) fn carried_run_id(inputs: &[(String, String)]) -> Option<String> {
    inputs.iter().find_map(|(name, value)| {
        let name = name.rsplit('.').next().unwrap_or(name).to_lowercase().replace(['_', '-'], "");
        let id = match value.split_once("/actions/runs/") {
            Some((_, rest)) => rest.split(|letter: char| !letter.is_ascii_digit()).next().unwrap_or_default(),
            None if name.ends_with("runid") => value,
            None => return None,
        };
        super::run_path::is_id(id).then(|| id.to_owned())
    })
}

/// Which boundary lies between two repositories: none, repo, org.
pub(crate) fn crossing(child: Option<&str>, parent: Option<&str>) -> &'static str {
    match (child, parent) {
        (Some(child), Some(parent)) if child.eq_ignore_ascii_case(parent) => "none",
        (Some(child), Some(parent)) if owner(child) == owner(parent) => "repo",
        (Some(_), Some(_)) => "org",
        _ => "none",
    }
}

fn owner(repo: &str) -> String {
    repo.split('/').next().unwrap_or("").to_ascii_lowercase()
}

/// The run a printed URL names, but for the run that prints it.
fn child_run(line: &str, own: Option<&str>) -> Option<RunPath> {
    let (before, after) = line.split_once("/actions/runs/")?;
    let id: String = after.chars().take_while(char::is_ascii_digit).collect();
    let mut parts = before.rsplit('/');
    let (name, owner) = (parts.next()?, parts.next()?);
    let repo = Some(format!("{owner}/{name}")).filter(|_| !owner.is_empty());
    (!id.is_empty() && own != Some(&id) && repo.is_some()).then_some(RunPath {
        repo,
        run_id: Some(id),
        attempt: Some(1),
    })
}

/// One input of a handoff: its class and fingerprint, never its value.
pub(crate) fn input(
    handoff_key: Key,
    name: &str,
    value: &str,
    visible: &str,
    source_key: Key,
    sink: &mut dyn TextSink,
) -> HandoffInput {
    let class = class(value);
    HandoffInput {
        handoff_key,
        name: name.to_owned(),
        value_class: class.to_owned(),
        value_bytes: i64::try_from(value.len()).ok(),
        entropy: Some(entropy(value.as_bytes())),
        value_fingerprint: sink.fingerprint(value.as_bytes()),
        visible: visible.to_owned(),
        validated: match class {
            "bool" | "enum" | "version" | "ref" | "empty" => Some(true),
            "masked" => None,
            _ => Some(false),
        },
        source_key,
    }
}

/// empty, bool, enum, ref, version, path, url, json, text, token_like or masked.
pub(crate) fn class(value: &str) -> &'static str {
    let is_word = |extra: &str| {
        value.bytes().all(|byte| byte.is_ascii_alphanumeric() || extra.as_bytes().contains(&byte))
    };
    let has_digit = value.bytes().any(|byte| byte.is_ascii_digit());
    let is_sha = matches!(value.len(), 40 | 64) && value.bytes().all(|byte| byte.is_ascii_hexdigit());
    if value.is_empty() {
        "empty"
    } else if ["***", "[MASKED]", "[secure]", "[REDACTED]"].iter().any(|mask| value.contains(mask)) {
        "masked"
    } else if matches!(value, "true" | "false") {
        "bool"
    } else if value.contains("://") {
        "url"
    } else if value.starts_with(['{', '[']) {
        "json"
    } else if is_sha || value.starts_with("refs/") {
        "ref"
    } else if has_digit
        && is_word(".-+")
        && value.trim_start_matches('v').starts_with(|c: char| c.is_ascii_digit())
        && value.len() < 32
    {
        "version"
    } else if value.len() >= 20 && is_word("_-+/=.~") && has_digit && entropy(value.as_bytes()) > 3.5 {
        "token_like"
    } else if value.contains('/') && is_word("/._-") {
        "path"
    } else if value.len() <= 32 && is_word("_-") {
        "enum"
    } else {
        "text"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_classed_by_form() {
        let cases = [
            ("", "empty"),
            ("true", "bool"),
            ("production", "enum"),
            ("v1.2.3", "version"),
            ("refs/heads/main", "ref"),
            ("https://example.test/x", "url"),
            ("a b c", "text"),
            ("Zx81hGk2Lq9Vt4Rw7Yb3", "token_like"),
            ("***", "masked"),
        ];
        for (value, expected) in cases {
            assert_eq!(class(value), expected, "{value}");
        }
    }

    #[test]
    fn printed_urls_name_the_child() {
        let child =
            child_run("see https://github.com/acme/deploy/actions/runs/17000123 for it", Some("1")).unwrap();
        assert_eq!((child.repo.as_deref(), child.run_id.as_deref()), (Some("acme/deploy"), Some("17000123")));
        assert_eq!(child_run("https://github.com/acme/deploy/actions/runs/17000123", Some("17000123")), None);
    }

    #[test]
    fn run_ids_are_carried_by_name_or_address() {
        let carried = |name: &str, value: &str| carried_run_id(&[(name.to_owned(), value.to_owned())]);
        assert_eq!(carried("source.run_id", "17001").as_deref(), Some("17001"));
        assert_eq!(carried("parentRunId", "17001").as_deref(), Some("17001"));
        let url = "https://github.com/a/b/actions/runs/17001/attempts/2";
        assert_eq!(carried("caller", url).as_deref(), Some("17001"));
        assert_eq!(carried("run_id", "none"), None);
        assert_eq!(carried("build", "17001"), None);
    }

    #[test]
    fn payloads_are_flattened() {
        assert_eq!(
            flatten(r#"{"a":{"b":1},"c":"x"}"#),
            [("a.b".to_owned(), "1".to_owned()), ("c".to_owned(), "x".to_owned())]
        );
    }
}
