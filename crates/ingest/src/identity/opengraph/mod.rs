//! BloodHound OpenGraph files: nodes become identities, edges trusts and grants.
//!
//! Format: bloodhound.specterops.io/opengraph/developer (schema, nodes, edges). What each kind
//! means is in `kinds`; `docs/opengraph.md` has it for readers. Permissions that come through
//! groups and roles are written to those who act, because a role acts for nobody. A kind that
//! nobody described is a problem with its count.

mod kinds;
mod nodes;

use crate::Document;
use crate::importer::Recognised;
use crate::reader::incomplete;
use kinds::{EdgeMeaning, NodeMeaning};
use leakgraph_model::tables::{Grant, Problem, Trust};
use leakgraph_model::{Evidence, Key};
use nodes::{Node, Nodes};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// Resources of all grants that come through groups and roles; beyond that they are left out,
/// with a problem.
const MAX_INHERITED: usize = 2_000_000;
/// Groups and roles that are looked at for all identities together: a file may chain them.
const MAX_VISITS: usize = 2_000_000;
/// Issuer of the tokens of jobs of GitHub.
const GITHUB_ISSUER: &str = "https://token.actions.githubusercontent.com";

pub(crate) fn recognise(value: &Value) -> Option<Recognised> {
    let list = |name: &str| value.pointer(name).and_then(Value::as_array);
    let (nodes, edges) = (list("/graph/nodes")?, list("/graph/edges"));
    let is_node = nodes.first().is_some_and(|node| node.get("kinds").is_some_and(Value::is_array));
    let is_edge = edges.and_then(|edges| edges.first()).is_some_and(|edge| {
        edge.get("kind").is_some() && edge.get("start").is_some() && edge.get("end").is_some()
    });
    // A collector that found nothing.
    let is_empty = nodes.is_empty() && edges.is_some_and(Vec::is_empty);
    (is_node || nodes.is_empty() && is_edge || is_empty).then(|| {
        Recognised::new("opengraph", "`graph` with `nodes` that have `kinds`, and `edges` of a `kind`")
    })
}

pub(crate) fn import(document: &Document<'_>, value: &Value) -> Evidence {
    let list =
        |name: &str| value.pointer(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut graph = Graph {
        source: document.source_key,
        nodes: Nodes::of(list("/graph/nodes")),
        evidence: Evidence::default(),
        members: BTreeMap::new(),
        permits: BTreeMap::new(),
        reaches: BTreeMap::new(),
        owners: BTreeMap::new(),
        counts: Counts::default(),
    };
    for edge in list("/graph/edges") {
        graph.edge(edge);
    }
    graph.finish(document)
}

/// Edges that give no rows, by kind.
#[derive(Default)]
struct Counts {
    unknown: BTreeMap<String, usize>,
    dangling: BTreeMap<String, usize>,
    structure: BTreeMap<String, usize>,
    incomplete: usize,
}

/// What somebody may do: a role of Azure by name and id, or an action.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Permit<'v> {
    Role(&'static str, &'static str),
    Action(&'v str),
}

/// Who inherits what: by the name of the group or role it comes through, the same permissions
/// on several resources together.
type Inherited<'v> = BTreeMap<(String, BTreeSet<Permit<'v>>), BTreeSet<usize>>;

struct Graph<'v> {
    source: Key,
    nodes: Nodes<'v>,
    evidence: Evidence,
    /// Groups and roles of a node.
    members: BTreeMap<usize, BTreeSet<usize>>,
    /// By holder and resource.
    permits: BTreeMap<usize, BTreeMap<usize, BTreeSet<Permit<'v>>>>,
    /// What tokens reach.
    reaches: BTreeMap<usize, BTreeSet<usize>>,
    owners: BTreeMap<usize, usize>,
    counts: Counts,
}

