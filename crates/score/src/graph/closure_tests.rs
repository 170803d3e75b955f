//! The closure against brute force, its estimates against the exact answer, and growth
//! against a closure from scratch.

use super::super::growth::{Closure, Growth};
use super::super::reach::Search;
use super::super::{Edge, Graph, Node, View, scale};
use super::*;
use leakgraph_model::Key;
use proptest::prelude::*;

type Arcs = Vec<(usize, usize, u8)>;

fn graph(weights: &[u8], edges: &Arcs) -> Graph {
    let nodes = weights.iter().enumerate().map(|(index, weight)| Node {
        key: Key::of("node", &[&index.to_string()]),
        label: format!("n{index}"),
        kind: "resource",
        weight: f64::from(*weight),
        class: None,
    });
    let edges = edges.iter().map(|(source, target, cost)| Edge {
        source: u32::try_from(source % weights.len()).unwrap(),
        target: u32::try_from(target % weights.len()).unwrap(),
        kind: "permission",
        cost: *cost,
        unproven: 0,
        observed: true,
        unknown: false,
        evidence: None,
    });
    Graph { nodes: nodes.collect(), edges: edges.collect() }
}

fn exact() -> Plan {
    Plan::default()
}

/// Everything but the `targets` heaviest is estimated.
fn sketched(targets: usize, draws: usize) -> Plan {
    Plan { exact_nodes: 0, targets, draws, ..Plan::default() }
}

fn all(graph: &Graph, plan: &Plan) -> Radii {
    radii(&graph.view(View::Central, plan.max_cost), &graph.weights(), |node| graph.seed(node), plan)
}

/// Bellman-Ford over the edge list: shares no code with the algorithms.
fn brute(graph: &Graph, source: usize) -> f64 {
    let mut distance = vec![u32::MAX; graph.nodes.len()];
    distance[source] = 0;
    for _ in 0..graph.nodes.len() {
        for edge in &graph.edges {
            let from = distance[edge.source as usize];
            if from != u32::MAX {
                let to = &mut distance[edge.target as usize];
                *to = (*to).min(from + u32::from(edge.cost));
            }
        }
    }
    let near = distance.iter().zip(&graph.nodes).filter(|(d, _)| **d <= 4);
    near.map(|(d, node)| node.weight / f64::from(1u32 << *d)).sum()
}

fn edges() -> impl Strategy<Value = Arcs> {
    prop::collection::vec((0usize..40, 0usize..40, 0u8..4), 0..90)
}

fn weights() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(0u8..100, 1..40)
}

fn same(left: &Radii, right: &Radii) -> bool {
    let near = |left: &[f64], right: &[f64]| {
        left.len() == right.len()
            && left.iter().zip(right).all(|(l, r)| (l - r).abs() <= 1e-6 * r.abs().max(1.0))
    };
    near(&left.exact, &right.exact) && near(&left.tail, &right.tail)
}

/// A closure of the graph, and the same with `more` added.
fn grown(weights: &[u8], edges: &Arcs, new: &[u8], more: &Arcs, plan: &Plan) -> (Radii, Radii) {
    let mut wide = weights.to_vec();
    wide.extend(new);
    let whole = graph(
        &wide,
        &edges
            .iter()
            .map(|(s, t, q)| (s % weights.len(), t % weights.len(), *q))
            .chain(more.iter().copied())
            .collect(),
    );
    let start = graph(weights, edges);
    let mut closure =
        Closure::new(&start.view(View::Central, plan.max_cost), &start.weights(), |n| whole.seed(n), plan);
    let arcs: Vec<(u32, u32, u8)> =
        whole.edges[edges.len()..].iter().map(|edge| (edge.source, edge.target, edge.cost)).collect();
    let added: Vec<f64> = new.iter().copied().map(f64::from).collect();
    // In two steps, the second of which finds arcs of the first.
    let half = arcs.len() / 2;
    closure.grow(&Growth { weights: &added, arcs: &arcs[..half] }, |n| whole.seed(n));
    closure.grow(&Growth { weights: &[], arcs: &arcs[half..] }, |n| whole.seed(n));
    (closure.radii(), all(&whole, plan))
}

