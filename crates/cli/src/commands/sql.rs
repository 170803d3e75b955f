//! `sql`: read-only questions to the lake.

use super::reader;
use crate::args::Sql;
use crate::exit::{Exit, Usage};
use crate::output;
use anyhow::Context;
use leakgraph_engine::Config;
use std::io::Read;

pub(crate) fn sql(config: &Config, args: &Sql) -> anyhow::Result<Exit> {
    let text = match (&args.command, &args.file) {
        (Some(text), _) => text.clone(),
        (None, Some(path)) => {
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?
        }
        (None, None) => {
            let mut text = String::new();
            std::io::stdin().lock().read_to_string(&mut text)?;
            text
        }
    };
    let text = text.trim().trim_end_matches(';');
    if text.is_empty() {
        return Err(Usage("no query: give -c SQL, -f FILE or a query on stdin".to_owned()).into());
    }
    output::rows(&reader(config)?.query(text)?, args.format)?;
    Ok(Exit::Clean)
}
