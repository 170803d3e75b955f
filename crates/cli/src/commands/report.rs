//! `report`: the HTML page.

use super::reader;
use crate::args::Report;
use crate::exit::Exit;
use crate::output;
use anyhow::Context;
use leakgraph_engine::Config;
use leakgraph_lake::Session;
use std::path::Path;

pub(crate) fn report(config: &Config, args: &Report) -> anyhow::Result<Exit> {
    write(&reader(config)?, &args.output)?;
    Ok(Exit::Clean)
}

/// Renders the page and puts it in place in one step, so that a reader never sees half of it.
pub(crate) fn write(session: &Session, path: &Path) -> anyhow::Result<()> {
    let html = leakgraph_report::html(&|sql| session.query(sql).map_err(|error| error.to_string()))?;
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let context = || format!("cannot write {}", path.display());
    let mut file = tempfile::NamedTempFile::new_in(folder).with_context(context)?;
    std::io::Write::write_all(&mut file, html.as_bytes()).with_context(context)?;
    file.as_file().sync_all().with_context(context)?;
    file.persist(path).with_context(context)?;
    output::line(&format!("Report: {}", path.display()))
}
