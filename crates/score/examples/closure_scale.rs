//! Measures the closure on a generated graph (bars G1 and G2; see `benches/graph.sh`).
//!
//! `closure_scale [--nodes N] [--edges N] [--community N] [--backward PER_MILLE]
//! [--inside PER_MILLE] [--draws K] [--targets T] [--check N] [--grow runs|local|spread]`
//!
//! Nodes are identities in communities; `--inside` of the arcs stay within. Arcs lead from lower
//! to higher numbers but for `--backward` of them, which close cycles. Costs are 0, 1 and 2
//! for 35, 40 and 25 %. One node in 250 weighs 100, one in 50 30, the others 1.
#![expect(clippy::print_stdout, reason = "it reports what it measured")]

use leakgraph_score::reach::{Closure, Csr, Growth, Plan, Radii, components, radii};
use std::time::Instant;

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u32) -> u32 {
        u32::try_from(self.next() % u64::from(bound.max(1))).unwrap_or(0)
    }
}

struct Shape {
    nodes: u32,
    edges: u32,
    community: u32,
    backward: u32,
    inside: u32,
}

type Arcs = Vec<(u32, u32, u8)>;

impl Shape {
    fn arc(&self, random: &mut Random, source: u32) -> (u32, u32, u8) {
        let first = source - source % self.community;
        let target = if random.below(1000) < self.inside {
            (first + random.below(self.community)).min(self.nodes - 1)
        } else {
            random.below(self.nodes)
        };
        let cost = match random.below(100) {
            0..35 => 0,
            35..75 => 1,
            _ => 2,
        };
        let (low, high) = (source.min(target), source.max(target));
        if random.below(1000) < self.backward { (high, low, cost) } else { (low, high, cost) }
    }

    fn arcs(&self, random: &mut Random) -> Arcs {
        (0..self.edges)
            .map(|_| {
                let source = random.below(self.nodes);
                self.arc(random, source)
            })
            .collect()
    }

    /// One arc in a hundred more. `runs`: ten from each of new nodes, as new runs bring
    /// them; `local`: among the members of every hundredth community; `spread`: anywhere.
    fn growth(&self, random: &mut Random, way: &str) -> (u32, Arcs) {
        let added = self.edges / 100;
        let new = if way == "runs" { added / 10 } else { 0 };
        let arcs = (0..added).map(|index| match way {
            "runs" => {
                let (_, target, cost) = self.arc(random, index % self.nodes);
                let source = self.nodes + index / 10 % new;
                // Of ten arcs one hands on to another new run.
                if index % 10 == 0 {
                    (source, self.nodes + random.below(new), cost)
                } else {
                    (source, target, cost)
                }
            }
            "local" => {
                let communities = (self.nodes / self.community / 100).max(1);
                let first = random.below(communities) * 100 * self.community;
                let source = (first + random.below(self.community)).min(self.nodes - 1);
                self.arc(random, source)
            }
            _ => {
                let source = random.below(self.nodes);
                self.arc(random, source)
            }
        });
        (new, arcs.collect())
    }
}

/// CPU seconds of all threads so far: the machine's other users leave no trace in them.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}

fn csr(nodes: u32, arcs: &[(u32, u32, u8)]) -> Csr {
    Csr::new(nodes as usize, (0u32..).zip(arcs).map(|(edge, (from, to, cost))| (*from, *to, *cost, edge)))
}

/// Bounded shortest paths from one node, which share no code with the closure.
fn searched(csr: &Csr, weights: &[f64], source: u32) -> f64 {
    let mut distance = vec![u8::MAX; csr.nodes()];
    let mut buckets = vec![Vec::new(); 5];
    distance[source as usize] = 0;
    buckets[0].push(source);
    let mut sum = 0.0;
    for level in 0..5u8 {
        while let Some(node) = buckets[usize::from(level)].pop() {
            if distance[node as usize] != level {
                continue;
            }
            for (target, cost, _) in csr.out(node) {
                let next = level + cost;
                if next < 5 && next < distance[*target as usize] {
                    distance[*target as usize] = next;
                    buckets[usize::from(next)].push(*target);
                }
            }
        }
    }
    for (found, weight) in distance.iter().zip(weights).filter(|(found, _)| **found < 5) {
        sum += weight / f64::from(1u32 << *found);
    }
    sum
}

