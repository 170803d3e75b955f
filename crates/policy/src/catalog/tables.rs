//! The embedded tables; `datasets/catalogs/SOURCES.md` says what each is made from.

use super::{Action, Class, Level};
use std::collections::HashMap;

const AWS: &str = include_str!("../../../../datasets/catalogs/aws-actions.tsv");
const AWS_RESOURCES: &str = include_str!("../../../../datasets/catalogs/aws-resources.tsv");
const GCP: &str = include_str!("../../../../datasets/catalogs/gcp-permissions.tsv");
const AZURE: &str = include_str!("../../../../datasets/catalogs/azure-actions.tsv");
const GITHUB: &str = include_str!("../../../../datasets/catalogs/github-permissions.tsv");
const KUBERNETES: &str = include_str!("../../../../datasets/catalogs/kubernetes-permissions.tsv");
const OTHER: &str = include_str!("../../../../datasets/catalogs/platform-permissions.tsv");

/// An action and its platform.
pub(super) type Listed = (&'static str, Action);

/// All actions; a name may be that of several platforms.
pub(super) fn actions() -> Vec<Listed> {
    let mut actions = Vec::with_capacity(40_000);
    grouped("aws", AWS, ":", &mut actions);
    grouped("gcp", GCP, ".", &mut actions);
    grouped("azure", AZURE, "/", &mut actions);
    for line in GITHUB.lines() {
        if let Some((name, &[class])) = line.split_once('\t').map(|(name, class)| (name, class.as_bytes())) {
            let level = if name.ends_with(":read") { Level::Read } else { Level::Write };
            actions.push(("github", Action { name: name.to_owned(), class: Class::of(class), level }));
        }
    }
    for line in OTHER.lines() {
        let mut columns = line.split('\t');
        let (Some(platform), Some(name), Some(codes)) = (columns.next(), columns.next(), columns.next())
        else {
            continue;
        };
        actions.extend(action(name.to_owned(), codes).map(|action| (platform, action)));
    }
    actions
}

/// Lines of a prefix and `Name=LC` words.
fn grouped(platform: &'static str, table: &str, separator: &str, actions: &mut Vec<Listed>) {
    for (prefix, words) in table.lines().filter_map(|line| line.split_once('\t')) {
        for (name, codes) in words.split(' ').filter_map(|word| word.rsplit_once('=')) {
            let name = [prefix, separator, name].concat();
            actions.extend(action(name, codes).map(|action| (platform, action)));
        }
    }
}

fn action(name: String, codes: &str) -> Option<Action> {
    let &[level, class] = codes.as_bytes() else { return None };
    Some(Action { name, class: Class::of(class), level: Level::of(level) })
}

/// Actions of a cluster, and the names of those outside of namespaces.
pub(super) fn kubernetes() -> (Vec<Action>, Vec<String>) {
    let (mut actions, mut cluster) = (Vec::new(), Vec::new());
    for line in KUBERNETES.lines() {
        let mut columns = line.split('\t');
        let (Some(resource), Some(scope), Some(verbs)) = (columns.next(), columns.next(), columns.next())
        else {
            continue;
        };
        for (verb, codes) in verbs.split(' ').filter_map(|verb| verb.split_once('=')) {
            let name = format!("{resource}:{verb}");
            // A namespace by name counts as inside of itself.
            let is_itself = resource.starts_with("core/namespaces")
                && matches!(verb, "get" | "update" | "patch" | "delete");
            if scope == "c" && !is_itself {
                cluster.push(name.clone());
            }
            actions.extend(action(name, codes));
        }
    }
    (actions, cluster)
}

/// ARN patterns of the resources that an action of AWS acts on, from the service part on
/// (`s3:::*/*`), by lower-case name; an action that is not there has none of its own.
pub(super) fn aws_resources() -> HashMap<String, Vec<&'static str>> {
    let mut found = HashMap::new();
    for line in AWS_RESOURCES.lines() {
        let mut columns = line.split('\t');
        let (Some(prefix), Some(types), Some(words)) = (columns.next(), columns.next(), columns.next())
        else {
            continue;
        };
        let patterns: Vec<&'static str> =
            types.split(' ').filter_map(|kind| kind.split_once('=')).map(|(_, pattern)| pattern).collect();
        for (name, places) in words.split(' ').filter_map(|word| word.split_once('=')) {
            let on =
                places.split(',').filter_map(|place| patterns.get(place.parse::<usize>().ok()?).copied());
            found.insert(format!("{prefix}:{name}").to_ascii_lowercase(), on.collect());
        }
    }
    found
}