impl<'v> Graph<'v> {
    fn edge(&mut self, edge: &'v Value) {
        let Some(kind) = edge.get("kind").and_then(Value::as_str) else {
            self.counts.incomplete += 1;
            return;
        };
        let count = |counts: &mut BTreeMap<String, usize>| *counts.entry(kind.to_owned()).or_default() += 1;
        let Some(meaning) = kinds::edge(kind) else { return count(&mut self.counts.unknown) };
        if meaning == EdgeMeaning::Structure {
            return count(&mut self.counts.structure);
        }
        let (Some(start), Some(end)) = (self.nodes.end(edge.get("start")), self.nodes.end(edge.get("end")))
        else {
            return count(&mut self.counts.dangling);
        };
        let is_identity = |place: usize| self.nodes.all.get(place).is_some_and(Node::is_identity);
        let (by_identity, to_identity) = (is_identity(start), is_identity(end));
        let permit = match meaning {
            EdgeMeaning::Permits(action) => Some(Permit::Action(action)),
            EdgeMeaning::AzureRole(name, id) => Some(Permit::Role(name, id)),
            EdgeMeaning::PermitsItself => Some(Permit::Action(kind)),
            EdgeMeaning::Member | EdgeMeaning::Controls | EdgeMeaning::Owns if !to_identity => {
                Some(Permit::Action(kind))
            }
            _ => None,
        };
        match (permit, meaning) {
            // What acts for nobody, as a repository, holds nothing.
            (Some(_), _) if !by_identity => return count(&mut self.counts.structure),
            (Some(permit), _) => {
                self.permits.entry(start).or_default().entry(end).or_default().insert(permit);
                return;
            }
            (None, EdgeMeaning::Reaches) => {
                self.reaches.entry(start).or_default().insert(end);
                return;
            }
            (None, EdgeMeaning::Federates) => return self.federates(kind, start, end),
            (None, EdgeMeaning::Member) => drop(self.members.entry(start).or_default().insert(end)),
            (None, EdgeMeaning::Owns) => drop(self.owners.entry(end).or_insert(start)),
            _ => {}
        }
        let facts = (meaning == EdgeMeaning::Ours).then(|| edge.get("properties")).flatten();
        self.trust(kind, start, end, facts);
    }

    /// Who starts can become the end.
    fn trust(&mut self, kind: &str, start: usize, end: usize, facts: Option<&Value>) {
        let (Some(from), Some(to)) = (self.nodes.all.get(start), self.nodes.all.get(end)) else { return };
        // An application and its service principal are one.
        if from.key() == to.key() {
            return;
        }
        let fact = |name: &str| facts.and_then(|facts| facts.get(name));
        let is_observed = fact("observed").and_then(Value::as_bool) == Some(true);
        let cost = fact("cost").and_then(Value::as_i64).unwrap_or(0);
        let assumed = fact("assumed").and_then(Value::as_bool).unwrap_or(false);
        let (target, principal_key) = (to.key(), from.is_identity().then(|| from.key()));
        let principal = from.native_id.clone();
        let mut actions = vec![kind.to_owned()];
        actions.extend(is_observed.then(|| "observed".to_owned()));
        self.evidence.trusts.push(Trust {
            trust_key: Key::of(
                "trust",
                &[&target.to_string(), "opengraph", kind, &from.platform, &principal],
            ),
            identity_key: target,
            principal_kind: "identity".to_owned(),
            principal,
            principal_key,
            effect: "allow".to_owned(),
            actions,
            conditions: (cost > 0 || assumed)
                .then(|| json!({ "checks": { "cost": cost, "assumed": assumed } }).to_string()),
            subjects: Vec::new(),
            source_key: self.source,
        });
    }

    /// Jobs of a repository, a branch or an environment become a cloud identity.
    fn federates(&mut self, kind: &str, start: usize, end: usize) {
        let (Some(from), Some(to)) = (self.nodes.all.get(start), self.nodes.all.get(end)) else { return };
        let subject = match from.kind.as_str() {
            "GH_Environment" => from.native_id.strip_prefix("env:").and_then(|place| {
                let (repository, environment) = place.rsplit_once('/')?;
                Some(format!("repo:{repository}:environment:{environment}"))
            }),
            "GH_Branch" => Some(from.native_id.clone()),
            _ => Some(format!("{}:*", from.native_id)),
        };
        let target = to.key();
        let principal = match to.platform.as_str() {
            "aws" => "token.actions.githubusercontent.com",
            _ => GITHUB_ISSUER,
        };
        let subjects: Vec<String> = subject.into_iter().collect();
        self.evidence.trusts.push(Trust {
            trust_key: Key::of("trust", &[&target.to_string(), "opengraph", kind, &subjects.concat()]),
            identity_key: target,
            principal_kind: "federated".to_owned(),
            principal: principal.to_owned(),
            effect: "allow".to_owned(),
            actions: if to.platform == "aws" {
                vec!["sts:AssumeRoleWithWebIdentity".to_owned()]
            } else {
                Vec::new()
            },
            subjects,
            source_key: self.source,
            ..Trust::default()
        });
    }

