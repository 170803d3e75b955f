//! One job of a file, with what it takes from `default:` and `extends:`.

use super::includes;
use super::rules::{self, Rules};
use crate::value::text;
use leakgraph_model::tables::WorkflowDefinition;
use serde_json::{Map, Value};

/// Keywords that `default:` sets for all jobs (`inherit:default` is not looked at).
const DEFAULTS: [&str; 6] = ["after_script", "before_script", "id_tokens", "image", "services", "tags"];
/// GitLab follows `extends` this far.
const MAX_EXTENDS: usize = 11;

/// A job as it would run.
pub(super) struct Job(Map<String, Value>);

impl Job {
    pub(super) fn of(file: &Map<String, Value>, name: &str) -> Self {
        let mut members = Map::new();
        let default = file.get("default").and_then(Value::as_object);
        for keyword in DEFAULTS {
            // Outside of `default:` these keywords are deprecated, and mean the same.
            if let Some(value) = default.and_then(|all| all.get(keyword)).or_else(|| file.get(keyword)) {
                members.insert(keyword.to_owned(), value.clone());
            }
        }
        extend(&mut members, file, name, 0);
        Self(members)
    }

    fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// Completes a row by what the job declares.
    pub(super) fn row(&self, row: WorkflowDefinition, workflow: &Rules) -> WorkflowDefinition {
        let of_job = Value::Object(self.0.clone());
        let rules = rules::of(&of_job);
        let sources = if rules.sources.is_empty() { &workflow.sources } else { &rules.sources };
        let has_token = self.get("id_tokens").and_then(Value::as_object).is_some_and(|all| !all.is_empty());
        let images = self.images();
        let trigger = self.get("trigger").map(Trigger::of);
        let is_pinned = |image: &String| image.contains("@sha256:");
        let mut uses: Vec<String> = images.iter().map(|image| format!("docker://{image}")).collect();
        let mut unpinned: Vec<String> = images
            .iter()
            .filter(|image| !is_pinned(image))
            .map(|image| format!("docker://{image}"))
            .collect();
        for item in trigger.iter().flat_map(|trigger| &trigger.included) {
            unpinned.extend((!item.is_pinned).then(|| item.name.clone()));
            uses.push(item.name.clone());
        }
        let commands = self.commands();
        WorkflowDefinition {
            triggers: sources.clone(),
            trigger_filters: [workflow.filters("workflow"), rules.filters("")].concat(),
            job_name: row.job_id.clone(),
            needs: self.needs(),
            condition: rules.condition().or_else(|| {
                let is_asked = |when: &String| matches!(when.as_str(), "manual" | "delayed");
                text(&of_job, "/when").filter(is_asked).map(|when| format!("when: {when}"))
            }),
            runs_on: self.get("tags").map(words).unwrap_or_default(),
            environment: text(&of_job, "/environment/name").or_else(|| text(&of_job, "/environment")),
            concurrency: text(&of_job, "/resource_group"),
            permissions: has_token.then(|| "id-token:write".to_owned()).into_iter().collect(),
            permissions_from: if has_token { "job" } else { "default" }.to_owned(),
            secrets: self.secrets(),
            uses,
            unpinned_uses: unpinned,
            inherits_secrets: trigger.as_ref().is_some_and(|trigger| trigger.forwards_all),
            dispatches: trigger.iter().map(|trigger| trigger.dispatch.clone()).collect(),
            calls: trigger.and_then(|trigger| trigger.calls),
            input_expressions: self.input_expressions(&commands, &row.free_inputs),
            steps: i64::try_from(commands.len()).unwrap_or(i64::MAX),
            ..row
        }
    }

    /// Jobs it waits for.
    fn needs(&self) -> Vec<String> {
        let items = self.get("needs").and_then(Value::as_array).into_iter().flatten();
        items.filter_map(|item| text(item, "").or_else(|| text(item, "/job"))).collect()
    }

    /// Names of secrets of vaults, and of id tokens as `NAME@audience`.
    fn secrets(&self) -> Vec<String> {
        let members = |name: &str| self.get(name).and_then(Value::as_object).into_iter().flatten();
        let mut names: Vec<String> = members("secrets").map(|(name, _)| name.clone()).collect();
        for (name, token) in members("id_tokens") {
            let audiences = token.get("aud").map(words).unwrap_or_default();
            names.push(format!("{name}@{}", audiences.join(",")));
        }
        names
    }

    /// Images of the job and of its services, that are written out.
    fn images(&self) -> Vec<String> {
        let image = self.get("image").into_iter();
        let services = self.get("services").and_then(Value::as_array).into_iter().flatten();
        let names = image.chain(services).filter_map(|item| text(item, "/name").or_else(|| text(item, "")));
        let mut found: Vec<String> = Vec::new();
        for name in names.filter(|name| !name.contains('$')) {
            if !found.contains(&name) {
                found.push(name);
            }
        }
        found
    }

