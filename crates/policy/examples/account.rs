//! Effective permissions, ways up and granted risk of every principal of an AWS account.
//!
//! usage: account GAAD.json [--read|--edges] — one line of totals; `--read` only reads, `--edges`
//! also finds who can assume which role. `benches/privilege.sh` measures it.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a measuring tool prints")]

use leakgraph_ingest::{Limits, TextContext, TextSink, discover, link, read};
use leakgraph_model::{Evidence, Key};
use leakgraph_policy::{Catalog, Class, Decision, Effective, assume_edges, effective, escalations};
use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Instant;

/// Nothing of an inventory is scanned here.
struct Nowhere;

impl TextSink for Nowhere {
    fn text(&mut self, _context: &TextContext, _bytes: &[u8]) {}

    fn fingerprint(&mut self, _value: &[u8]) -> Option<String> {
        None
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let paths: Vec<PathBuf> =
        arguments.iter().filter(|argument| !argument.starts_with("--")).map(PathBuf::from).collect();
    let started = Instant::now();
    let evidence = inventory(&paths);
    eprintln!("read {:.2} s, {} grants", started.elapsed().as_secs_f64(), evidence.grants.len());
    if arguments.iter().any(|argument| argument == "--read") {
        return;
    }
    let effective = effective(&evidence.identities, &evidence.grants);
    eprintln!("effective {:.2} s", started.elapsed().as_secs_f64());
    let ways = escalations(&effective, &evidence.identities, &evidence.grants, &evidence.trusts);
    let mut sure: HashMap<Key, usize> = HashMap::new();
    for way in ways.iter().filter(|way| way.decision == Decision::Yes) {
        *sure.entry(way.identity_key).or_default() += 1;
    }
    eprintln!("ways up {:.2} s", started.elapsed().as_secs_f64());
    let risks: Vec<f64> = effective
        .iter()
        .map(|row| granted_risk(row, sure.get(&row.identity_key).copied().unwrap_or(0)))
        .collect();
    eprintln!("risk {:.2} s", started.elapsed().as_secs_f64());
    let high = risks.iter().filter(|risk| **risk >= 67.0).count();
    let edges = if arguments.iter().any(|argument| argument == "--edges") {
        assume_edges(&evidence.identities, &evidence.grants, &evidence.trusts).len()
    } else {
        0
    };
    println!(
        "{} principals, {} with a sure way up, {high} of high granted risk, {} ways, {edges} edges, {:.2} s",
        effective.len(),
        sure.len(),
        ways.len(),
        started.elapsed().as_secs_f64()
    );
}

fn inventory(paths: &[PathBuf]) -> Evidence {
    let limits = Limits::default();
    let (items, _) = discover(paths, &limits);
    let mut evidence = Evidence::default();
    for item in &items {
        evidence.append(read(item, &limits, &mut Nowhere));
    }
    link(&mut evidence);
    evidence
}

/// The noisy-or of docs/scores.md over what is granted, with the built-in weights.
fn granted_risk(effective: &Effective, sure_ways: usize) -> f64 {
    const CEILINGS: [f64; 8] = [0.95, 0.80, 0.70, 0.50, 0.40, 0.15, 0.10, 0.05];
    const SATURATIONS: [f64; 8] = [0.5, 2.0, 5.0, 5.0, 50.0, 200.0, 50.0, 400.0];
    let catalog = Catalog::get();
    let mut masses = [0.0_f64; 8];
    for id in &effective.must {
        let class = catalog.action(id).class;
        let class = if class == Class::Esc { Class::Perm } else { class };
        let factor = |of: Option<f32>| of.map_or(1.0, f64::from);
        let extent =
            factor(effective.breadth.get(&id).copied()) * factor(effective.condition.get(&id).copied());
        if let Some(mass) =
            Class::ALL.iter().position(|other| *other == class).and_then(|place| masses.get_mut(place))
        {
            *mass += extent;
        }
    }
    masses[0] += sure_ways as f64;
    let terms = masses.iter().zip(CEILINGS).zip(SATURATIONS);
    let left: f64 = terms
        .map(|((mass, ceiling), saturation)| 1.0 - ceiling * (1.0 - (-mass / saturation).exp()))
        .product();
    100.0 * (1.0 - left)
}
