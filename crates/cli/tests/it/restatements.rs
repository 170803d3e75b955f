//! Every numeric score, computed anew in SQL from the tables it rests on, row by row.
//!
//! A file of `queries/restatements/` names its table and key; every other column that it gives
//! must equal the column of that name. Numbers may differ by 1e-9 of the larger one, and of 1
//! where both are smaller: sums are not made in the same order.

use crate::{demo, leakgraph, stdout};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

type Row = Map<String, Value>;

struct Restatement {
    name: String,
    sql: String,
}

impl Restatement {
    fn all() -> Vec<Self> {
        let folder = std::fs::canonicalize("../../queries/restatements").expect("the restatements");
        let mut all: Vec<Self> = std::fs::read_dir(folder)
            .expect("the folder")
            .map(|entry| {
                let path = entry.expect("an entry").path();
                let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
                Self { sql: std::fs::read_to_string(path).expect("text"), name }
            })
            .collect();
        all.sort_by(|left, right| left.name.cmp(&right.name));
        all
    }

    fn front(&self, key: &str) -> Option<&str> {
        let head = format!("-- {key}: ");
        self.sql.lines().find_map(|line| line.strip_prefix(head.as_str()))
    }

    /// Columns that it restates: all but the key. Each is one of the table.
    fn columns(&self) -> Vec<String> {
        let header = |sql: &str| {
            let sql = format!("-c=SELECT * FROM ({sql}\n) LIMIT 0");
            let text = stdout(leakgraph(&demo().lake()).args(["sql", "--format", "csv"]).arg(sql), 0);
            text.lines().next().expect("a header").split(',').map(str::to_owned).collect::<Vec<_>>()
        };
        let of_table = header(&format!("SELECT * FROM {}", self.front("table").expect("a table")));
        let mut columns = header(&self.sql);
        assert!(columns.iter().all(|column| of_table.contains(column)), "{}: {columns:?}", self.name);
        let key: Vec<&str> = self.front("key").expect("a key").split(", ").collect();
        columns.retain(|column| !key.contains(&column.as_str()));
        assert!(!columns.is_empty(), "{} restates nothing", self.name);
        columns
    }

    /// Rows of a query by the key.
    fn rows(&self, sql: &str) -> BTreeMap<String, Row> {
        let key: Vec<&str> = self.front("key").expect("a key").split(", ").collect();
        let text =
            stdout(leakgraph(&demo().lake()).args(["sql", "--format", "ndjson"]).arg(format!("-c={sql}")), 0);
        let mut rows = BTreeMap::new();
        for line in text.lines() {
            let mut row: Row = serde_json::from_str(line).expect("one JSON object a line");
            let key: Vec<Value> = key.iter().map(|name| row.remove(*name).unwrap_or_default()).collect();
            let key = Value::Array(key).to_string();
            assert_eq!(rows.insert(key.clone(), row), None, "{}: two rows for {key}", self.name);
        }
        rows
    }
}

fn is_equal(left: &Value, right: &Value) -> bool {
    match (left.as_f64(), right.as_f64()) {
        (Some(left), Some(right)) => (left - right).abs() <= 1e-9 * left.abs().max(right.abs()).max(1.0),
        _ => left == right,
    }
}

/// What is not equal, as text.
fn differences(restatement: &Restatement) -> Vec<String> {
    let table = restatement.front("table").expect("a table");
    let among = restatement.front("where").map(|text| format!(" WHERE {text}")).unwrap_or_default();
    let scored = restatement.rows(&format!("SELECT * FROM {table}{among}"));
    let restated = restatement.rows(&restatement.sql);
    let (name, columns) = (&restatement.name, restatement.columns());
    let mut found = Vec::new();
    assert!(!scored.is_empty(), "{name}: the demo has no rows of it");
    for (key, row) in &scored {
        let Some(other) = restated.get(key) else {
            found.push(format!("{name} {key}: not restated"));
            continue;
        };
        // Nulls are left out of the rows.
        for column in &columns {
            let [own, other] = [row, other].map(|row| row.get(column).unwrap_or(&Value::Null));
            if !is_equal(own, other) {
                found.push(format!("{name} {key} {column}: scored {own}, restated {other}"));
            }
        }
    }
    found.extend(
        restated
            .keys()
            .filter(|key| !scored.contains_key(*key))
            .map(|key| format!("{name} {key}: no such row")),
    );
    found
}

#[test]
fn every_score_is_what_sql_makes_of_its_parts() {
    let all = Restatement::all();
    assert!(all.len() >= 14, "{} restatements", all.len());
    let found: Vec<String> = all.iter().flat_map(differences).collect();
    let shown: Vec<&String> = found.iter().take(20).collect();
    assert!(found.is_empty(), "{} differences, the first of them:\n{shown:#?}", found.len());
}

#[test]
fn a_wrong_number_is_noticed() {
    let mut wrong =
        Restatement::all().into_iter().find(|one| one.name == "nhi_lifecycle").expect("it is there");
    wrong.sql = wrong
        .sql
        .replace("count(c.credential_key) AS credentials", "count(c.credential_key) + 1 AS credentials");
    assert!(!differences(&wrong).is_empty());
}
