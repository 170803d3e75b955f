//! Service accounts, their tokens, the pods that run as them and the cloud identities
//! they can become.

use super::{Object, Objects, key, service_account};
use leakgraph_model::Key;
use leakgraph_model::tables::{Credential, Trust, identity_key};
use serde_json::Value;

/// Kinds that hold a pod's specification.
pub(super) const KINDS: [&str; 8] = [
    "Pod",
    "Deployment",
    "DaemonSet",
    "StatefulSet",
    "ReplicaSet",
    "ReplicationController",
    "Job",
    "CronJob",
];

/// Annotations of a service account that name a cloud identity: annotation, platform, kind
/// of exchange. Amazon EKS "IAM roles for service accounts", GKE "Workload Identity
/// Federation for GKE", "Microsoft Entra Workload ID".
const CLOUDS: [(&str, &str, &str); 3] = [
    ("eks.amazonaws.com/role-arn", "aws", "sts:AssumeRoleWithWebIdentity"),
    ("iam.gke.io/gcp-service-account", "gcp", "iam.serviceAccounts.getAccessToken"),
    ("azure.workload.identity/client-id", "azure", "oauth2:client_credentials"),
];

/// Tag of a service account whose pods get no token unless they ask for it.
const NO_AUTOMOUNT: &str = "automountServiceAccountToken=false";

impl Objects<'_> {
    pub(super) fn service_account(&mut self, object: Object<'_>) {
        let Some(name) = object.name() else {
            return self.problem("incomplete", "a ServiceAccount without a name".to_owned());
        };
        let user = service_account(object.namespace(), name);
        let row = self.object(object, "service_account", user.clone(), Some(true));
        if object.value.get("automountServiceAccountToken") == Some(&Value::Bool(false)) {
            row.tags.push(NO_AUTOMOUNT.to_owned());
        }
        for (annotation, platform, action) in CLOUDS {
            let Some(target) = object.annotation(annotation) else { continue };
            // A chart may leave the annotation as a template.
            if target.contains(['{', '$', ' ']) {
                continue;
            }
            self.trust(identity_key(platform, target), "service_account", &user, Some(key(&user)), action);
        }
        // Before 1.24 a token was made for every account and listed here.
        let prefix = format!("{name}-token-");
        let listed = object.value.get("secrets").and_then(Value::as_array);
        for secret in listed.into_iter().flatten().filter_map(|secret| secret.get("name")?.as_str()) {
            if secret.starts_with(&prefix) {
                self.token(object, secret, key(&user));
            }
        }
    }

    /// Someone who can act as `identity`.
    fn trust(
        &mut self,
        identity: Key,
        kind: &str,
        principal: &str,
        principal_key: Option<Key>,
        action: &str,
    ) {
        self.evidence.trusts.push(Trust {
            trust_key: Key::of("trust", &[&identity.to_string(), kind, principal, action]),
            identity_key: identity,
            principal_kind: kind.to_owned(),
            principal: principal.to_owned(),
            principal_key,
            effect: "allow".to_owned(),
            actions: vec![action.to_owned()],
            conditions: None,
            subjects: if kind == "service_account" { vec![principal.to_owned()] } else { Vec::new() },
            source_key: self.document.source_key,
        });
    }

    fn credential(&mut self, object: Object<'_>, kind: &str, name: &str) -> &mut Credential {
        self.evidence.credentials.push(Credential {
            credential_key: Key::of("credential", &["kubernetes", kind, object.namespace(), name]),
            kind: kind.to_owned(),
            name: name.to_owned(),
            scope: Some(object.namespace().to_owned()),
            status: "unknown".to_owned(),
            source_key: self.document.source_key,
            ..Credential::default()
        });
        let last = self.evidence.credentials.len() - 1;
        &mut self.evidence.credentials[last]
    }

    fn token(&mut self, object: Object<'_>, name: &str, holder: Key) -> &mut Credential {
        let secret = format!("Secret/{}/{name}", object.namespace());
        // Who reads the secret can act as the account for as long as the secret is there.
        self.trust(holder, "secret", &secret, None, "read");
        let row = self.credential(object, "service_account_token", name);
        row.identity_key = Some(holder);
        row
    }

    /// A secret's name. Its values go to the scanner with the whole text, and nowhere else.
    pub(super) fn secret(&mut self, object: Object<'_>) {
        let Some(name) = object.name() else {
            return self.problem("incomplete", "a Secret without a name".to_owned());
        };
        let holder = object.annotation("kubernetes.io/service-account.name");
        let row = match (object.text("/type"), holder) {
            (Some("kubernetes.io/service-account-token"), Some(holder)) => {
                let holder = key(&service_account(object.namespace(), holder));
                self.token(object, name, holder)
            }
            _ => self.credential(object, "kubernetes_secret", name),
        };
        "active".clone_into(&mut row.status);
        row.created_at = object.created_at();
    }

    pub(super) fn workload(&mut self, object: Object<'_>) {
        let pointer = match object.kind {
            "Pod" => "/spec",
            "CronJob" => "/spec/jobTemplate/spec/template/spec",
            _ => "/spec/template/spec",
        };
        let (Some(_), Some(spec)) = (object.name(), object.value.pointer(pointer)) else {
            return self.problem("incomplete", format!("{} has no name or no pod", object.label()));
        };
        let label = object.label();
        let workload = self.object(object, "workload", label.clone(), Some(false)).identity_key;
        let name = ["serviceAccountName", "serviceAccount"]
            .iter()
            .find_map(|member| spec.get(member)?.as_str().filter(|name| !name.is_empty()))
            .unwrap_or("default");
        let user = service_account(object.namespace(), name);
        let account = self.identity("service_account", name, user, Some(true)).identity_key;
        let action = match spec.get("automountServiceAccountToken") {
            _ if projects_token(spec) => "mount",
            Some(Value::Bool(true)) => "mount",
            Some(Value::Bool(false)) => return,
            // The service account decides.
            _ => "automount",
        };
        self.trust(account, "workload", &label, Some(workload), action);
    }
}

/// Whether a volume holds a token of the service account, whatever automounting says.
fn projects_token(spec: &Value) -> bool {
    let volumes = spec.get("volumes").and_then(Value::as_array).into_iter().flatten();
    let sources = volumes.filter_map(|volume| volume.pointer("/projected/sources")?.as_array()).flatten();
    sources.into_iter().any(|source| source.get("serviceAccountToken").is_some_and(Value::is_object))
}
