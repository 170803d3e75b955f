//! What custom resources of workflow controllers have in common: lists, names, service
//! accounts, and the environment of containers.

use super::github::steps::pinned;
use super::rows::binding;
use super::values::{Owner, Spot, Values};
use crate::value::text;
use leakgraph_model::Evidence;
use leakgraph_model::tables::{IdentityUsed, SecretPassed, Step, identity_key};
use serde_json::Value;

/// The objects of a list (`kubectl get -o json`, the API's `…List`), of an array of such, or
/// the object itself.
pub(crate) fn objects(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().flat_map(objects).collect(),
        Value::Object(members) => match members.get("items").and_then(Value::as_array) {
            // `List` is kubectl's; the API's lists have no `metadata.name`.
            Some(items) if value.pointer("/metadata/name").is_none() => {
                items.iter().flat_map(objects).collect()
            }
            _ => vec![value],
        },
        _ => Vec::new(),
    }
}

/// Whether an object is of a kind of an API group, of any version.
pub(crate) fn is_kind(value: &Value, group: &str, kinds: &[&str]) -> bool {
    let version = value.get("apiVersion").and_then(Value::as_str).unwrap_or_default();
    let kind = value.get("kind").and_then(Value::as_str).unwrap_or_default();
    version.split_once('/').is_some_and(|(of, _)| of == group) && kinds.contains(&kind)
}

/// Namespace and name of an object. An object that was never stored has no name of its own.
pub(crate) fn names(value: &Value) -> Option<(String, String)> {
    let namespace = text(value, "/metadata/namespace").unwrap_or_default();
    Some((namespace, text(value, "/metadata/name").filter(|name| !name.is_empty())?))
}

/// A label of an object.
pub(crate) fn label(value: &Value, name: &str) -> Option<String> {
    let value = value.pointer("/metadata/labels")?.get(name)?.as_str()?;
    (!value.is_empty()).then(|| value.to_owned())
}

/// An annotation of an object.
pub(crate) fn annotation(value: &Value, name: &str) -> Option<String> {
    let value = value.pointer("/metadata/annotations")?.get(name)?.as_str()?;
    (!value.is_empty()).then(|| value.to_owned())
}

/// The owner of this kind, by name.
pub(crate) fn owner(value: &Value, kind: &str) -> Option<String> {
    let owners = value.pointer("/metadata/ownerReferences")?.as_array()?;
    let owner = owners.iter().find(|owner| text(owner, "/kind").as_deref() == Some(kind))?;
    text(owner, "/name")
}

/// The user name of a service account (Kubernetes, "Authenticating", service account tokens).
pub(crate) fn account(namespace: &str, name: &str) -> String {
    format!("system:serviceaccount:{namespace}:{name}")
}

/// The service account pods run as. Without one in the definition it is the namespace's
/// `default`, which every pod of it has.
pub(crate) fn identity(namespace: &str, name: Option<&str>, row: IdentityUsed) -> IdentityUsed {
    let subject = account(namespace, name.unwrap_or("default"));
    IdentityUsed {
        identity_key: Some(identity_key("kubernetes", &subject)),
        identity_kind: "k8s_sa".to_owned(),
        how: if name.is_none_or(|name| name == "default") { "ambient" } else { "assigned" }.to_owned(),
        subject: Some(subject),
        account: Some(namespace.to_owned()).filter(|namespace| !namespace.is_empty()),
        join_method: "exact_id".to_owned(),
        confidence: 1.0,
        ..row
    }
}

/// How an image is pinned: only a digest names one content.
pub(crate) fn image_pin(image: &str) -> &'static str {
    let digest = image.split_once("@sha256:").map(|(_, digest)| format!("image@{digest}"));
    if digest.is_some_and(|image| pinned(&image) == "sha") { "sha" } else { "tag" }
}

/// Environment of a container: values in clear are scanned, references to secrets named.
pub(crate) fn environment(
    container: &Value,
    step: &Step,
    owner: Owner,
    values: &mut Values<'_, '_>,
    evidence: &mut Evidence,
) {
    let rows = || list(container, "/env").chain(list(container, "/envFrom")).count();
    if !values.may_share(0) || !values.may_share(rows()) {
        return;
    }
    let spot = Spot::step("env_binding", step.step_key);
    for (ordinal, variable) in list(container, "/env").enumerate() {
        let Some(name) = text(variable, "/name") else { continue };
        if let Some(value) = variable.get("value") {
            let shown = text(variable, "/value").unwrap_or_default();
            evidence.bindings.push(binding(step, "env", &name, Some(&shown), ordinal));
            values.value(owner, spot, &name, value);
        } else if let Some(secret) = text(variable, "/valueFrom/secretKeyRef/name") {
            let key = text(variable, "/valueFrom/secretKeyRef/key").unwrap_or_default();
            evidence.bindings.push(binding(step, "env", &name, None, ordinal));
            passed(owner, &format!("{secret}/{key}"), step, evidence);
        }
    }
    for secret in list(container, "/envFrom").filter_map(|from| text(from, "/secretRef/name")) {
        passed(owner, &secret, step, evidence);
    }
}

fn passed(owner: Owner, name: &str, step: &Step, evidence: &mut Evidence) {
    let Some(run_key) = owner.run else { return };
    evidence.secrets_passed.push(SecretPassed {
        job_key: owner.job,
        run_key,
        name: name.to_owned(),
        secret_scope: "namespace".to_owned(),
        how: "yaml_reference".to_owned(),
        source_key: step.source_key,
    });
}

/// The items of a list, if there is one.
pub(crate) fn list<'v>(value: &'v Value, pointer: &str) -> impl Iterator<Item = &'v Value> {
    value.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn lists_are_their_items() {
        let one = json!({"kind": "Workflow", "metadata": {"name": "a"}});
        let list = json!({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": ""}, "items": [one, one]});
        assert_eq!(objects(&list).len(), 2);
        assert_eq!(objects(&json!([list, one])).len(), 3);
    }

    #[test]
    fn a_digest_is_a_pin() {
        assert_eq!(image_pin(&format!("alpine@sha256:{}", "a".repeat(64))), "sha");
        assert_eq!(image_pin("alpine:3.20"), "tag");
        assert_eq!(image_pin("alpine@sha256:short"), "tag");
    }
}