proptest! {
    #[test]
    fn both_algorithms_equal_brute_force(weights in weights(), edges in edges()) {
        let graph = graph(&weights, &edges);
        let csr = graph.view(View::Central, 4);
        let closure = all(&graph, &exact());
        let mut search = Search::new(graph.nodes.len(), 4);
        for index in 0..graph.nodes.len() {
            let expected = brute(&graph, index);
            let node = u32::try_from(index).unwrap();
            search.run(&csr, &[node], |_| false);
            prop_assert!((closure.of(node) - expected).abs() < 1e-9);
            prop_assert!((search.radius(&graph) - expected).abs() < 1e-9);
        }
    }

    #[test]
    fn a_check_never_raises_and_an_edge_never_lowers(
        weights in weights(), edges in edges(), extra in (0usize..40, 0usize..40, 0u8..4), which in 0usize..90, estimate in any::<bool>(),
    ) {
        let plan = if estimate { sketched(3, 16) } else { exact() };
        let before = all(&graph(&weights, &edges), &plan);
        let mut checked = edges.clone();
        if let Some(edge) = checked.get_mut(which) {
            edge.2 += 1;
        }
        let mut longer = edges;
        longer.push(extra);
        let (checked, longer) = (all(&graph(&weights, &checked), &plan), all(&graph(&weights, &longer), &plan));
        for node in (0u32..).take(weights.len()) {
            prop_assert!(checked.of(node) <= before.of(node) * (1.0 + 1e-6) + 1e-9);
            prop_assert!(longer.of(node) * (1.0 + 1e-6) + 1e-9 >= before.of(node));
        }
    }

    #[test]
    fn order_of_edges_does_not_matter(weights in weights(), edges in edges()) {
        let mut reversed = edges.clone();
        reversed.reverse();
        for plan in [exact(), sketched(3, 16)] {
            prop_assert_eq!(all(&graph(&weights, &edges), &plan), all(&graph(&weights, &reversed), &plan));
        }
    }

    #[test]
    fn growing_equals_starting_afresh(
        weights in weights(), edges in edges(), new in prop::collection::vec(0u8..100, 0..5), more in edges(), estimate in any::<bool>(),
    ) {
        // Of an estimated closure new targets are estimated, however heavy they are.
        let (plan, new) = if estimate { (sketched(0, 16), new) } else { (exact(), new) };
        prop_assume!(!estimate || weights.iter().any(|weight| *weight > 0));
        let (grown, afresh) = grown(&weights, &edges, &new, &more, &plan);
        prop_assert!(same(&grown, &afresh), "{:?} {:?}", grown, afresh);
    }
}

/// A random graph that is the same on every run.
fn scattered(seed: u64, nodes: usize) -> Graph {
    let mut state = seed;
    let mut next = move |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below
    };
    let weights: Vec<u8> = (0..nodes).map(|_| [0, 1, 1, 10, 30][next(5)]).collect();
    let edges = (0..nodes * 2).map(|_| (next(nodes), next(nodes), u8::try_from(next(3)).unwrap())).collect();
    let mut graph = graph(&weights, &edges);
    for (index, node) in graph.nodes.iter_mut().enumerate() {
        node.key = Key::of("node", &[&seed.to_string(), &index.to_string()]);
    }
    graph
}

#[test]
fn estimates_agree_with_the_exact_answer_within_the_stated_error() {
    let plan = sketched(64, 64);
    let (mut squares, mut bias, mut graphs) = (0.0, 0.0, 0.0);
    for seed in 0..60 {
        let graph = scattered(seed, 1500);
        let (truth, found) = (all(&graph, &exact()), all(&graph, &plan));
        assert_eq!((truth.error, found.error), (0.0, plan.error()));
        // Draws are shared by all nodes of a graph: one node of each is a sample.
        let node = (0..1500).max_by(|a, b| found.tail[*a].total_cmp(&found.tail[*b])).unwrap();
        let node = if seed % 2 == 0 { 7 } else { node };
        let rest = truth.exact[node] - found.exact[node];
        if rest < 1e-9 {
            assert_eq!(found.tail[node], 0.0);
            continue;
        }
        let error = found.tail[node] / rest - 1.0;
        assert!(error.abs() < 5.0 * plan.error(), "graph {seed}: {error}");
        (squares, bias, graphs) = (squares + error * error, bias + error, graphs + 1.0);
    }
    let (spread, bias) = (f64::sqrt(squares / graphs), bias / graphs);
    assert!(graphs >= 40.0 && spread < 1.35 * plan.error(), "{graphs} {spread}");
    assert!(bias.abs() < 3.0 * plan.error() / graphs.sqrt(), "{bias}");
}

#[test]
fn a_path_beyond_one_batch_of_targets_is_counted() {
    let chain: Arcs = (0..1300).map(|i| (i, i + 1, 0)).collect();
    let graph = graph(&vec![1; 1301], &chain);
    assert!((all(&graph, &exact()).of(0) - 1301.0).abs() < 1e-9);
    assert!((scale(1301.0, graph.total()) - 100.0).abs() < 1e-9);
    assert_eq!(scale(0.0, 0.0), 0.0);
}
