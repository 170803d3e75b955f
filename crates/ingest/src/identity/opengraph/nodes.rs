//! Nodes: who they are elsewhere.

use super::kinds::{self, NodeMeaning};
use crate::value::{text, time};
use leakgraph_model::Key;
use leakgraph_model::tables::{Credential, Identity, identity_key};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};

/// A node of the file, or one of another file that an edge names well enough.
pub(super) struct Node<'v> {
    pub(super) kind: String,
    pub(super) meaning: NodeMeaning,
    pub(super) platform: String,
    /// Natural id, as other importers have it; of a resource its name among the resources of
    /// grants.
    pub(super) native_id: String,
    pub(super) name: String,
    pub(super) value: Option<&'v Value>,
}

/// All nodes, to be found as BloodHound does: by id, or by name.
#[derive(Default)]
pub(super) struct Nodes<'v> {
    pub(super) all: Vec<Node<'v>>,
    /// BloodHound writes ids and names in upper case.
    by_id: HashMap<String, usize>,
    by_name: HashMap<String, usize>,
    /// Kinds that nobody described, with how often they occur.
    pub(super) unknown: BTreeMap<String, usize>,
    /// Nodes without an id or a kind.
    pub(super) incomplete: usize,
}

impl<'v> Nodes<'v> {
    pub(super) fn of(values: &'v [Value]) -> Self {
        let mut nodes = Self::default();
        // Repositories first: others are called after them.
        let repositories: HashMap<String, String> = values
            .iter()
            .filter_map(|value| Some((text(value, "/id")?, text(value, "/properties/full_name")?)))
            .collect();
        for value in values {
            nodes.add(value, &repositories);
        }
        nodes
    }

    fn add(&mut self, value: &'v Value, repositories: &HashMap<String, String>) {
        let kinds: Vec<&str> = value
            .get("kinds")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let (Some(id), Some(first)) = (text(value, "/id"), kinds.first()) else {
            self.incomplete += 1;
            return;
        };
        let known = kinds.iter().find_map(|kind| Some((*kind, kinds::node(kind)?)));
        if known.is_none() {
            *self.unknown.entry((*first).to_owned()).or_default() += 1;
        }
        let (kind, meaning) = known.unwrap_or((*first, NodeMeaning::Thing));
        let name = text(value, "/properties/name").unwrap_or_else(|| id.clone());
        let (platform, native_id) = natural(kind, &id, &name, value, repositories);
        let node = Node {
            kind: kind.to_owned(),
            meaning,
            platform,
            native_id,
            name: name.clone(),
            value: Some(value),
        };
        let place = self.push(node);
        self.by_id.entry(id.to_uppercase()).or_insert(place);
        self.by_name.entry(name.to_uppercase()).or_insert(place);
    }

    fn push(&mut self, node: Node<'v>) -> usize {
        self.all.push(node);
        self.all.len() - 1
    }

    /// The node that an end of an edge names. One of another file is kept if its id or its kind
    /// says who it is.
    pub(super) fn end(&mut self, end: Option<&'v Value>) -> Option<usize> {
        let end = end?;
        let value = text(end, "/value")?;
        let upper = value.to_uppercase();
        let by_name = text(end, "/match_by").as_deref() == Some("name");
        let known = if by_name { self.by_name.get(&upper) } else { self.by_id.get(&upper) };
        if let Some(place) = known {
            return Some(*place);
        }
        let of_arn = || value.starts_with("arn:").then(|| "AWSRole".to_owned());
        let kind = text(end, "/kind").or_else(of_arn)?;
        let meaning @ NodeMeaning::Identity(..) = kinds::node(&kind)? else { return None };
        let (platform, native_id) = natural(&kind, &value, &value, end, &HashMap::new());
        let place = self.push(Node { kind, meaning, platform, native_id, name: value, value: None });
        if by_name { &mut self.by_name } else { &mut self.by_id }.insert(upper, place);
        Some(place)
    }
}

