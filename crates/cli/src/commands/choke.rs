//! What a cut would change.

use crate::exit::{Exit, Usage};
use crate::output;
use leakgraph_engine::Config;
use leakgraph_score::{Action, Change};

/// Nodes that are listed of those whose reach moves.
const MOST: usize = 20;

/// Shows what removing and hardening edges would change: `cut --remove EDGE --harden EDGE`.
pub(crate) fn what_if(config: &Config, remove: &[String], harden: &[String]) -> anyhow::Result<Exit> {
    let change = |action: Action| move |edge: &String| Change { action, edge: edge.clone() };
    let changes: Vec<Change> =
        remove.iter().map(change(Action::Remove)).chain(harden.iter().map(change(Action::Harden))).collect();
    let found = match leakgraph_engine::conclude::what_if(config, &changes) {
        Err(leakgraph_engine::Error::Score(error @ leakgraph_score::Error::Edge(_))) => {
            return Err(Usage(format!("{error}\nhint: `leakgraph cut` shows the keys")).into());
        }
        found => found?,
    };
    for edge in &found.changed {
        output::line(&format!("changed  {edge}"))?;
    }
    let percent = if found.before > 0.0 { 100.0 * (found.before - found.after) / found.before } else { 0.0 };
    output::line(&format!(
        "total exposure {:.1} -> {:.1} ({percent:.1} % less); {} nodes reach less",
        found.before,
        found.after,
        found.moved.len()
    ))?;
    // Runs of one job reach the same.
    let mut lines: Vec<(String, usize)> = Vec::new();
    for moved in &found.moved {
        let line = format!("{:5.1} -> {:5.1}  {} {}", moved.before, moved.after, moved.kind, moved.label);
        match lines.iter_mut().find(|(known, _)| *known == line) {
            Some((_, count)) => *count += 1,
            None => lines.push((line, 1)),
        }
    }
    for (line, count) in lines.iter().take(MOST) {
        let times = if *count > 1 { format!("  ({count} of them)") } else { String::new() };
        output::line(&format!("  {line}{times}"))?;
    }
    if lines.len() > MOST {
        output::line(&format!("  ... and {} more", lines.len() - MOST))?;
    }
    Ok(Exit::Clean)
}
