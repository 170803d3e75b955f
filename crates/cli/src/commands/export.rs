//! `export`: the reach graph in the forms of other tools.

use super::{picture, reader};
use crate::args::{Export, Graph};
use crate::exit::{Exit, Usage};
use crate::output;
use anyhow::Context;
use leakgraph_engine::Config;
use leakgraph_score::export::{Neighbourhood, dot, graphml, opengraph, svg};

pub(crate) fn export(config: &Config, args: &Export) -> anyhow::Result<Exit> {
    if args.graph == Graph::Svg && args.around.is_none() {
        return Err(
            Usage("a picture of everything shows nothing: name a node with --around".to_owned()).into()
        );
    }
    let edges = picture::edges(&reader(config)?)?;
    let part = match &args.around {
        Some(node) => Neighbourhood::around(&edges, node, args.steps, args.most),
        None => Neighbourhood::of(&edges),
    };
    if let (Some(node), true) = (&args.around, part.nodes.is_empty()) {
        let hint = "`leakgraph sql -c 'SELECT DISTINCT source FROM reach_edges'` shows the nodes";
        return Err(Usage(format!("no node of the graph is called {node:?}\nhint: {hint}")).into());
    }
    let text = match args.graph {
        Graph::Dot => dot(&part),
        Graph::Graphml => graphml(&part),
        Graph::Opengraph => opengraph(&part),
        Graph::Svg => svg(&part),
    };
    match &args.output {
        None => output::line(text.trim_end())?,
        Some(path) => {
            std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
            output::line(&format!(
                "Wrote {} nodes and {} edges to {}",
                part.nodes.len(),
                part.edges.len(),
                path.display()
            ))?;
        }
    }
    Ok(Exit::Clean)
}
