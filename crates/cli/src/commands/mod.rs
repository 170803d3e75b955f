//! One module per group of commands.

pub(crate) mod can;
mod choke;
pub(crate) mod cut;
pub(crate) mod explain;
pub(crate) mod export;
pub(crate) mod inspect;
pub(crate) mod known;
mod picture;
pub(crate) mod principal;
pub(crate) mod profile;
pub(crate) mod ranked;
pub(crate) mod recognise;
pub(crate) mod report;
pub(crate) mod rules;
pub(crate) mod run;
pub(crate) mod scan;
pub(crate) mod sql;

use crate::exit::Usage;
use leakgraph_engine::Config;
use leakgraph_lake::{Lake, Session};

/// A reader of the lake; a lake that is not there is the caller's mistake.
fn reader(config: &Config) -> anyhow::Result<Session> {
    if !config.lake.exists() {
        let text = format!(
            "there is no lake at {}\nhint: `leakgraph run [INPUTS…]` makes one; --lake names another folder",
            config.lake.display()
        );
        return Err(Usage(text).into());
    }
    Ok(leakgraph_engine::conclude::reader(&Lake::open(&config.lake)?)?)
}

/// A text as an SQL literal.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
