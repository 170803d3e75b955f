//! SPIRE: registration entries, that is which workloads get which SPIFFE id.
//!
//! Format: `spire-server entry show -output json`, the SPIRE API's `types.Entry`
//! (spiffe/spire-api-sdk): ids are objects of `trust_domain` and `path`, times are seconds.
//! A workload gets an id if it runs below the parent and has all selectors of the entry.

use crate::Document;
use crate::importer::Recognised;
use crate::reader::incomplete;
use crate::value::text;
use leakgraph_model::tables::{Credential, Grant, Identity, Trust, identity_key};
use leakgraph_model::{Evidence, Key, Timestamp};
use serde_json::{Value, json};

const PLATFORM: &str = "spiffe";

pub(super) fn recognise(value: &Value) -> Option<Recognised> {
    let first = entries(value).into_iter().next()?;
    let has_id = first.pointer("/spiffe_id/trust_domain").is_some();
    (has_id && first.get("selectors").is_some())
        .then(|| Recognised::new("spire_entries", "entries with `spiffe_id` and `selectors`"))
}

fn entries(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().flat_map(entries).collect(),
        Value::Object(members) => match members.get("entries").and_then(Value::as_array) {
            Some(list) => list.iter().collect(),
            None => vec![value],
        },
        _ => Vec::new(),
    }
}

pub(super) fn import(document: &Document<'_>, value: &Value) -> Evidence {
    let mut evidence = Evidence::default();
    let mut nameless = 0;
    for entry in entries(value) {
        match spiffe_id(entry, "spiffe_id").zip(text(entry, "/id")) {
            Some((id, registration)) => {
                Entry { value: entry, id, registration, source: document.source_key }.rows(&mut evidence);
            }
            None => nameless += 1,
        }
    }
    evidence.problems.extend(incomplete(document, nameless, "registration entries have no id"));
    evidence
}

/// `spiffe://domain/path`.
fn spiffe_id(entry: &Value, name: &str) -> Option<String> {
    let domain = text(entry, &format!("/{name}/trust_domain"))?;
    let path = text(entry, &format!("/{name}/path")).unwrap_or_default();
    Some(format!("spiffe://{domain}{path}"))
}

struct Entry<'a> {
    value: &'a Value,
    id: String,
    /// Id of the registration.
    registration: String,
    source: Key,
}

