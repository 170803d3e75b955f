//! Kubernetes objects: RBAC, service accounts, secrets and what runs as whom.
//!
//! Formats: `kubectl get … -o json|yaml` (`List`, the API's `…List`), manifests of one or
//! many documents. Fields: Kubernetes API reference v1.31. Roles and bindings may come in
//! different files, so both become rows as they are and linking joins them
//! (`link::bindings`).
//!
//! No dump names its cluster: all objects count as those of one.

pub(crate) mod rbac;
pub(crate) mod rules;
mod workloads;

use crate::importer::{Importer, Recognised};
use crate::{Document, TextSink, activity};
use leakgraph_model::tables::{Identity, Problem, identity_key};
use leakgraph_model::{Evidence, Key, Timestamp};
use serde_json::Value;

/// `account` of everything in a cluster.
pub(crate) const CLUSTER: &str = "kubernetes";

/// API groups of Kubernetes itself: custom resources are other importers' business.
const GROUPS: [&str; 21] = [
    "",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "apiregistration.k8s.io",
    "apps",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "coordination.k8s.io",
    "discovery.k8s.io",
    "events.k8s.io",
    "extensions",
    "flowcontrol.apiserver.k8s.io",
    "networking.k8s.io",
    "node.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "scheduling.k8s.io",
    "storage.k8s.io",
];

/// Objects and audit logs of Kubernetes.
pub(crate) struct Kubernetes;

impl Importer for Kubernetes {
    fn platform(&self) -> &'static str {
        "kubernetes"
    }

    fn recognise_value(&self, _path: &str, value: &Value) -> Option<Recognised> {
        if let Some(audit) = activity::kubernetes::recognise(value) {
            return Some(audit);
        }
        let is_known = match Object::of(value)? {
            Object { items: Some(items), .. } => {
                items.is_empty()
                    || items.iter().any(|item| Object::of(item).is_none_or(|item| item.is_built_in()))
            }
            // A kubeconfig looks like an object, but is none.
            object => object.is_built_in() && object.kind != "Config",
        };
        is_known.then(|| {
            Recognised::new("kubernetes_objects", "`apiVersion` and `kind` of an API group of Kubernetes")
        })
    }

    fn import_value(
        &self,
        kind: &'static str,
        document: &Document<'_>,
        value: &Value,
        _sink: &mut dyn TextSink,
    ) -> Evidence {
        if kind == activity::kubernetes::KIND {
            return activity::kubernetes::import(document, value);
        }
        let mut objects = Objects { document, evidence: Evidence::default() };
        if let Some(object) = Object::of(value) {
            objects.each(object);
        }
        objects.evidence
    }

    fn joins_calls(&self, kind: &str) -> bool {
        kind == activity::kubernetes::KIND
    }

    fn scans_whole(&self, kind: &str) -> Option<&'static str> {
        Some(if kind == activity::kubernetes::KIND { "json" } else { "manifest" })
    }
}

/// An object, or a list of them.
#[derive(Clone, Copy)]
struct Object<'v> {
    group: &'v str,
    kind: &'v str,
    value: &'v Value,
    items: Option<&'v [Value]>,
}

impl<'v> Object<'v> {
    fn of(value: &'v Value) -> Option<Self> {
        let version = value.get("apiVersion")?.as_str()?;
        let kind = value.get("kind")?.as_str()?;
        let group = version.split_once('/').map_or("", |(group, _)| group);
        let items = value.get("items").and_then(Value::as_array).map(Vec::as_slice);
        Some(Self { group, kind, value, items: items.filter(|_| kind.ends_with("List")) })
    }

    /// An item of a list of the API, which names the kind of its items only once.
    fn item(&self, value: &'v Value) -> Self {
        let kind = self.kind.strip_suffix("List").unwrap_or(self.kind);
        Self::of(value).unwrap_or(Self { group: self.group, kind, value, items: None })
    }

    fn is_built_in(&self) -> bool {
        GROUPS.contains(&self.group)
    }

