//! The actions there are, with access level and sensitivity class (`datasets/catalogs`).

mod tables;

use crate::pattern::matches_wildcards;
use roaring::RoaringBitmap;
use std::collections::HashMap;
use std::sync::{OnceLock, RwLock};

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
    platforms: HashMap<&'static str, RoaringBitmap>,
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
        let mut listed = tables::actions();
        let (kubernetes, cluster) = tables::kubernetes();
        listed.extend(kubernetes.into_iter().map(|action| ("kubernetes", action)));
        let mut listed: Vec<(String, &'static str, Action)> = listed
            .into_iter()
            .map(|(platform, action)| (action.name.to_ascii_lowercase(), platform, action))
            .collect();
        listed.sort_by(|one, other| one.0.cmp(&other.0));
        let mut platforms: HashMap<&'static str, RoaringBitmap> = HashMap::new();
        let (mut actions, mut folded): (Vec<Action>, Vec<String>) = (Vec::new(), Vec::new());
        for (name, platform, action) in listed {
            if folded.last() != Some(&name) {
                folded.push(name);
                actions.push(action);
            }
            let id = u32::try_from(folded.len().saturating_sub(1)).unwrap_or(u32::MAX);
            platforms.entry(platform).or_default().insert(id);
        }
        let ids: HashMap<String, u32> = folded.iter().cloned().zip(0..).collect();
        let id = |name: &String| ids.get(&name.to_ascii_lowercase()).copied();
        let outside_namespaces = cluster.iter().filter_map(id).collect();
        let is_nameless = |name: &str| name.ends_with(":create") || name.ends_with(":deletecollection");
        // That of a subresource has a name.
        let nameless = |id: &u32| {
            folded.get(*id as usize).is_some_and(|name| name.matches('/').count() == 1 && is_nameless(name))
        };
        let nameless = platforms.get("kubernetes").into_iter().flatten().filter(nameless).collect();
        Self { actions, folded, ids, platforms, outside_namespaces, nameless, cache: RwLock::default() }
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

    /// Every action by its lower-case name.
    pub fn named(&self) -> impl Iterator<Item = (&str, &Action)> {
        self.folded.iter().map(String::as_str).zip(&self.actions)
    }

    /// All AWS actions.
    pub(crate) fn aws(&self) -> &RoaringBitmap {
        self.of("aws")
    }

    /// All actions of a platform; none of one that is not known.
    pub fn of(&self, platform: &str) -> &RoaringBitmap {
        static NONE: OnceLock<RoaringBitmap> = OnceLock::new();
        self.platforms.get(platform).unwrap_or_else(|| NONE.get_or_init(RoaringBitmap::new))
    }

    /// ARN patterns of the resources that an action of AWS acts on, from the service part on
    /// (`s3:::*/*`); empty if it acts on no resource of its own and needs `*`.
    pub fn aws_resources(&self, action: &str) -> &[&'static str] {
        static RESOURCES: OnceLock<HashMap<String, Vec<&'static str>>> = OnceLock::new();
        let resources = RESOURCES.get_or_init(tables::aws_resources);
        resources.get(&action.to_ascii_lowercase()).map_or(&[], Vec::as_slice)
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
            return self.aws().clone();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_of_clusters_are_apart_from_other_actions() {
        let catalog = Catalog::get();
        let (actions, cluster) = tables::kubernetes();
        assert!(actions.len() > 500 && cluster.len() > 100);
        for action in &actions {
            let id = catalog.id(&action.name).unwrap();
            assert_eq!(catalog.action(id).class, action.class, "{}", action.name);
            assert!(!catalog.aws().contains(id), "{}", action.name);
        }
        assert_eq!((catalog.matching("*/*:*") & catalog.of("kubernetes")).len(), actions.len() as u64);
    }

    #[test]
    fn every_platform_has_actions_of_every_kind_it_needs() {
        let catalog = Catalog::get();
        let least = [("aws", 20_000), ("gcp", 13_000), ("azure", 4_000), ("github", 150), ("gitlab", 20)];
        for (platform, least) in least {
            let own = catalog.of(platform);
            assert!(own.len() >= least, "{platform}: {}", own.len());
            let has = |class| own.iter().any(|id| catalog.action(id).class == class);
            assert!([Class::Esc, Class::Data, Class::Write, Class::Read].into_iter().all(has), "{platform}");
        }
        assert_eq!((catalog.of("vault").len(), catalog.of("nowhere").len()), (9, 0));
        let class = |name: &str| catalog.action(catalog.id(name).unwrap()).class;
        assert_eq!(class("secretmanager.versions.access"), Class::Cred);
        assert_eq!(class("storage.objects.get"), Class::Data);
        assert_eq!(class("storage.buckets.setIamPolicy"), Class::Perm);
        assert_eq!(class("microsoft.authorization/roleassignments/WRITE"), Class::Esc);
        assert_eq!(class("Microsoft.Storage/storageAccounts/listKeys/action"), Class::Cred);
        assert_eq!(class("RoleManagement.ReadWrite.Directory"), Class::Esc);
        // Both GitLab's and Vault's.
        let sudo = catalog.id("sudo").unwrap();
        assert!(catalog.of("vault").contains(sudo) && catalog.of("gitlab").contains(sudo));
    }

    #[test]
    fn actions_of_aws_have_resources() {
        let catalog = Catalog::get();
        assert!(catalog.aws_resources("S3:GetObject").contains(&"s3:::*/*"));
        assert!(catalog.aws_resources("ec2:DescribeInstances").is_empty());
        let wild =
            catalog.aws().iter().filter(|id| catalog.aws_resources(&catalog.action(*id).name).is_empty());
        assert_eq!(wild.count(), 6_329);
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