impl Entry<'_> {
    fn is(&self, flag: &str) -> bool {
        self.value.get(flag) == Some(&Value::Bool(true))
    }

    /// Seconds of the epoch, as number or text; 0 is never.
    fn time(&self, name: &str) -> Option<Timestamp> {
        let seconds: i64 = text(self.value, &format!("/{name}"))?.parse().ok()?;
        (seconds > 0).then(|| Timestamp::from_seconds(seconds))
    }

    /// `k8s:ns:prod`.
    fn selectors(&self) -> Vec<String> {
        let list = self.value.get("selectors").and_then(Value::as_array).into_iter().flatten();
        list.filter_map(|item| Some(format!("{}:{}", text(item, "/type")?, text(item, "/value")?))).collect()
    }

    fn rows(&self, evidence: &mut Evidence) {
        let key = identity_key(PLATFORM, &self.id);
        let domain = text(self.value, "/spiffe_id/trust_domain").unwrap_or_default();
        let mut tags: Vec<String> = ["admin", "downstream"]
            .iter()
            .filter(|flag| self.is(flag))
            .map(|flag| format!("{flag}=true"))
            .collect();
        for list in ["federates_with", "dns_names"] {
            let names = self.value.get(list).and_then(Value::as_array).into_iter().flatten();
            tags.extend(names.filter_map(|name| Some(format!("{list}={}", name.as_str()?))));
        }
        let hint = text(self.value, "/hint").filter(|hint| !hint.is_empty());
        tags.extend(hint.map(|hint| format!("hint={hint}")));
        evidence.identities.push(Identity {
            identity_key: key,
            platform: PLATFORM.to_owned(),
            kind: "spiffe_id".to_owned(),
            name: self.id.rsplit('/').next().unwrap_or(&self.id).to_owned(),
            native_id: self.id.clone(),
            account: Some(domain.clone()),
            is_nhi: Some(true),
            created_at: self.time("created_at"),
            status: "enabled".to_owned(),
            tags,
            source_key: self.source,
            ..Identity::default()
        });
        evidence.credentials.push(Credential {
            credential_key: Key::of("credential", &[PLATFORM, "spire_entry", &self.registration]),
            identity_key: Some(key),
            kind: "spire_entry".to_owned(),
            name: self.registration.clone(),
            scope: Some(self.id.clone()),
            status: "active".to_owned(),
            created_at: self.time("created_at"),
            expires_at: self.time("expires_at"),
            source_key: self.source,
            ..Credential::default()
        });
        evidence.trusts.push(self.trust(key));
        // An administrator of the server registers entries, a downstream server issues any id.
        for flag in ["admin", "downstream"].into_iter().filter(|flag| self.is(flag)) {
            evidence.grants.push(Grant {
                grant_key: Key::of("grant", &[&key.to_string(), "permission", flag, &self.registration]),
                identity_key: key,
                platform: PLATFORM.to_owned(),
                policy_kind: "permission".to_owned(),
                policy: "registration".to_owned(),
                statement: self.registration.clone(),
                effect: "allow".to_owned(),
                actions: vec![format!("spire:{flag}")],
                resources: vec![format!("spiffe://{domain}/*")],
                understood: true,
                source_key: self.source,
                ..Grant::default()
            });
        }
    }

    fn trust(&self, key: Key) -> Trust {
        let selectors = self.selectors();
        let of = |name: &str| selectors.iter().find_map(|selector| selector.strip_prefix(name));
        let account = of("k8s:ns:").zip(of("k8s:sa:"));
        Trust {
            trust_key: Key::of("trust", &[&key.to_string(), &self.registration]),
            identity_key: key,
            principal_kind: "spiffe_workload".to_owned(),
            principal: spiffe_id(self.value, "parent_id").unwrap_or_default(),
            principal_key: None,
            effect: "allow".to_owned(),
            actions: vec!["spire:attest".to_owned()],
            conditions: (!selectors.is_empty()).then(|| json!({ "selectors": selectors }).to_string()),
            subjects: account
                .map(|(namespace, name)| format!("system:serviceaccount:{namespace}:{name}"))
                .into_iter()
                .collect(),
            source_key: self.source,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_an_id_that_workloads_get() {
        let id = |path: &str| json!({"trust_domain": "acme.test", "path": path});
        let value = json!({"entries": [
            {"id": "e-1", "spiffe_id": id("/ns/prod/sa/web"), "parent_id": id("/node"), "x509_svid_ttl": 3600, "jwt_svid_ttl": 0, "admin": false, "downstream": true,
                "selectors": [{"type": "k8s", "value": "ns:prod"}, {"type": "k8s", "value": "sa:web"}], "federates_with": ["other.test"], "dns_names": [],
                "expires_at": "0", "created_at": "1700000000", "hint": ""},
            {"spiffe_id": id("/x"), "selectors": []}], "next_page_token": ""});
        assert_eq!(recognise(&value).unwrap().kind, "spire_entries");
        let evidence =
            import(&Document { path: "e.json", source_key: Key::default(), part: 0, bytes: b"" }, &value);
        let [row] = evidence.identities.as_slice() else { panic!("one id") };
        assert_eq!(row.native_id, "spiffe://acme.test/ns/prod/sa/web");
        assert_eq!(row.tags, ["downstream=true", "federates_with=other.test"]);
        assert_eq!(evidence.trusts[0].subjects, ["system:serviceaccount:prod:web"]);
        assert_eq!(evidence.trusts[0].principal, "spiffe://acme.test/node");
        assert_eq!(evidence.grants[0].actions, ["spire:downstream"]);
        assert_eq!((evidence.credentials[0].expires_at, evidence.problems.len()), (None, 1));
    }
}
