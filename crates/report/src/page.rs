//! Rows to page.

use crate::path;
use crate::queries::sections;
use crate::{Error, Query};
use arrow_array::RecordBatch;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value};
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;

const TEMPLATE: &str = include_str!("../../../reports/report.html");

pub(crate) fn render(query: &Query<'_>) -> Result<String, Error> {
    let mut context = BTreeMap::new();
    for (section, sql) in sections() {
        let batches = query(&sql).map_err(|message| Error::Query { section, message })?;
        context.insert(section.to_owned(), rows(section, &batches)?);
    }
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Chainable);
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.add_filter("score", score);
    environment.add_filter("last", last);
    environment.add_filter("path", |value: Value| Value::from_safe_string(path::svg(&strings(&value))));
    environment.add_template("report.html", TEMPLATE)?;
    Ok(environment.get_template("report.html")?.render(context)?)
}

/// Rows as JSON objects; absent members are nulls.
fn rows(section: &'static str, batches: &[RecordBatch]) -> Result<Vec<Map<String, Json>>, Error> {
    let mut writer = arrow_json::ArrayWriter::new(Vec::new());
    let fail = |source| Error::Rows { section, source };
    for batch in batches {
        writer.write(batch).map_err(fail)?;
    }
    writer.finish().map_err(fail)?;
    let text = writer.into_inner();
    if text.is_empty() {
        return Ok(Vec::new());
    }
    serde_json::from_slice(&text).map_err(|source| Error::Json { section, source })
}

/// A score with one decimal; a dash where it is unknown.
fn score(value: Value) -> String {
    f64::try_from(value).map_or_else(|_| "–".to_owned(), |number| format!("{number:.1}"))
}

/// The last `count` path components of a long path or ARN, so that tables stay readable.
fn last(value: Value, count: usize) -> String {
    let text = value.to_string();
    let parts: Vec<&str> = text.split('/').collect();
    match parts.len() > count {
        true => format!("…/{}", parts[parts.len() - count..].join("/")),
        false => text,
    }
}

fn strings(value: &Value) -> Vec<String> {
    value.try_iter().map(|items| items.map(|item| item.to_string()).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_lake_still_gives_a_page() {
        let page = render(&|_| Ok(Vec::new())).unwrap();
        assert!(page.contains("<!doctype html>"));
        assert!(!page.contains("http"), "the page must not refer to the network");
    }

    #[test]
    fn unknown_scores_are_dashes() {
        assert_eq!(score(Value::from(())), "–");
        assert_eq!(score(Value::from(12.345)), "12.3");
        assert_eq!(last(Value::from("a/b/c/d"), 2), "…/c/d");
    }
}
