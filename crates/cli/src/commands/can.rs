//! `can`: whether an identity may do something, and which statements say so.

use super::{principal, reader};
use crate::args::{Can, Format};
use crate::exit::Exit;
use crate::output;
use arrow::array::{ArrayRef, RecordBatch, StringArray};
use leakgraph_engine::Config;
use leakgraph_policy::{Deciding, explain};
use std::sync::Arc;

/// The answer is on stdout; the exit code does not tell it.
pub(crate) fn can(config: &Config, args: &Can) -> anyhow::Result<Exit> {
    let session = reader(config)?;
    let identity = principal::find(&session, &args.principal)?;
    let grants = principal::grants(&session, &identity)?;
    let answer = explain(identity.identity_key, &identity.platform, &grants, &args.action, &args.resource);
    match args.format {
        Format::Json | Format::Ndjson => output::line(&serde_json::to_string(&answer)?)?,
        Format::Table => {
            output::line(answer.decision.as_str())?;
            if !answer.statements.is_empty() {
                output::rows(&[batch(&answer.statements)?], args.format)?;
            }
            for note in &answer.notes {
                output::line(&format!("Note: {note}."))?;
            }
        }
        Format::Csv => output::rows(&[batch(&answer.statements)?], args.format)?,
    }
    Ok(Exit::Clean)
}

fn batch(statements: &[Deciding]) -> anyhow::Result<RecordBatch> {
    let column = |of: &dyn Fn(&Deciding) -> String| -> ArrayRef {
        let text = |row| Some(of(row)).filter(|text| !text.is_empty());
        Arc::new(statements.iter().map(text).collect::<StringArray>())
    };
    let columns = [
        ("applies", column(&|row| row.applies.as_str().to_owned())),
        ("effect", column(&|row| row.effect.clone())),
        ("kind", column(&|row| row.policy_kind.clone())),
        ("policy", column(&|row| row.policy.clone())),
        ("statement", column(&|row| row.statement.clone())),
        ("level", column(&|row| row.level.clone().unwrap_or_default())),
        ("because", column(&|row| row.because.join("; "))),
    ];
    let columns = columns.into_iter().map(|(name, column)| (name, column, true));
    Ok(RecordBatch::try_from_iter_with_nullable(columns)?)
}
