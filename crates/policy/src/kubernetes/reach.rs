//! Whom a satisfied primitive makes of its holder.

use super::PLATFORM;
use super::escalation::Primitive;
use crate::Decision;
use leakgraph_model::Key;
use leakgraph_model::tables::{Identity, Trust, identity_key};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// Accounts of the controllers are here, and with them the administrator.
const SYSTEM: &str = "kube-system";

/// Whom a primitive reaches; the data file explains each.
#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Reach {
    Cluster,
    Node,
    Accounts,
    Named,
    Pods,
    Tokens,
    Eks,
}

/// Where something is held.
#[derive(Default)]
pub(super) struct Held<'a> {
    /// In all of the cluster.
    pub(super) everywhere: Decision,
    /// In namespaces, beyond that.
    pub(super) namespaces: BTreeMap<&'a str, Decision>,
}

impl<'a> Held<'a> {
    pub(super) fn add(&mut self, namespace: Option<&'a str>, decision: Decision) {
        let held = match namespace {
            None => &mut self.everywhere,
            Some(namespace) => self.namespaces.entry(namespace).or_default(),
        };
        *held = decision.max(*held);
    }

    pub(super) fn within(&self, namespace: &str) -> Decision {
        self.namespaces.get(namespace).copied().unwrap_or_default().max(self.everywhere)
    }

    fn anywhere(&self) -> Decision {
        self.namespaces.values().copied().max().unwrap_or_default().max(self.everywhere)
    }
}

/// A name a rule is limited to, and its namespace; `None` is any.
pub(super) type Name<'a> = (Option<&'a str>, &'a str);

/// Accounts by namespace, all or those with something.
type Accounts<'a> = BTreeMap<&'a str, BTreeSet<Key>>;

/// What is known of a cluster.
pub(super) struct Cluster<'a> {
    accounts: Accounts<'a>,
    /// Accounts that a known pod runs as.
    running: Accounts<'a>,
    /// Accounts with a token in a secret: namespace, secret, account.
    tokens: Vec<(&'a str, &'a str, Key)>,
    users: BTreeSet<Key>,
    /// Whether accounts are mapped to roles of AWS.
    is_eks: bool,
}

impl<'a> Cluster<'a> {
    pub(super) fn of(identities: &'a [Identity], trusts: &'a [Trust]) -> Self {
        let mut accounts = Accounts::new();
        let mut namespaces: BTreeMap<Key, &str> = BTreeMap::new();
        let mut users = BTreeSet::new();
        for row in identities.iter().filter(|row| row.platform == PLATFORM) {
            if row.kind == "user" {
                users.insert(row.identity_key);
            } else if let Some(namespace) = namespace_of(&row.native_id) {
                accounts.entry(namespace).or_default().insert(row.identity_key);
                namespaces.insert(row.identity_key, namespace);
            }
        }
        let mut running = Accounts::new();
        let mut tokens = Vec::new();
        for trust in trusts {
            let namespace = namespaces.get(&trust.identity_key).copied();
            match (trust.principal_kind.as_str(), namespace) {
                ("workload", Some(namespace)) => {
                    running.entry(namespace).or_default().insert(trust.identity_key);
                }
                ("secret", Some(namespace)) => {
                    let name = trust.principal.rsplit('/').next().unwrap_or_default();
                    tokens.push((namespace, name, trust.identity_key));
                }
                _ => {}
            }
        }
        let is_eks = trusts.iter().any(|trust| {
            trust.principal_kind == "service_account"
                && trust.actions.iter().any(|action| action == "sts:AssumeRoleWithWebIdentity")
        });
        Self { accounts, running, tokens, users, is_eks }
    }

    /// Accounts of a namespace: every namespace has `default`.
    fn accounts(&self, namespace: &str) -> BTreeSet<Key> {
        let mut found = self.accounts.get(namespace).cloned().unwrap_or_default();
        found.insert(account(namespace, "default"));
        found
    }
}

fn account(namespace: &str, name: &str) -> Key {
    identity_key(PLATFORM, &format!("system:serviceaccount:{namespace}:{name}"))
}

