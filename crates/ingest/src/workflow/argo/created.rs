//! Workflows that a workflow creates with a `resource` template ("Workflow of workflows").

use super::{GROUP, Template, Workflow, run_of};
use crate::value::{text, time};
use crate::workflow::kubernetes::{account, is_kind, list};
use crate::workflow::rows::{child_run, sent};
use crate::workflow::values::{Owner, Values};
use leakgraph_model::{Evidence, Key};
use serde::Deserialize;
use serde_json::Value;

impl Workflow<'_> {
    /// A workflow that a `resource` template created. Its name is known if the template reads
    /// it back ("Workflow of workflows").
    pub(super) fn created(
        &self,
        node: &Value,
        template: &Template<'_>,
        job: Key,
        values: &mut Values<'_, '_>,
        evidence: &mut Evidence,
    ) {
        let created = template.manifest.as_ref().filter(|manifest| is_kind(manifest, GROUP, &["Workflow"]));
        let Some(manifest) = created
            .filter(|manifest| values.may_share(1 + list(manifest, "/spec/arguments/parameters").count()))
        else {
            return;
        };
        let namespace = text(manifest, "/metadata/namespace").filter(|name| !name.contains("{{"));
        let namespace = namespace.unwrap_or_else(|| self.namespace.clone());
        let source = self.document.source_key;
        let mut handoff = match self.created_name(node, template.value) {
            Some(name) => child_run(self.run, run_of(&namespace, &name), source),
            None => {
                let mut unlinked = sent("child_run", source);
                unlinked.handoff_key = Key::of("handoff", &[&job.to_string(), "child_run"]);
                unlinked.parent_run_key = Some(self.run);
                unlinked
            }
        };
        handoff.parent_job_key = Some(job);
        handoff.child_workflow = text(manifest, "/spec/workflowTemplateRef/name")
            .or_else(|| Some(text(manifest, "/metadata/generateName")?.trim_end_matches('-').to_owned()))
            .or_else(|| text(manifest, "/metadata/name"));
        "service_account".clone_into(&mut handoff.credential_kind);
        handoff.credential_subject =
            text(self.object, "/spec/serviceAccountName").map(|name| account(&self.namespace, &name));
        if namespace != self.namespace {
            "repo".clone_into(&mut handoff.crosses);
        }
        handoff.sent_at = time(node, "/startedAt");
        let owner = Owner::run(self.run).job(job).handoff(handoff.handoff_key);
        evidence.handoffs.push(handoff);
        for parameter in list(manifest, "/spec/arguments/parameters") {
            let Some(name) = text(parameter, "/name") else { continue };
            let value = text(parameter, "/value").unwrap_or_default();
            values.input(owner, &name, &filled(&value, node), evidence);
        }
    }

    fn created_name(&self, node: &Value, template: &Value) -> Option<String> {
        let output = list(template, "/outputs/parameters").find(|output| {
            text(output, "/valueFrom/jsonPath").is_some_and(|path| path.contains(".metadata.name"))
        })?;
        let name = text(output, "/name")?;
        let told =
            list(node, "/outputs/parameters").find(|told| text(told, "/name").as_ref() == Some(&name))?;
        text(told, "/value").filter(|name| !name.is_empty())
    }
}

/// A manifest in YAML. Where placeholders make it no YAML, it says nothing.
pub(super) fn manifest(text: &str) -> Option<Value> {
    let first = serde_yaml_ng::Deserializer::from_str(text).next()?;
    Value::deserialize(first).ok()
}

/// Bytes that a value may grow to by the inputs that are put into it.
const MAX_FILLED_BYTES: usize = 64 * 1024;

/// A value with the node's inputs in place of `{{inputs.parameters.NAME}}`.
fn filled(value: &str, node: &Value) -> String {
    let mut value = value.to_owned();
    for parameter in list(node, "/inputs/parameters") {
        if !value.contains("{{inputs.parameters.") {
            break;
        }
        if let (Some(name), Some(with)) = (text(parameter, "/name"), text(parameter, "/value")) {
            let placeholder = format!("{{{{inputs.parameters.{name}}}}}");
            let grown = value.matches(&placeholder).count().saturating_mul(with.len());
            if grown.saturating_add(value.len()) <= MAX_FILLED_BYTES {
                value = value.replace(&placeholder, &with);
            }
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn placeholders_are_filled_with_the_inputs_of_the_node() {
        let node = json!({"inputs": {"parameters": [{"name": "to", "value": "prod"}]}});
        assert_eq!(filled("{{inputs.parameters.to}}/{{workflow.name}}", &node), "prod/{{workflow.name}}");
    }

    #[test]
    fn a_manifest_of_placeholders_says_nothing() {
        assert_eq!(manifest("kind: {{inputs.parameters.kind}}: x"), None);
        assert_eq!(manifest("kind: Workflow\nspec: {}\n"), Some(json!({"kind": "Workflow", "spec": {}})));
    }
}
