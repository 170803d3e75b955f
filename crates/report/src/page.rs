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
    environment.add_filter("resource", resource);
    environment.add_filter("account", account);
    environment.add_filter("count", count);
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

/// Of an ARN the part that names the resource; other names as they are.
fn resource(value: Value) -> String {
    let text = value.to_string();
    text.strip_prefix("arn:").and_then(|arn| arn.splitn(5, ':').nth(4)).unwrap_or(&text).to_owned()
}

/// The account of an ARN; empty for other names.
fn account(value: Value) -> String {
    value
        .to_string()
        .strip_prefix("arn:")
        .and_then(|arn| arn.split(':').nth(3))
        .unwrap_or_default()
        .to_owned()
}

/// A number with what it counts: one of it, or several.
fn count(value: Value, one: String, many: String) -> String {
    let what = if i64::try_from(value.clone()).is_ok_and(|number| number == 1) { one } else { many };
    format!("{value} {what}")
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
        assert_eq!(resource(Value::from("arn:aws:iam::1:role/a:b")), "role/a:b");
        assert_eq!(resource(Value::from("app:x")), "app:x");
        assert_eq!(account(Value::from("arn:aws:iam::123456789012:role/a")), "123456789012");
        assert_eq!(account(Value::from("app:x")), "");
        let secrets = |number: i64| count(Value::from(number), "secret".to_owned(), "secrets".to_owned());
        assert_eq!((secrets(1), secrets(2)), ("1 secret".to_owned(), "2 secrets".to_owned()));
    }
}
