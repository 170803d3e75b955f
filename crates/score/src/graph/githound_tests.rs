//! GitHound's answers on its sample organisation (338 nodes, 2,763 edges): the closure over
//! traversable edges of every node, and its saved query "Secrets Reachable by User".

use super::closure::{Plan, radii};
use super::csr::Csr;
use super::reach::Search;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;

struct Organisation {
    ids: Vec<String>,
    /// How many of the nodes are in the list of nodes; they come first.
    listed: usize,
    kinds: Vec<Vec<String>>,
    names: Vec<String>,
    /// (source, target, kind, whether GitHound calls it traversable)
    edges: Vec<(u32, u32, String, bool)>,
}

fn folder() -> Option<PathBuf> {
    let found =
        std::env::var_os("LEAKGRAPH_CORPUS").map(|corpus| PathBuf::from(corpus).join("identities/githound"));
    let found = found.filter(|folder| folder.join("oracle/reach.json").is_file());
    if found.is_none() {
        tell("SKIPPED: LEAKGRAPH_CORPUS does not name a folder with identities/githound");
    }
    found
}

fn tell(message: &str) {
    eprintln!("{message}");
}

fn read(path: PathBuf) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn organisation(folder: &std::path::Path) -> Organisation {
    let file = read(folder.join("samples/githound_O_kgDOCoV2OQ.json"));
    let nodes = file["graph"]["nodes"].as_array().unwrap();
    let mut ids: Vec<String> = nodes.iter().map(|node| text(&node["id"])).collect();
    let listed = ids.len();
    let mut index: HashMap<String, u32> = ids.iter().cloned().zip(0u32..).collect();
    let mut edges = Vec::new();
    for edge in file["graph"]["edges"].as_array().unwrap() {
        // Some edges end in another organisation or platform, whose nodes are not listed.
        let [start, end] = ["start", "end"].map(|side| {
            *index.entry(text(&edge[side]["value"])).or_insert_with_key(|id| {
                ids.push(id.clone());
                u32::try_from(ids.len() - 1).unwrap()
            })
        });
        edges.push((start, end, text(&edge["kind"]), edge["properties"]["traversable"] == Value::Bool(true)));
    }
    let mut kinds: Vec<Vec<String>> =
        nodes.iter().map(|node| node["kinds"].as_array().unwrap().iter().map(text).collect()).collect();
    let name = |node: &Value| node["properties"]["name"].as_str().unwrap_or_default().to_owned();
    let mut names: Vec<String> = nodes.iter().map(name).collect();
    kinds.resize(ids.len(), Vec::new());
    names.resize(ids.len(), String::new());
    Organisation { kinds, names, edges, ids, listed }
}

impl Organisation {
    fn csr(&self, keep: impl Fn(&(u32, u32, String, bool)) -> bool) -> Csr {
        let kept: Vec<(u32, u32)> =
            self.edges.iter().filter(|edge| keep(edge)).map(|edge| (edge.0, edge.1)).collect();
        Csr::new(self.ids.len(), (0u32..).zip(&kept).map(|(index, (from, to))| (*from, *to, 0, index)))
    }

    fn sizes(&self, csr: &Csr) -> BTreeMap<String, i64> {
        let ones = vec![1.0; self.ids.len()];
        let radii = radii(csr, &ones, u64::from, &Plan::default());
        let mut search = Search::new(self.ids.len(), 0);
        let each = self.ids.iter().take(self.listed).zip(0u32..).map(|(id, node)| {
            search.run(csr, &[node], |_| false);
            let size = i64::try_from(search.reached().count()).unwrap() - 1;
            // Without costs a radius counts what is reached.
            assert!((radii.of(node) - 1.0 - f64::from(i32::try_from(size).unwrap())).abs() < 1e-9);
            (id.clone(), size)
        });
        each.collect()
    }
}

fn expected(oracle: &Value) -> BTreeMap<String, i64> {
    oracle.as_object().unwrap().iter().map(|(id, size)| (id.clone(), size.as_i64().unwrap())).collect()
}

#[test]
fn closures_of_the_sample_organisation_are_githounds() {
    let Some(folder) = folder() else { return };
    let oracle = read(folder.join("oracle/reach.json"));
    let organisation = organisation(&folder);
    assert_eq!((organisation.listed, organisation.edges.len()), (338, 2763));
    let by_property = organisation.sizes(&organisation.csr(|edge| edge.3));
    assert_eq!(by_property, expected(&oracle["closure_size_by_edge_property_traversable"]));
    let schema = read(folder.join("schema.json"));
    let kinds: BTreeSet<String> = schema["relationship_kinds"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|kind| kind["is_traversable"] == Value::Bool(true))
        .map(|kind| text(&kind["name"]))
        .collect();
    let by_schema = organisation.sizes(&organisation.csr(|edge| kinds.contains(&edge.2)));
    assert_eq!(by_schema, expected(&oracle["closure_size_by_schema_traversable"]));
}

#[test]
fn secrets_in_reach_of_each_user_are_githounds() {
    let Some(folder) = folder() else { return };
    let oracle = read(folder.join("oracle/reach.json"));
    let organisation = organisation(&folder);
    // Roles lead to repositories by write access only, repositories to their secrets.
    let csr = organisation.csr(|(_, _, kind, _)| {
        ["GH_HasRole", "GH_HasBaseRole", "GH_MemberOf", "GH_WriteRepoContents", "GH_HasSecret"]
            .contains(&kind.as_str())
    });
    let has = |node: u32, kind: &str| organisation.kinds[node as usize].iter().any(|own| own == kind);
    let mut search = Search::new(organisation.ids.len(), 0);
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for user in (0u32..).take(organisation.ids.len()).filter(|node| has(*node, "GH_User")) {
        search.run(&csr, &[user], |_| false);
        let secrets: BTreeSet<String> = search
            .reached()
            .filter(|(node, _)| has(*node, "GH_RepoSecret") || has(*node, "GH_OrgSecret"))
            .map(|(node, _)| organisation.names[node as usize].clone())
            .collect();
        if !secrets.is_empty() {
            found.insert(organisation.names[user as usize].clone(), secrets);
        }
    }
    let expected: BTreeMap<String, BTreeSet<String>> = oracle["secrets_reachable_by_user"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(user, names)| (user.clone(), names.as_array().unwrap().iter().map(text).collect()))
        .collect();
    assert_eq!(found, expected);
}
