//! Cuts against brute force on small graphs.

use super::*;
use crate::graph::{Edge, Node};
use leakgraph_model::tables::SecretSighting;
use proptest::prelude::*;

type Arcs = Vec<(usize, usize, u8)>;

/// The first half of the nodes are jobs, the others identities with a weight.
fn graph(nodes: usize, arcs: &Arcs) -> Graph {
    let all = (0..nodes).map(|index| Node {
        key: Key([u8::try_from(index).unwrap(); 16]),
        label: format!("n{index}"),
        kind: if index < nodes / 2 { "job" } else { "identity" },
        weight: if index < nodes / 2 { 0.0 } else { f64::from(u8::try_from(index).unwrap()) },
        class: None,
    });
    let edges = arcs.iter().map(|(source, target, cost)| Edge {
        source: u32::try_from(source % nodes).unwrap(),
        target: u32::try_from(target % nodes).unwrap(),
        kind: "trust",
        cost: *cost,
        unproven: 0,
        observed: true,
        unknown: false,
        evidence: None,
    });
    Graph { nodes: all.collect(), edges: edges.collect() }
}

fn cutter(graph: &Graph) -> Cutter<'_> {
    Cutter::new(&Evidence::default(), graph, &Weights::builtin())
}

/// Total exposure with some candidates cut, over a graph built anew.
fn brute(graph: &Graph, cut: &[&Candidate]) -> f64 {
    let gone: HashSet<u32> = cut.iter().flat_map(|candidate| candidate.edges.iter().copied()).collect();
    let edges = (0u32..).zip(&graph.edges).filter(|(at, _)| !gone.contains(at)).map(|(_, edge)| edge.clone());
    let less = Graph { nodes: graph.nodes.clone(), edges: edges.collect() };
    let cutter = cutter(&less);
    cutter.exposures(&vec![Fate::Kept; less.edges.len()]).iter().sum()
}

proptest! {
    #[test]
    fn every_round_takes_the_best_cut_there_is(arcs in prop::collection::vec((0usize..14, 0usize..14, 0u8..3), 0..30)) {
        let graph = graph(14, &arcs);
        let cutter = cutter(&graph);
        let candidates = cutter.candidates();
        let mut cut: Vec<&Candidate> = Vec::new();
        for (at, effect) in cutter.sequence(&candidates, 5, usize::MAX) {
            let before = brute(&graph, &cut);
            let best = candidates.iter().map(|candidate| {
                let mut more = cut.clone();
                more.push(candidate);
                before - brute(&graph, &more)
            }).fold(0.0, f64::max);
            prop_assert!((effect.gain - best).abs() < 1e-9, "{} {}", effect.gain, best);
            cut.push(&candidates[at]);
            prop_assert!((before - effect.gain - brute(&graph, &cut)).abs() < 1e-9);
        }
        if cut.len() < 5 {
            let left = brute(&graph, &cut);
            let idle = candidates.iter().all(|candidate| {
                let mut more = cut.clone();
                more.push(candidate);
                left - brute(&graph, &more) < 1e-6
            });
            prop_assert!(idle);
        }
    }

    #[test]
    fn no_bound_is_below_what_a_cut_takes_off(arcs in prop::collection::vec((0usize..14, 0usize..14, 0u8..3), 0..30)) {
        let graph = graph(14, &arcs);
        let cutter = cutter(&graph);
        let candidates = cutter.candidates();
        let whole = brute(&graph, &[]);
        for (candidate, bound) in candidates.iter().zip(cutter.bounds(&candidates)) {
            prop_assert!(whole - brute(&graph, &[candidate]) <= bound + 1e-9);
        }
    }

    #[test]
    fn hardening_takes_off_no_more_than_removing(arcs in prop::collection::vec((0usize..14, 0usize..14, 0u8..3), 1..30), which in 0usize..30) {
        let graph = graph(14, &arcs);
        let cutter = cutter(&graph);
        let candidates = cutter.candidates();
        prop_assume!(!candidates.is_empty());
        let edge = candidates[which % candidates.len()].key.to_string();
        let with = |action| cutter.what_if(&[Change { action, edge: edge.clone() }]).unwrap();
        let (removed, hardened) = (with(Action::Remove), with(Action::Harden));
        prop_assert!(removed.after <= hardened.after + 1e-9 && hardened.after <= hardened.before + 1e-9);
        prop_assert!(removed.moved.len() >= hardened.moved.len());
    }
}

#[test]
fn a_bridge_is_cut_before_one_of_two_ways() {
    // Jobs 0 and 1 reach 9 over 8; job 2 reaches 7 in two ways.
    let graph = graph(10, &vec![(0, 8, 0), (1, 8, 0), (8, 9, 0), (2, 5, 0), (5, 7, 0), (2, 6, 0), (6, 7, 0)]);
    let cutter = cutter(&graph);
    let points = cutter.points(&Weights::builtin());
    assert_eq!((points[0].source.as_str(), points[0].target.as_str(), points[0].entries), ("n8", "n9", 2));
    assert!((points[0].exposure_before - points[0].exposure_after - 18.0).abs() < 1e-9);
    assert!(points[0].reduction_hardened.unwrap() > 0.0);
    let tried = cutter.what_if(&[Change { action: Action::Remove, edge: "n8 -> n9".to_owned() }]).unwrap();
    assert!((tried.before - tried.after - 18.0).abs() < 1e-9);
    assert_eq!(tried.moved.iter().map(|moved| moved.label.as_str()).collect::<Vec<_>>(), ["n0", "n1", "n8"]);
    assert_eq!(
        cutter.what_if(&[Change { action: Action::Remove, edge: "n1 -> n2".to_owned() }]),
        Err("n1 -> n2".to_owned())
    );
}

#[test]
fn only_jobs_and_seen_secrets_count() {
    let mut graph = graph(4, &vec![(2, 3, 0)]);
    assert_eq!(cutter(&graph).points(&Weights::builtin()), []);
    graph.nodes[2].kind = "secret";
    let sighting = SecretSighting { secret_key: graph.nodes[2].key, ..SecretSighting::default() };
    let seen = Evidence { secret_sightings: vec![sighting], ..Evidence::default() };
    let points = Cutter::new(&seen, &graph, &Weights::builtin()).points(&Weights::builtin());
    assert_eq!(points.len(), 1);
    assert_eq!(points[0].reduction_alone, points[0].reduction);
}