    fn text(&self, pointer: &str) -> Option<&'v str> {
        self.value.pointer(pointer)?.as_str().filter(|text| !text.is_empty())
    }

    fn name(&self) -> Option<&'v str> {
        self.text("/metadata/name")
    }

    /// Its namespace; kubectl puts what names none into `default`.
    fn namespace(&self) -> &'v str {
        self.text("/metadata/namespace").unwrap_or("default")
    }

    /// A member of `metadata` that maps text to text.
    fn map(&self, name: &str) -> impl Iterator<Item = (&'v str, &'v str)> {
        let members = self.value.get("metadata").and_then(|metadata| metadata.get(name)?.as_object());
        members.into_iter().flatten().filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)))
    }

    fn annotation(&self, name: &str) -> Option<&'v str> {
        self.map("annotations").find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    fn created_at(&self) -> Option<Timestamp> {
        Timestamp::parse(self.text("/metadata/creationTimestamp")?)
    }

    /// `Kind/name` or `Kind/namespace/name`, for problems and rows.
    fn label(&self) -> String {
        let name = self.name().unwrap_or("(no name)");
        match self.kind.starts_with("Cluster") {
            true => format!("{}/{name}", self.kind),
            false => format!("{}/{}/{name}", self.kind, self.namespace()),
        }
    }
}

/// Rows of the objects of one value.
struct Objects<'a> {
    document: &'a Document<'a>,
    evidence: Evidence,
}

impl Objects<'_> {
    fn each(&mut self, object: Object<'_>) {
        if let Some(items) = object.items {
            for item in items {
                let item = object.item(item);
                // Lists in lists are no objects of the API, and could be deep.
                if item.items.is_none() {
                    self.one(item);
                }
            }
        } else {
            self.one(object);
        }
    }

    fn one(&mut self, object: Object<'_>) {
        const RBAC: &str = "rbac.authorization.k8s.io";
        match (object.group, object.kind) {
            (RBAC, "Role" | "ClusterRole") => self.role(object),
            (RBAC, "RoleBinding" | "ClusterRoleBinding") => self.binding(object),
            ("", "ServiceAccount") => self.service_account(object),
            ("", "Secret") => self.secret(object),
            ("" | "apps" | "batch" | "extensions", kind) if workloads::KINDS.contains(&kind) => {
                self.workload(object);
            }
            _ => {}
        }
    }

    fn problem(&mut self, code: &str, reason: String) {
        self.evidence.problems.push(Problem {
            path: self.document.path.to_owned(),
            offset: None,
            code: code.to_owned(),
            reason,
            lossy: true,
        });
    }

    /// An identity that an object is, or that one mentions (`status` unknown).
    fn identity(&mut self, kind: &str, name: &str, native_id: String, is_nhi: Option<bool>) -> &mut Identity {
        self.evidence.identities.push(Identity {
            identity_key: key(&native_id),
            platform: "kubernetes".to_owned(),
            kind: kind.to_owned(),
            name: name.to_owned(),
            native_id,
            account: Some(CLUSTER.to_owned()),
            is_nhi,
            status: "unknown".to_owned(),
            source_key: self.document.source_key,
            ..Identity::default()
        });
        let last = self.evidence.identities.len() - 1;
        &mut self.evidence.identities[last]
    }

    /// The identity of an object.
    fn object(
        &mut self,
        object: Object<'_>,
        kind: &str,
        native_id: String,
        is_nhi: Option<bool>,
    ) -> &mut Identity {
        let row = self.identity(kind, object.name().unwrap_or_default(), native_id, is_nhi);
        "enabled".clone_into(&mut row.status);
        row.unique_id = object.text("/metadata/uid").map(str::to_owned);
        row.created_at = object.created_at();
        row.tags = object.map("labels").map(|(name, value)| format!("{name}={value}")).collect();
        let label = |wanted: &[&str]| {
            let found = object.map("labels").find(|(name, _)| wanted.contains(name));
            found.map(|(_, value)| value.to_owned())
        };
        row.owner = label(&["owner", "team"]);
        row.environment = label(&["environment", "env"]);
        row
    }
}

/// Key of an identity of the cluster.
pub(crate) fn key(native_id: &str) -> Key {
    identity_key("kubernetes", native_id)
}

/// The user name of a service account (Kubernetes, "Authenticating").
pub(crate) fn service_account(namespace: &str, name: &str) -> String {
    format!("system:serviceaccount:{namespace}:{name}")
}

/// Kind and natural id of who a user name stands for.
pub(crate) fn user(name: &str) -> (&'static str, String) {
    match service_account_of(name) {
        Some(_) => ("service_account", name.to_owned()),
        None => ("user", format!("user:{name}")),
    }
}

/// Namespace and name in the user name of a service account.
pub(crate) fn service_account_of(user: &str) -> Option<(&str, &str)> {
    let (namespace, name) = user.strip_prefix("system:serviceaccount:")?.split_once(':')?;
    (!namespace.is_empty() && !name.is_empty()).then_some((namespace, name))
}
