//! The actions there are, with access level and sensitivity class.
//!
//! AWS: `datasets/catalogs/aws-actions.tsv`; GitHub: `github-permissions.tsv`; Kubernetes:
//! `kubernetes-permissions.tsv`.

use crate::pattern::matches_wildcards;
use roaring::RoaringBitmap;
use std::collections::HashMap;
use std::sync::{OnceLock, RwLock};

const AWS: &str = include_str!("../../../datasets/catalogs/aws-actions.tsv");
const GITHUB: &str = include_str!("../../../datasets/catalogs/github-permissions.tsv");
const KUBERNETES: &str = include_str!("../../../datasets/catalogs/kubernetes-permissions.tsv");

/// Sensitivity class of an action, heaviest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Leads to more privilege.
    Esc,
    /// Returns or sets credentials.
    Cred,
    /// Changes permissions or exposes resources.
    Perm,
    /// Reads data.
    Data,
    /// Changes things.
    Write,
    /// Reads configuration.
    Read,
    /// Tags things.
    Tag,
    /// Lists things.
    List,
}

impl Class {
    /// All classes, in the order of the scores' table.
    pub const ALL: [Self; 8] =
        [Self::Esc, Self::Cred, Self::Perm, Self::Data, Self::Write, Self::Read, Self::Tag, Self::List];

    /// ESC, CRED, PERM, DATA, WRITE, READ, TAG or LIST.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Esc => "ESC",
            Self::Cred => "CRED",
            Self::Perm => "PERM",
            Self::Data => "DATA",
            Self::Write => "WRITE",
            Self::Read => "READ",
            Self::Tag => "TAG",
            Self::List => "LIST",
        }
    }

    fn of(letter: u8) -> Self {
        match letter {
            b'e' => Self::Esc,
            b'c' => Self::Cred,
            b'p' => Self::Perm,
            b'd' => Self::Data,
            b'w' => Self::Write,
            b't' => Self::Tag,
            b'l' => Self::List,
            _ => Self::Read,
        }
    }
}

/// Access level, as the Service Authorization Reference gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Level {
    /// Lists.
    List,
    /// Reads.
    Read,
    /// Writes.
    Write,
    /// Manages permissions.
    Permissions,
    /// Tags.
    Tagging,
}

impl Level {
    fn of(letter: u8) -> Self {
        match letter {
            b'L' => Self::List,
            b'W' => Self::Write,
            b'P' => Self::Permissions,
            b'T' => Self::Tagging,
            _ => Self::Read,
        }
    }
}

/// One action.
#[derive(Clone, Debug)]
pub struct Action {
    /// `s3:GetObject`, `contents:write`.
    pub name: String,
    /// Sensitivity.
    pub class: Class,
    /// Access level.
    pub level: Level,
}

/// All actions, numbered.
#[derive(Debug)]
pub struct Catalog {
    actions: Vec<Action>,
    /// Lower-case names, in the order of ids; sorted, so that a prefix is a range.
    folded: Vec<String>,
    ids: HashMap<String, u32>,
    aws: RoaringBitmap,
    outside_namespaces: RoaringBitmap,
    nameless: RoaringBitmap,
    cache: RwLock<HashMap<String, RoaringBitmap>>,
}