impl Node<'_> {
    pub(super) fn key(&self) -> Key {
        identity_key(&self.platform, &self.native_id)
    }

    pub(super) fn is_identity(&self) -> bool {
        matches!(self.meaning, NodeMeaning::Identity(..))
    }

    /// Whether it acts itself, and not only for its members.
    pub(super) fn acts(&self) -> bool {
        !matches!(
            self.meaning,
            NodeMeaning::Identity(
                "group" | "role_definition" | "organization" | "environment" | "account",
                _
            )
        ) && self.is_identity()
    }

    /// A text property.
    pub(super) fn property(&self, name: &str) -> Option<String> {
        text(self.value?, &format!("/properties/{name}")).filter(|text| !text.is_empty())
    }

    /// A text property.
    fn at(&self, name: &str) -> Option<leakgraph_model::Timestamp> {
        time(self.value?, &format!("/properties/{name}"))
    }

    fn flag(&self, name: &str) -> Option<bool> {
        self.value?.pointer(&format!("/properties/{name}"))?.as_bool()
    }

    pub(super) fn identity(&self, source_key: Key) -> Option<Identity> {
        let NodeMeaning::Identity(kind, is_nhi) = self.meaning else { return None };
        let enabled = self.flag("enabled");
        let suspended = self.property("suspended_at").is_some() || self.flag("token_expired") == Some(true);
        let status = match (enabled, suspended) {
            (Some(false), _) | (_, true) => "disabled",
            (Some(true), _) => "enabled",
            (None, false) if self.value.is_some() && self.platform == "github" => "enabled",
            (None, false) => "unknown",
        };
        Some(Identity {
            identity_key: self.key(),
            platform: self.platform.clone(),
            kind: kind.to_owned(),
            name: self
                .property("token_name")
                .or_else(|| self.property("login"))
                .unwrap_or_else(|| self.name.clone()),
            native_id: self.native_id.clone(),
            unique_id: self.property("objectid").or_else(|| text(self.value?, "/id")),
            account: self.account(),
            is_nhi,
            owner: self.property("owner_login").filter(|_| kind == "personal_access_token"),
            created_at: self.at("created_at").or_else(|| self.at("access_granted_at")),
            last_used_at: self.at("token_last_used_at"),
            status: status.to_owned(),
            source_key,
            ..Identity::default()
        })
    }

    fn account(&self) -> Option<String> {
        match self.platform.as_str() {
            "aws" => {
                self.native_id.split(':').nth(4).map(str::to_owned).filter(|account| !account.is_empty())
            }
            "azure" => self.property("tenantid").map(|id| id.to_lowercase()),
            _ => self.property("environment_name"),
        }
    }

    pub(super) fn credential(&self, source_key: Key) -> Option<Credential> {
        let (kind, name, identity_key) = match self.meaning {
            NodeMeaning::Credential(kind) => (kind, self.name.clone(), None),
            NodeMeaning::Identity(kind @ "personal_access_token", _) => {
                (kind, self.property("token_name")?, Some(self.key()))
            }
            _ => return None,
        };
        let scope = match identity_key {
            Some(_) => self.property("environment_name")?,
            None => self.native_id.clone(),
        };
        let status = if self.flag("token_expired") == Some(true) { "inactive" } else { "active" };
        Some(Credential {
            credential_key: Key::of("credential", &["github", kind, &scope, &name]),
            identity_key,
            kind: kind.to_owned(),
            name,
            scope: Some(scope),
            status: status.to_owned(),
            created_at: self.at("created_at"),
            rotated_at: self.at("updated_at"),
            last_used_at: self.at("token_last_used_at"),
            expires_at: self.at("token_expires_at"),
            source_key,
        })
    }
}

/// Platform and natural id of a node, as the importers of the platform have them.
fn natural(
    kind: &str,
    id: &str,
    name: &str,
    value: &Value,
    repositories: &HashMap<String, String>,
) -> (String, String) {
    let (platform, _) = kinds::parts(kind);
    let property = |name: &str| text(value, &format!("/properties/{name}")).filter(|text| !text.is_empty());
    let native = match platform.as_str() {
        "github" => of_github(kind, name, &property, repositories),
        "azure" => Some(property("appid").unwrap_or_else(|| id.to_owned()).to_lowercase()),
        "aws" => property("arn"),
        "leakgraph" => return of_export(kind, name),
        _ => None,
    };
    (platform, native.unwrap_or_else(|| id.to_owned()))
}

fn of_github(
    kind: &str,
    name: &str,
    property: &dyn Fn(&str) -> Option<String>,
    repositories: &HashMap<String, String>,
) -> Option<String> {
    let repository = || {
        let known = property("repository_id").and_then(|id| repositories.get(&id).cloned());
        known.or_else(|| Some(format!("{}/{}", property("environment_name")?, property("repository_name")?)))
    };
    let organisation = || property("environment_name");
    match kind {
        "GH_User" => Some(format!("user:{}", property("login").unwrap_or_else(|| name.to_owned()))),
        "GH_App" => Some(format!("app_registration:{}", property("slug")?)),
        "GH_AppInstallation" => Some(format!("app:{}", property("app_slug")?)),
        "GH_PersonalAccessToken" => Some(format!("pat:{}", property("token_id")?)),
        "GH_Organization" => Some(format!("org:{}", property("login").unwrap_or_else(|| name.to_owned()))),
        "GH_Team" => Some(format!("team:{}/{}", organisation()?, property("slug")?)),
        "GH_OrgRole" | "GH_RepoRole" | "GH_TeamRole" => Some(format!("role:{name}")),
        "GH_Environment" => Some(format!("env:{}/{}", repository()?, property("short_name")?)),
        "GH_Repository" => Some(format!("repo:{}", property("full_name")?)),
        "GH_Branch" => Some(format!("repo:{}:ref:refs/heads/{}", repository()?, property("short_name")?)),
        "GH_RepoSecret" => repository(),
        "GH_OrgSecret" => organisation(),
        "GH_EnvironmentSecret" => {
            Some(format!("{}/{}", repository()?, property("deployment_environment_name")?))
        }
        _ => None,
    }
}

/// Our export has labels only: what they look like tells whose they are.
fn of_export(kind: &str, label: &str) -> (String, String) {
    let starts = |starts: &[&str]| starts.iter().any(|start| label.starts_with(start));
    let platform = match kind {
        "LG_Identity" | "LG_Human" if starts(&["arn:"]) => "aws",
        "LG_Identity" | "LG_Human" if starts(&["system:serviceaccount:"]) => "kubernetes",
        "LG_Identity" | "LG_Human"
            if starts(&["repo:", "app:", "pat:", "deploykey:", "env:", "org:", "user:"]) =>
        {
            "github"
        }
        "LG_Identity" | "LG_Human" if label.ends_with(".gserviceaccount.com") => "gcp",
        _ => "leakgraph",
    };
    // A job and a resource may have the same label.
    let native = match kind {
        "LG_Identity" | "LG_Human" => label.to_owned(),
        _ => format!("{}:{label}", kinds::parts(kind).1.to_lowercase()),
    };
    (platform.to_owned(), native)
}
