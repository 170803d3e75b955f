//! `rules`: what is looked for.

use crate::args::{Format, Rules};
use crate::exit::{Exit, Usage};
use crate::output;
use arrow::array::{ArrayRef, RecordBatch, StringArray};
use leakgraph_engine::{Config, Detection};
use leakgraph_scan::Rule;
use leakgraph_scan::user_rules::{self, Level};
use std::path::PathBuf;
use std::sync::Arc;

pub(crate) fn rules(config: &Config, command: &Rules) -> anyhow::Result<Exit> {
    match command {
        Rules::List { provider, format, detect } => {
            list(&load(&detect.merged(config))?, provider.as_deref(), *format)
        }
        Rules::Show { id, detect } => show(&load(&detect.merged(config))?, id),
        Rules::Profile { inputs, top, format, detect } => {
            super::profile::profile(&detect.merged(config), inputs, *top, *format)
        }
        Rules::Check { files } => check(files),
    }
}

fn load(config: &Config) -> anyhow::Result<Vec<Rule>> {
    Ok(Detection::load_detached(config)?.scanner().rules().rules().to_vec())
}

fn list(rules: &[Rule], provider: Option<&str>, format: Format) -> anyhow::Result<Exit> {
    let mut shown: Vec<&Rule> =
        rules.iter().filter(|rule| provider.is_none_or(|wanted| rule.provider == wanted)).collect();
    if let Some(wanted) = provider.filter(|_| shown.is_empty()) {
        return Err(Usage(format!("no rule is of provider {wanted:?}\nhint: `leakgraph rules list`")).into());
    }
    shown.sort_by(|a, b| (&a.provider, &a.id).cmp(&(&b.provider, &b.id)));
    let column = |of: &dyn Fn(&Rule) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(shown.iter().map(|rule| of(rule))))
    };
    let batch = RecordBatch::try_from_iter([
        ("id", column(&|rule| rule.id.clone())),
        ("provider", column(&|rule| rule.provider.clone())),
        ("kind", column(&|rule| rule.kind.clone())),
        ("severity", column(&|rule| rule.severity.to_string())),
        ("lifetime", column(&|rule| rule.lifetime.clone())),
        ("check", column(&|rule| rule.check.clone().unwrap_or_default())),
        ("docs", column(&|rule| rule.docs.clone())),
    ])?;
    output::rows(&[batch], format)?;
    Ok(Exit::Clean)
}

fn show(rules: &[Rule], id: &str) -> anyhow::Result<Exit> {
    let Some(rule) = rules.iter().find(|rule| rule.id == id) else {
        let near: Vec<&str> =
            rules.iter().map(|rule| rule.id.as_str()).filter(|other| other.contains(id)).collect();
        let hint =
            if near.is_empty() { "`leakgraph rules list` names them".to_owned() } else { near.join(", ") };
        return Err(Usage(format!("no rule is called {id:?}\nhint: {hint}")).into());
    };
    for (title, value) in [
        ("id", rule.id.clone()),
        ("provider", rule.provider.clone()),
        ("kind", rule.kind.clone()),
        ("severity", rule.severity.to_string()),
        ("lifetime", rule.lifetime.clone()),
        ("keywords", rule.keywords.join(" ")),
        ("pattern", rule.pattern.clone()),
        ("names", rule.context.join(" ")),
        ("check", rule.check.clone().unwrap_or_default()),
        ("resolver", rule.resolver.clone()),
        ("docs", rule.docs.clone()),
    ] {
        if !value.is_empty() {
            output::line(&format!("{title:<9} {value}"))?;
        }
    }
    Ok(Exit::Clean)
}

/// Prints every remark; exit code 2 if a file is refused.
fn check(files: &[PathBuf]) -> anyhow::Result<Exit> {
    let mut is_refused = false;
    for file in files {
        for remark in user_rules::check(file) {
            output::line(&remark.to_string())?;
            is_refused |= remark.level == Level::Error;
        }
    }
    Ok(if is_refused { Exit::Usage } else { Exit::Clean })
}