impl Catalog {
    /// The embedded catalog.
    pub fn get() -> &'static Self {
        static CATALOG: OnceLock<Catalog> = OnceLock::new();
        CATALOG.get_or_init(Self::parse)
    }

    fn parse() -> Self {
        let mut actions = Vec::with_capacity(21_000);
        for line in AWS.lines() {
            let Some((prefix, words)) = line.split_once('\t') else { continue };
            for word in words.split(' ') {
                let Some((name, codes)) = word.split_once('=') else { continue };
                if let &[level, class] = codes.as_bytes() {
                    let name = format!("{prefix}:{name}");
                    actions.push((true, Action { name, class: Class::of(class), level: Level::of(level) }));
                }
            }
        }
        for line in GITHUB.lines() {
            if let Some((name, &[class])) =
                line.split_once('\t').map(|(name, class)| (name, class.as_bytes()))
            {
                let level = if name.ends_with(":read") { Level::Read } else { Level::Write };
                actions.push((false, Action { name: name.to_owned(), class: Class::of(class), level }));
            }
        }
        let (kubernetes, cluster) = kubernetes();
        actions.extend(kubernetes.into_iter().map(|action| (false, action)));
        actions.sort_by_key(|(_, action)| action.name.to_ascii_lowercase());
        actions.dedup_by_key(|(_, action)| action.name.to_ascii_lowercase());
        let aws = (0..).zip(&actions).filter(|(_, (is_aws, _))| *is_aws).map(|(id, _)| id).collect();
        let actions: Vec<Action> = actions.into_iter().map(|(_, action)| action).collect();
        let folded: Vec<String> = actions.iter().map(|action| action.name.to_ascii_lowercase()).collect();
        let ids: HashMap<String, u32> = folded.iter().cloned().zip(0..).collect();
        let outside_namespaces = cluster.iter().filter_map(|name| ids.get(name).copied()).collect();
        let is_nameless = |name: &str| name.ends_with(":create") || name.ends_with(":deletecollection");
        let nameless = ids
            .iter()
            // Resources of clusters alone have a slash; that of a subresource has a name.
            .filter(|(name, _)| name.matches('/').count() == 1 && is_nameless(name))
            .map(|(_, id)| *id)
            .collect();
        Self { actions, folded, ids, aws, outside_namespaces, nameless, cache: RwLock::default() }
    }

    /// Number of actions.
    #[expect(clippy::len_without_is_empty, reason = "the embedded catalog is never empty")]
    pub fn len(&self) -> usize {
        self.actions.len()
    }

    /// Id of an action, whatever its case.
    pub fn id(&self, name: &str) -> Option<u32> {
        self.ids.get(&name.to_ascii_lowercase()).copied()
    }

    /// The action of an id.
    ///
    /// # Panics
    /// If the id did not come from this catalog.
    pub fn action(&self, id: u32) -> &Action {
        &self.actions[id as usize]
    }

    /// All AWS actions.
    pub(crate) fn aws(&self) -> &RoaringBitmap {
        &self.aws
    }

    /// Actions on resources of a cluster that are in no namespace.
    pub(crate) fn outside_namespaces(&self) -> &RoaringBitmap {
        &self.outside_namespaces
    }

    /// Actions of a cluster whose requests name no object.
    pub(crate) fn nameless(&self) -> &RoaringBitmap {
        &self.nameless
    }

    /// Actions that a pattern (`s3:Get*`, `core/*:get`, `*`) covers; `*` covers AWS only.
    pub fn matching(&self, pattern: &str) -> RoaringBitmap {
        let folded = pattern.to_ascii_lowercase();
        if folded == "*" || folded == "*:*" {
            return self.aws.clone();
        }
        if let Some(known) = self.cache.read().ok().and_then(|cache| cache.get(&folded).cloned()) {
            return known;
        }
        let found = self.find(&folded);
        if let Ok(mut cache) = self.cache.write() {
            cache.insert(folded, found.clone());
        }
        found
    }

    fn find(&self, folded: &str) -> RoaringBitmap {
        let Some(wild) = folded.find(['*', '?']) else {
            return self.ids.get(folded).copied().into_iter().collect();
        };
        let fixed = folded.get(..wild).unwrap_or("");
        let from = self.folded.partition_point(|name| name.as_str() < fixed);
        (from..self.folded.len())
            .map_while(|place| {
                self.folded.get(place).filter(|name| name.starts_with(fixed)).map(|name| (place, name))
            })
            .filter(|(_, name)| matches_wildcards(folded, name))
            .filter_map(|(place, _)| u32::try_from(place).ok())
            .collect()
    }
}

/// Actions of a cluster, and the names of those outside of namespaces.
fn kubernetes() -> (Vec<Action>, Vec<String>) {
    let (mut actions, mut cluster) = (Vec::new(), Vec::new());
    for line in KUBERNETES.lines() {
        let mut columns = line.split('\t');
        let (Some(resource), Some(scope), Some(verbs)) = (columns.next(), columns.next(), columns.next())
        else {
            continue;
        };
        for (verb, codes) in verbs.split(' ').filter_map(|verb| verb.split_once('=')) {
            let &[level, class] = codes.as_bytes() else { continue };
            let name = format!("{resource}:{verb}");
            // A namespace by name counts as inside of itself.
            let is_itself = resource.starts_with("core/namespaces")
                && matches!(verb, "get" | "update" | "patch" | "delete");
            if scope == "c" && !is_itself {
                cluster.push(name.clone());
            }
            actions.push(Action { name, class: Class::of(class), level: Level::of(level) });
        }
    }
    (actions, cluster)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_of_clusters_are_apart_from_other_actions() {
        let catalog = Catalog::get();
        let (actions, cluster) = kubernetes();
        assert!(actions.len() > 500 && cluster.len() > 100);
        for action in &actions {
            let id = catalog.id(&action.name).unwrap();
            assert_eq!(catalog.action(id).class, action.class, "{}", action.name);
            assert!(!catalog.aws().contains(id), "{}", action.name);
        }
        assert_eq!(catalog.matching("*/*:*").len(), actions.len() as u64);
    }

    #[test]
    fn actions_are_found_by_name_and_pattern() {
        let catalog = Catalog::get();
        assert!(catalog.len() > 20_000);
        let get = catalog.id("S3:getobject").unwrap();
        assert_eq!(
            (catalog.action(get).name.as_str(), catalog.action(get).class),
            ("s3:GetObject", Class::Data)
        );
        let reads = catalog.matching("s3:Get*");
        assert!(reads.contains(get) && reads.len() > 30);
        assert!(reads.iter().all(|id| catalog.action(id).name.starts_with("s3:Get")));
        assert_eq!(catalog.matching("s3:GetObjec?"), [get].into_iter().collect());
        assert!(
            catalog.id("contents:write").is_some()
                && !catalog.matching("*").contains(catalog.id("contents:write").unwrap())
        );
    }
}
