//! The guard that lets only questions through.

use datafusion::logical_expr::{DdlStatement, LogicalPlan};
use datafusion::prelude::SQLOptions;

/// Options that refuse everything that writes or changes the session.
pub(crate) fn options() -> SQLOptions {
    SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false)
}

/// A second look at the plan, independent of the options: no write hides in EXPLAIN.
pub(crate) fn is_question(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Ddl(DdlStatement::CreateExternalTable(_) | _)
        | LogicalPlan::Dml(_)
        | LogicalPlan::Copy(_)
        | LogicalPlan::Statement(_) => false,
        LogicalPlan::Explain(explain) => is_question(&explain.plan),
        LogicalPlan::Analyze(analyze) => is_question(&analyze.input),
        _ => true,
    }
}