/// The namespace of a service account's user name.
fn namespace_of(user: &str) -> Option<&str> {
    user.strip_prefix("system:serviceaccount:")?.split_once(':').map(|(namespace, _)| namespace)
}

/// Targets, surest first: each once.
type Targets = BTreeMap<Option<Key>, Decision>;

fn add(targets: &mut Targets, target: Option<Key>, decision: Decision) {
    let held = targets.entry(target).or_default();
    *held = decision.max(*held);
}

/// Whom a primitive that is held so reaches.
pub(super) fn reached(
    primitive: &Primitive,
    held: &Held<'_>,
    names: &[Name<'_>],
    actions: &[String],
    cluster: &Cluster<'_>,
) -> Targets {
    let mut targets = Targets::new();
    match primitive.reach {
        Reach::Cluster => add(&mut targets, None, held.everywhere),
        Reach::Node => add(&mut targets, None, held.anywhere().min(Decision::May)),
        Reach::Eks if cluster.is_eks => add(&mut targets, None, held.everywhere),
        Reach::Eks => {}
        Reach::Accounts => accounts(held, cluster, &mut targets),
        Reach::Named => named(held, names, actions, cluster, &mut targets),
        Reach::Pods => pods(held, cluster, &mut targets),
        Reach::Tokens => tokens(held, names, cluster, &mut targets),
    }
    targets
}

fn accounts(held: &Held<'_>, cluster: &Cluster<'_>, targets: &mut Targets) {
    add(targets, None, held.within(SYSTEM));
    for (namespace, decision) in &held.namespaces {
        for account in cluster.accounts(namespace) {
            add(targets, Some(account), *decision);
        }
    }
}

/// Users or accounts, some of them by name.
fn named(
    held: &Held<'_>,
    names: &[Name<'_>],
    actions: &[String],
    cluster: &Cluster<'_>,
    targets: &mut Targets,
) {
    let is_users = actions.iter().any(|action| action.starts_with("core/users:"));
    if is_users {
        add(targets, None, held.everywhere);
    } else {
        accounts(held, cluster, targets);
    }
    for (namespace, name) in names {
        let keys: Vec<Key> = match namespace {
            _ if is_users => vec![identity_key(PLATFORM, &format!("user:{}", plain(name)))],
            Some(namespace) => vec![account(namespace, name)],
            None => cluster.accounts.keys().map(|namespace| account(namespace, name)).collect(),
        };
        let is_known =
            |key: &Key| cluster.users.contains(key) || cluster.accounts.values().any(|all| all.contains(key));
        keys.into_iter().filter(is_known).for_each(|key| add(targets, Some(key), Decision::Yes));
    }
}

/// A name as users have it: a colon is escaped in patterns.
fn plain(name: &str) -> String {
    name.replace("%3A", ":").replace("%20", " ").replace("%25", "%")
}

fn pods(held: &Held<'_>, cluster: &Cluster<'_>, targets: &mut Targets) {
    // Where system pods run, perhaps one of them holds everything.
    add(targets, None, held.within(SYSTEM).min(Decision::May));
    for (namespace, running) in &cluster.running {
        for account in running {
            add(targets, Some(*account), held.within(namespace));
        }
    }
    for (namespace, decision) in &held.namespaces {
        if !cluster.running.contains_key(namespace) {
            for account in cluster.accounts(namespace) {
                add(targets, Some(account), (*decision).min(Decision::May));
            }
        }
    }
}

fn tokens(held: &Held<'_>, names: &[Name<'_>], cluster: &Cluster<'_>, targets: &mut Targets) {
    for (namespace, secret, account) in &cluster.tokens {
        let by_name = names.iter().any(|(of, name)| name == secret && of.is_none_or(|of| of == *namespace));
        let decision = if by_name { Decision::Yes } else { held.within(namespace) };
        add(targets, Some(*account), decision);
    }
    // Secrets that the inventory does not show may be tokens too.
    add(targets, None, held.within(SYSTEM).min(Decision::May));
    for (namespace, decision) in &held.namespaces {
        if !cluster.tokens.iter().any(|(of, ..)| of == namespace) {
            let decision = (*decision).min(Decision::May);
            cluster.accounts(namespace).into_iter().for_each(|key| add(targets, Some(key), decision));
        }
    }
}
