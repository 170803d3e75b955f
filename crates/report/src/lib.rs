//! The report: what the lake knows, as one self-contained HTML page.
//!
//! Architecture invariant: the page is made of query results only. Everything it
//! says can be asked again with `leakgraph sql`.

mod page;
mod path;
mod queries;
pub mod ranking;

use arrow_array::RecordBatch;

/// How the report asks the lake: one SQL text in, rows or a message out.
pub type Query<'a> = dyn Fn(&str) -> Result<Vec<RecordBatch>, String> + 'a;

/// The page could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A query of the report failed.
    #[error("the report's query for {section} failed: {message}")]
    Query {
        /// Section of the page.
        section: &'static str,
        /// What the lake said.
        message: String,
    },
    /// Rows could not be turned into text.
    #[error("cannot read rows of {section}")]
    Rows {
        /// Section of the page.
        section: &'static str,
        /// Why.
        #[source]
        source: arrow_schema::ArrowError,
    },
    /// Rows could not be read back.
    #[error("cannot read rows of {section}")]
    Json {
        /// Section of the page.
        section: &'static str,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The template failed.
    #[error("cannot render the report")]
    Render(#[from] minijinja::Error),
}

/// Renders the report as one HTML document without external references.
///
/// # Errors
/// A query or the template fails.
pub fn html(query: &Query<'_>) -> Result<String, Error> {
    page::render(query)
}

/// A path as a picture of its own, `labels` from the first to the last node.
pub fn path_svg(labels: &[String]) -> String {
    path::standalone(labels)
}
