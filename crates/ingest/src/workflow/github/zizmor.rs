//! Reports of zizmor (`--format=json-v1`): what it found in workflow files, as rows beside those
//! of the files themselves.
//!
//! Format: `crates/zizmor/src/output/json/v1.rs` of zizmor, and reports of zizmor 1.32.0. Older
//! versions say `given_path` where newer ones say `verbatim_path`.

use super::definition::DefinitionPath;
use crate::Document;
use crate::value::text;
use leakgraph_model::tables::{Problem, WorkflowDefinition};
use leakgraph_model::{Evidence, Key};
use serde_json::Value;
use std::collections::BTreeMap;

/// A job of a file; no job where a finding is of all of it.
type Place = (Option<String>, String, Option<String>);

pub(super) fn import(document: &Document<'_>, value: &Value) -> Evidence {
    let mut rows: BTreeMap<Place, WorkflowDefinition> = BTreeMap::new();
    let mut unused = 0;
    let findings = value.as_array().map(Vec::as_slice).unwrap_or_default();
    for finding in findings.iter().filter(|finding| finding.get("ignored") != Some(&Value::Bool(true))) {
        if note(finding, document, &mut rows).is_none() {
            unused += 1;
        }
    }
    let mut evidence = Evidence { workflow_definitions: rows.into_values().collect(), ..Evidence::default() };
    if unused > 0 {
        evidence.problems.push(Problem {
            path: document.path.to_owned(),
            offset: None,
            code: "unused".to_owned(),
            reason: format!(
                "{unused} of {} findings of zizmor are of audits that no column of workflow_definitions holds",
                findings.len()
            ),
            lossy: false,
        });
    }
    evidence
}

/// Writes one finding to the row of its job; `None` if no column holds what it says.
fn note(
    finding: &Value,
    document: &Document<'_>,
    rows: &mut BTreeMap<Place, WorkflowDefinition>,
) -> Option<()> {
    let locations = finding.get("locations").and_then(Value::as_array)?;
    let is_primary = |location: &&Value| text(location, "/symbolic/kind").as_deref() == Some("Primary");
    let primary = locations.iter().find(is_primary).or_else(|| locations.first())?;
    let route = Route::of(primary);
    // The part of the file that is meant; else all of the feature.
    let part = text(primary, "/symbolic/feature_kind/Subfeature/fragment/Raw")
        .or_else(|| text(primary, "/concrete/feature").map(|text| text.trim().to_owned()));
    let change: Box<dyn Fn(&mut WorkflowDefinition)> = match text(finding, "/ident")?.as_str() {
        "unpinned-uses" | "unpinned-images" => {
            let uses = part.filter(|uses| !uses.contains(char::is_whitespace))?;
            Box::new(move |row| {
                add(&mut row.uses, &uses);
                add(&mut row.unpinned_uses, &uses);
            })
        }
        "template-injection" => {
            // Of lower severity are expressions that only the repository's own people decide.
            text(finding, "/determinations/severity").filter(|severity| severity == "High")?;
            let expression = part.filter(|part| !part.contains('\n'))?;
            let expression = expression.trim_start_matches("${{").trim_end_matches("}}").trim().to_owned();
            let is_input =
                ["inputs.", "github.event.inputs."].iter().any(|start| expression.starts_with(start));
            let entry = format!("{}: {expression}", route.step()?);
            Box::new(move |row| {
                add(
                    if is_input { &mut row.input_expressions } else { &mut row.untrusted_expressions },
                    &entry,
                );
            })
        }
        "secrets-inherit" => Box::new(move |row| {
            row.inherits_secrets = true;
            row.calls = part.clone().or_else(|| row.calls.take());
        }),
        "overprovisioned-secrets" => Box::new(|row| row.reads_all_secrets = true),
        "artipacked" => Box::new(|row| row.persists_credentials = Some(true)),
        "dangerous-triggers" => {
            let event = route.0.last().filter(|_| route.0.len() == 2)?.clone();
            Box::new(move |row| add(&mut row.triggers, &event))
        }
        _ => return None,
    };
    let place = place(primary, &route)?;
    let row = rows.entry(place.clone()).or_insert_with(|| empty(document, place));
    change(row);
    Some(())
}

fn empty(document: &Document<'_>, (repo, path, job): Place) -> WorkflowDefinition {
    let source = document.source_key.to_string();
    let natural = [repo.as_deref().unwrap_or(""), &path, &source, job.as_deref().unwrap_or("")];
    WorkflowDefinition {
        definition_key: Key::of("workflow_definition", &[&["zizmor"], &natural[..]].concat()),
        platform: "github".to_owned(),
        kind: "zizmor_findings".to_owned(),
        permissions_from: "unknown".to_owned(),
        path: Some(path),
        job_id: job,
        source_key: document.source_key,
        repo,
        ..WorkflowDefinition::default()
    }
}

/// Where a finding is: `{"Local": {"verbatim_path": …}}`, or a repository that zizmor fetched.
fn place(location: &Value, route: &Route) -> Option<Place> {
    let key = location.pointer("/symbolic/key")?;
    let path = ["/Local/verbatim_path", "/Local/given_path", "/Remote/path"];
    let path = path.iter().find_map(|pointer| text(key, pointer))?;
    // Of older versions the repository's members stood beside the path.
    let of_remote = |member: &str| {
        text(key, &format!("/Remote/slug/{member}")).or_else(|| text(key, &format!("/Remote/{member}")))
    };
    let remote = of_remote("owner").zip(of_remote("repo"));
    let local = DefinitionPath::of(path.trim_start_matches("./"));
    let repo = remote.map(|(owner, name)| format!("{owner}/{name}")).or(local.repo);
    Some((repo, local.file?, route.job()))
}

/// Keys and indices from the top of the file.
struct Route(Vec<String>);

impl Route {
    fn of(location: &Value) -> Self {
        let parts = location
            .pointer("/symbolic/route/route")
            .or_else(|| location.pointer("/symbolic/route/components"));
        let parts = parts.and_then(Value::as_array).into_iter().flatten();
        Self(parts.filter_map(|part| text(part, "/Key").or_else(|| text(part, "/Index"))).collect())
    }

    fn job(&self) -> Option<String> {
        match self.0.as_slice() {
            [first, job, ..] if first == "jobs" => Some(job.clone()),
            _ => None,
        }
    }

    /// `steps[2].run` of `jobs.build.steps.2.run`, or of `runs.steps.2.run` in an action.
    fn step(&self) -> Option<String> {
        let at = self.0.iter().position(|part| part == "steps")?;
        let (index, rest) = self.0.get(at + 1..)?.split_first()?;
        Some([&[format!("steps[{index}]")], rest].concat().join("."))
    }
}

fn add(list: &mut Vec<String>, item: &str) {
    if !list.iter().any(|known| known == item) {
        list.push(item.to_owned());
    }
}