    /// Keyword and text of every command.
    fn commands(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for keyword in ["before_script", "script", "after_script"] {
            let mut texts = Vec::new();
            flatten(self.get(keyword), &mut texts);
            let named = texts.into_iter().enumerate();
            found.extend(named.map(|(index, text)| (format!("{keyword}[{index}]"), text)));
        }
        found
    }

    /// `$[[ inputs.name ]]` in commands, of inputs that take any text: it is put into the script.
    fn input_expressions(&self, commands: &[(String, String)], free: &[String]) -> Vec<String> {
        let mut found = Vec::new();
        for (place, command) in commands {
            for expression in command.split("$[[").skip(1).filter_map(|rest| rest.split("]]").next()) {
                let reference = expression.split('|').next().unwrap_or_default().trim();
                let name = reference.strip_prefix("inputs.").unwrap_or_default();
                if free.iter().any(|input| input == name) {
                    found.push(format!("{place}: {reference}"));
                }
            }
        }
        found
    }
}

/// A pipeline that a job starts.
struct Trigger {
    /// `group/name@branch`, or the first file of a child pipeline.
    calls: Option<String>,
    /// `mechanism repository workflow`.
    dispatch: String,
    included: Vec<includes::Included>,
    /// Whether all variables of the pipeline go with it.
    forwards_all: bool,
}

impl Trigger {
    fn of(value: &Value) -> Self {
        let project = value.as_str().map(str::to_owned).or_else(|| text(value, "/project"));
        let include = value.get("include");
        let forwards_all = value.pointer("/forward/pipeline_variables") == Some(&Value::Bool(true));
        let included = include.map(includes::of).unwrap_or_default();
        if let Some(project) = project {
            let branch = text(value, "/branch").map(|branch| format!("@{branch}")).unwrap_or_default();
            let dispatch = format!("trigger_multi {project} ");
            return Self { calls: Some(format!("{project}{branch}")), dispatch, included, forwards_all };
        }
        let file = include.and_then(|include| {
            let item = include.as_array().map_or(Some(include), |items| items.first())?;
            let names = ["", "/local", "/artifact"].iter().find_map(|pointer| text(item, pointer));
            names.or_else(|| included.first().map(|item| item.name.clone()))
        });
        let dispatch = format!("trigger_child  {}", file.as_deref().unwrap_or_default());
        Self { calls: file, dispatch, included, forwards_all }
    }
}

/// Adds the members of a job over those it extends: mappings are merged, all else replaced.
fn extend(into: &mut Map<String, Value>, file: &Map<String, Value>, name: &str, depth: usize) {
    let Some(job) = file.get(name).and_then(Value::as_object) else { return };
    if depth < MAX_EXTENDS {
        for parent in job.get("extends").map(words).unwrap_or_default() {
            extend(into, file, &parent, depth + 1);
        }
    }
    for (member, value) in job {
        match (into.get_mut(member), value) {
            (Some(Value::Object(known)), Value::Object(added)) => known.extend(added.clone()),
            _ => {
                into.insert(member.clone(), value.clone());
            }
        }
    }
}

/// The texts of lists in lists, as `script:` may have them.
fn flatten(value: Option<&Value>, found: &mut Vec<String>) {
    match value {
        Some(Value::Array(items)) => items.iter().for_each(|item| flatten(Some(item), found)),
        Some(Value::String(text)) => found.push(text.clone()),
        _ => {}
    }
}

/// A text, or the texts of a list.
pub(super) fn words(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().filter_map(|item| text(item, "")).collect(),
        item => text(item, "").into_iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn jobs_are_what_they_extend_over_the_defaults() {
        let file = json!({
            "default": {"image": "ruby:3.3", "id_tokens": {"T": {"aud": "https://a.test"}}},
            ".base": {"extends": ".root", "tags": ["deploy"], "variables": {"A": "1"}},
            ".root": {"tags": ["root"], "environment": {"name": "prod"}},
            "job": {"extends": [".base", ".missing"], "script": ["one", ["two"]], "variables": {"B": "2"}},
            "loop": {"extends": "loop", "script": "x"}
        });
        let file = file.as_object().unwrap();
        let row = Job::of(file, "job").row(WorkflowDefinition::default(), &Rules::default());
        assert_eq!(
            (row.runs_on, row.environment.as_deref(), row.steps),
            (vec!["deploy".to_owned()], Some("prod"), 2)
        );
        assert_eq!(
            (row.secrets, row.permissions),
            (vec!["T@https://a.test".to_owned()], vec!["id-token:write".to_owned()])
        );
        assert_eq!(row.unpinned_uses, ["docker://ruby:3.3"]);
        assert_eq!(Job::of(file, "job").get("variables"), Some(&json!({"A": "1", "B": "2"})));
        assert_eq!(Job::of(file, "loop").get("script"), Some(&json!("x")));
    }
}