fn check(csr: &Csr, weights: &[f64], found: &Radii, samples: u32) {
    let mut heavy: Vec<u32> = (0u32..).zip(weights).map(|(node, _)| node).collect();
    heavy.sort_by(|l, r| weights[*r as usize].total_cmp(&weights[*l as usize]).then(l.cmp(r)));
    heavy.truncate(Plan::default().targets);
    let mut top = vec![0.0; weights.len()];
    heavy.iter().for_each(|node| top[*node as usize] = weights[*node as usize]);
    let rest: Vec<f64> = weights.iter().zip(&top).map(|(all, top)| all - top).collect();
    let (mut wrong, mut squares, mut counted) = (0, 0.0, 0.0);
    let mut random = Random(7);
    for _ in 0..samples {
        let node = random.below(u32::try_from(weights.len()).unwrap_or(u32::MAX));
        let truth = searched(csr, &top, node);
        wrong += u32::from((truth - found.exact[node as usize]).abs() > 1e-6 * truth.max(1.0));
        let tail = searched(csr, &rest, node);
        if tail > 0.0 {
            let error = found.tail[node as usize] / tail - 1.0;
            (squares, counted) = (squares + error * error, counted + 1.0);
        }
    }
    let spread = if counted > 0.0 { f64::sqrt(squares / counted) } else { 0.0 };
    println!(
        "{samples} nodes searched one by one: {wrong} exact values differ; estimates are off by {:.1} % (root mean square), stated {:.1} %",
        100.0 * spread,
        100.0 * found.error
    );
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let text = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1).cloned()
    };
    let number = |name: &str, default: u32| text(name).and_then(|text| text.parse().ok()).unwrap_or(default);
    let shape = Shape {
        nodes: number("--nodes", 1_000_000),
        edges: number("--edges", 10_000_000),
        community: number("--community", 1_000),
        backward: number("--backward", 1),
        inside: number("--inside", 947),
    };
    let mut random = Random(1);
    let arcs = shape.arcs(&mut random);
    let weights: Vec<f64> = (0..shape.nodes)
        .map(|_| match random.below(500) {
            0..2 => 100.0,
            2..12 => 30.0,
            _ => 1.0,
        })
        .collect();
    let plan = Plan {
        targets: number("--targets", 4096) as usize,
        draws: number("--draws", 128) as usize,
        ..Plan::default()
    };
    let generated = cpu();
    let start = Instant::now();
    let graph = csr(shape.nodes, &arcs);
    let read = start.elapsed().as_secs_f64();
    println!("{} nodes, {} arcs, sorted in {read:.2} s", graph.nodes(), graph.arcs());
    let start = Instant::now();
    let (component, count) = components(&graph);
    let mut sizes = vec![0; count];
    component.iter().for_each(|c| sizes[*c as usize] += 1);
    println!("{:.2} s for components", start.elapsed().as_secs_f64());
    println!("{count} components without cost, the largest of {} nodes", sizes.iter().max().unwrap_or(&0));
    let start = Instant::now();
    if let Some(way) = text("--grow") {
        return grow(&shape, &mut random, (arcs, weights), &graph, &plan, &way);
    }
    let found = radii(&graph, &weights, u64::from, &plan);
    println!(
        "closed in {:.2} s, with all before {:.2} s and {:.2} CPU seconds; mean radius {:.0} exact, {:.0} estimated",
        start.elapsed().as_secs_f64(),
        start.elapsed().as_secs_f64() + read,
        cpu() - generated,
        found.exact.iter().sum::<f64>() / f64::from(shape.nodes),
        found.tail.iter().sum::<f64>() / f64::from(shape.nodes),
    );
    check(&graph, &weights, &found, number("--check", 40));
}

fn grow(
    shape: &Shape,
    random: &mut Random,
    (arcs, mut weights): (Arcs, Vec<f64>),
    graph: &Csr,
    plan: &Plan,
    way: &str,
) {
    let (start, before) = (Instant::now(), cpu());
    let mut closure = Closure::new(graph, &weights, u64::from, plan);
    let (full, full_cpu) = (start.elapsed().as_secs_f64(), cpu() - before);
    let old = closure.radii();
    println!("closed and kept in {full:.2} s, {full_cpu:.2} CPU seconds");
    let (new, more) = shape.growth(random, way);
    let added = vec![0.0; new as usize];
    let (start, before) = (Instant::now(), cpu());
    closure.grow(&Growth { weights: &added, arcs: &more }, u64::from);
    let found = closure.radii();
    let (grown, grown_cpu) = (start.elapsed().as_secs_f64(), cpu() - before);
    let changed = old.exact.iter().zip(&found.exact).filter(|(old, new)| old != new).count();
    println!(
        "{} arcs more ({way}) in {grown:.2} s, {grown_cpu:.2} CPU seconds: {:.1} % of the time, {:.1} % of the CPU; {:.1} % of the old nodes have another radius",
        more.len(),
        100.0 * grown / full,
        100.0 * grown_cpu / full_cpu,
        100.0 * changed as f64 / old.exact.len() as f64,
    );
    drop(closure);
    weights.extend(&added);
    let all: Arcs = arcs.into_iter().chain(more).collect();
    let (start, before) = (Instant::now(), cpu());
    let afresh = radii(&csr(shape.nodes + new, &all), &weights, u64::from, plan);
    println!("afresh, not kept: {:.2} s, {:.2} CPU seconds", start.elapsed().as_secs_f64(), cpu() - before);
    let off = |left: &[f64], right: &[f64]| {
        left.iter().zip(right).map(|(l, r)| (l - r).abs() / r.abs().max(1.0)).fold(0.0, f64::max)
    };
    println!(
        "largest relative difference to that: exact {:.0e}, estimated {:.0e}",
        off(&found.exact, &afresh.exact),
        off(&found.tail, &afresh.tail)
    );
}
