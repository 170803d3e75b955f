//! `cut`: choke points, and with `--policy` the least privilege of an identity.

use super::{choke, principal, ranked, reader};
use crate::args::Cut;
use crate::exit::{Exit, Usage};
use crate::output;
use anyhow::Context;
use leakgraph_engine::Config;
use leakgraph_policy::{Coverage, Trimmed, Used, least_privilege};

pub(crate) fn cut(config: &Config, args: &Cut) -> anyhow::Result<Exit> {
    match &args.policy {
        Some(identity) => policy(config, args, identity),
        None if args.remove.is_empty() && args.harden.is_empty() => {
            ranked::show(config, &args.rows, ranked::choke_points)
        }
        None => choke::what_if(config, &args.remove, &args.harden),
    }
}

/// Documents go to stdout, or with `--output` to files and the reasons to stdout.
fn policy(config: &Config, args: &Cut, identity: &str) -> anyhow::Result<Exit> {
    let session = reader(config)?;
    let identity = principal::find(&session, identity)?;
    let grants = principal::grants(&session, &identity)?;
    let activity = principal::uses(&session, &identity)?;
    let used: Vec<Used<'_>> =
        activity.iter().map(|row| Used { action: &row.action, resource: row.resource.as_deref() }).collect();
    let coverage = Coverage { data_events: principal::has_data_events(&session, &identity)? };
    let trimmed = least_privilege(&identity, &grants, &used, coverage)
        .map_err(|error| Usage(format!("{}: {error}", identity.native_id)))?;
    for note in &trimmed.notes {
        tracing::warn!("{note}");
    }
    match &args.output {
        None => {
            for document in &trimmed.documents {
                output::line(document.text.trim_end())?;
            }
        }
        Some(folder) => {
            std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
            for document in &trimmed.documents {
                let path = folder.join(&document.name);
                std::fs::write(&path, &document.text)
                    .with_context(|| format!("cannot write {}", path.display()))?;
                output::line(&format!("Wrote {}", path.display()))?;
            }
            tell(&trimmed)?;
        }
    }
    Ok(Exit::Clean)
}

fn tell(trimmed: &Trimmed) -> anyhow::Result<()> {
    output::line(&format!("{} actions fall away.", trimmed.removed.len()))?;
    for row in &trimmed.allowance {
        output::line(&format!("Kept unseen: {} ({})", row.action, row.because))?;
    }
    Ok(())
}