    fn finish(mut self, document: &Document<'_>) -> Evidence {
        let (mut left, mut visits) = (MAX_INHERITED, MAX_VISITS);
        let mut cut = 0;
        for place in 0..self.nodes.all.len() {
            let Some(node) = self.nodes.all.get(place) else { continue };
            let identity = node.identity(self.source).map(|mut row| {
                let owner = self.owners.get(&place).and_then(|owner| self.nodes.all.get(*owner));
                row.owner = row.owner.or_else(|| owner.map(|owner| owner.name.clone()));
                row
            });
            self.evidence.identities.extend(identity);
            self.evidence.credentials.extend(node.credential(self.source));
            self.token(place);
            if self.nodes.all.get(place).is_some_and(Node::is_identity) {
                let held = self.held(place, &mut visits).filter(|held| {
                    let resources: usize = held.values().map(BTreeSet::len).sum();
                    left.checked_sub(resources).map(|rest| left = rest).is_some()
                });
                let Some(held) = held else {
                    cut += 1;
                    continue;
                };
                self.grants(place, held);
            }
        }
        self.tell(document, cut);
        self.evidence
    }

    /// What an identity holds itself and, if it acts, through groups and roles; `None` where
    /// too many were looked at already.
    fn held(&self, place: usize, visits: &mut usize) -> Option<Inherited<'v>> {
        let acts = self.nodes.all.get(place).is_some_and(Node::acts);
        let mut seen = HashSet::from([place]);
        let mut next = vec![place];
        let mut held = Inherited::new();
        while let Some(via) = next.pop() {
            *visits = visits.checked_sub(1)?;
            if let Some(permits) = self.permits.get(&via) {
                let node = self.nodes.all.get(via).filter(|_| via != place);
                let name = node.map(|node| node.property("short_name").unwrap_or_else(|| node.name.clone()));
                let name = name.unwrap_or_else(|| "opengraph".to_owned());
                for (resource, permits) in permits {
                    held.entry((name.clone(), permits.clone())).or_default().insert(*resource);
                }
            }
            let above = self.members.get(&via).into_iter().flatten().filter(|_| acts);
            next.extend(above.filter(|place| seen.insert(**place)));
        }
        Some(held)
    }

    fn grants(&mut self, place: usize, held: Inherited<'v>) {
        for ((through, permits), resources) in held {
            let names: Vec<String> = resources
                .iter()
                .filter_map(|resource| Some(self.nodes.all.get(*resource)?.native_id.clone()))
                .collect();
            let kind = if through == "opengraph" { "permission" } else { "group" };
            let actions: Vec<String> = permits
                .iter()
                .filter_map(|permit| match permit {
                    Permit::Action(action) => Some((*action).to_owned()),
                    Permit::Role(..) => None,
                })
                .collect();
            for permit in &permits {
                if let Permit::Role(name, id) = permit {
                    let below =
                        names.iter().flat_map(|scope| [scope.clone(), format!("{scope}/*")]).collect();
                    self.grant(place, "permission", (name, id), vec![(*name).to_owned()], below);
                }
            }
            if !actions.is_empty() {
                let statement = Key::of("statement", &actions.iter().map(String::as_str).collect::<Vec<_>>());
                let statement: String = statement.to_string().chars().take(8).collect();
                self.grant(place, kind, (&through, &statement), actions, names);
            }
        }
    }

    fn grant(
        &mut self,
        place: usize,
        policy_kind: &str,
        (policy, statement): (&str, &str),
        actions: Vec<String>,
        resources: Vec<String>,
    ) {
        let Some(holder) = self.nodes.all.get(place) else { return };
        let key = holder.key();
        let is_role = holder.platform == "azure" && actions == [policy];
        let listed = resources.join(",");
        self.evidence.grants.push(Grant {
            grant_key: Key::of("grant", &[&key.to_string(), policy_kind, policy, statement, &listed]),
            identity_key: key,
            platform: holder.platform.clone(),
            policy_kind: policy_kind.to_owned(),
            policy: policy.to_owned(),
            statement: statement.to_owned(),
            effect: "allow".to_owned(),
            actions,
            resources,
            // What a role contains, linking knows.
            understood: !is_role,
            source_key: self.source,
            ..Grant::default()
        });
    }

    /// Permissions of an app or a fine-grained token on what it reaches.
    fn token(&mut self, place: usize) {
        let Some(node) = self.nodes.all.get(place) else { return };
        let policy = match node.meaning {
            NodeMeaning::Identity("app_installation", _) => "installation",
            NodeMeaning::Identity("personal_access_token", _) => "personal_access_token",
            _ => return,
        };
        let permissions: Option<Value> =
            node.property("permissions").and_then(|text| serde_json::from_str(&text).ok());
        let actions = permissions.as_ref().map(actions_of).unwrap_or_default();
        let organisation = node.property("environment_name").unwrap_or_else(|| "unknown".to_owned());
        let reached = self.reaches.get(&place).into_iter().flatten();
        let mut resources: Vec<String> = match node.property("repository_selection").as_deref() {
            Some("all") => vec![format!("repo:{organisation}/*")],
            _ => reached
                .filter_map(|resource| self.nodes.all.get(*resource))
                .filter(|resource| resource.kind == "GH_Repository")
                .map(|resource| resource.native_id.clone())
                .collect(),
        };
        if resources.is_empty() {
            resources = vec![format!("org:{organisation}")];
        }
        if !actions.is_empty() {
            self.grant(place, "permission", (policy, "0"), actions, resources);
        }
    }

    fn tell(&mut self, document: &Document<'_>, cut: usize) {
        let mut problem = |code: &str, reason: String, lossy: bool| {
            self.evidence.problems.push(Problem {
                path: document.path.to_owned(),
                offset: None,
                code: code.to_owned(),
                reason,
                lossy,
            });
        };
        for (kind, count) in &self.nodes.unknown {
            problem(
                "unknown_kind",
                format!("{count} nodes of kind {}, which is not known", short(kind)),
                true,
            );
        }
        for (kind, count) in &self.counts.unknown {
            problem(
                "unknown_kind",
                format!("{count} edges of kind {}, which is not known", short(kind)),
                true,
            );
        }
        for (kind, count) in &self.counts.dangling {
            let kind = short(kind);
            problem(
                "dangling_edge",
                format!("{count} edges of kind {kind} whose ends are not in the file"),
                true,
            );
        }
        if !self.counts.structure.is_empty() {
            let kinds: Vec<String> = self
                .counts
                .structure
                .iter()
                .map(|(kind, count)| format!("{} {count}", short(kind)))
                .collect();
            let reason = format!("edges that nobody may do anything by, without rows: {}", kinds.join(", "));
            problem("no_rows", reason, false);
        }
        if cut > 0 {
            let reason = format!(
                "the permissions of {cut} identities are left out: groups and roles give more than {MAX_INHERITED} of them"
            );
            problem("too_large", reason, true);
        }
        let lost = self.nodes.incomplete + self.counts.incomplete;
        self.evidence.problems.extend(incomplete(document, lost, "nodes or edges lack id, kind or ends"));
    }
}

/// Kinds have letters, digits and underscores; a file may hold anything.
fn short(kind: &str) -> String {
    kind.chars().filter(|letter| !letter.is_control()).take(80).collect()
}

/// `{"contents": "write"}`, in fine-grained tokens below `repository` and `organization`, as
/// `contents:write`.
fn actions_of(permissions: &Value) -> Vec<String> {
    let members = permissions.as_object().into_iter().flatten();
    members
        .flat_map(|(name, access)| match access {
            Value::String(access) => vec![format!("{name}:{access}")],
            inner => actions_of(inner),
        })
        .collect()
}
