//! Rows of any format into evidence.

use super::identities::{self, Owners};
use super::keys::{self, OWN};
use super::logs::Logs;
use super::record::{self, Cell, Cells, Members, Mistyped, Seen, text};
use super::schema::{TABLES, TAG, Table};
use crate::workflow::github::input;
use crate::{TextContext, TextSink, activity};
use arrow_schema::{DataType, Field};
use leakgraph_model::tables::{Job, Problem, Run};
use leakgraph_model::{Evidence, Key};
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// Rows are made in batches of this many.
const BATCH_ROWS: usize = 4096;
/// Columns that are named in one problem.
const NAMED: usize = 20;

/// A file of the generic schema on its way to evidence.
pub(super) struct Rows<'a> {
    path: &'a str,
    source_key: Key,
    sink: &'a mut dyn TextSink,
    open: BTreeMap<&'static str, Open>,
    logs: Logs,
    owners: Owners,
    /// Tables that rows name and the schema does not have.
    strange: BTreeMap<String, usize>,
    untagged: usize,
    known_runs: HashSet<Key>,
    known_jobs: HashSet<Key>,
    evidence: Evidence,
    count: usize,
}

/// A table that the file has rows of.
struct Open {
    table: &'static Table,
    fields: Vec<Field>,
    rows: Vec<Cells>,
    seen: usize,
    unknown: BTreeSet<String>,
    lacking: BTreeMap<String, Seen>,
    mistyped: Mistyped,
    /// Statements that count as "may", with their rows.
    doubtful: Vec<(usize, String)>,
}

impl Open {
    fn new(table: &'static Table) -> Self {
        let schema = table.canonical.as_ref().map(|doc| (doc.schema)());
        let fields = schema
            .iter()
            .flat_map(|schema| schema.fields().iter().map(|field| field.as_ref().clone()))
            .collect();
        Self {
            table,
            fields,
            rows: Vec::new(),
            seen: 0,
            unknown: BTreeSet::new(),
            lacking: BTreeMap::new(),
            mistyped: Mistyped::new(),
            doubtful: Vec::new(),
        }
    }
}

impl<'a> Rows<'a> {
    pub(super) fn new(path: &'a str, source_key: Key, sink: &'a mut dyn TextSink) -> Self {
        Self {
            path,
            source_key,
            sink,
            open: BTreeMap::new(),
            logs: Logs::default(),
            owners: Owners::default(),
            strange: BTreeMap::new(),
            untagged: 0,
            known_runs: HashSet::new(),
            known_jobs: HashSet::new(),
            evidence: Evidence::default(),
            count: 0,
        }
    }

    /// A row that says itself which table it is of; else it is of `table`.
    pub(super) fn row(&mut self, table: Option<&'static Table>, members: &Members) {
        self.count += 1;
        let named = text(members, TAG);
        let table = match &named {
            Some(name) => Table::named(name),
            None => table,
        };
        let Some(table) = table else {
            match named {
                Some(name) => *self.strange.entry(name).or_default() += 1,
                None => self.untagged += 1,
            }
            return self.scan("other", members, |_| true, None, None);
        };
        let open = self.open.entry(table.name).or_insert_with(|| Open::new(table));
        open.seen += 1;
        for name in members.keys().filter(|name| !table.has(name)) {
            // An empty name is a column that a tool wrote its row numbers to.
            if !name.is_empty() && !open.unknown.contains(name) {
                open.unknown.insert(name.clone());
            }
        }
        let members = &*identities::plain(table, members);
        let mut cells = record::cells(table, &open.fields, (self.count, members), &mut open.mistyped);
        cells.insert("source_key", Cell::Key(self.source_key));
        let filled = match table.lacks(|column| record::is_given(members, column)) {
            Some(missing) => Err(missing),
            None if table.name == "owners" => self.owners.row(members).map_err(str::to_owned),
            None => keys::fill(table, members, &mut cells).map_err(str::to_owned).map(|doubt| {
                open.doubtful.extend(doubt.map(|doubt| (self.count, doubt)));
            }),
        };
        let key = |column: &str| match cells.get(column) {
            Some(Cell::Key(key)) => Some(*key),
            _ => None,
        };
        let run = key("run_key").or_else(|| OWN.run(members));
        let job = key("job_key").or_else(|| OWN.job(members));
        match filled {
            Ok(()) if table.name == "owners" => {}
            Ok(()) if table.canonical.is_none() => {
                self.logs.row(members, run, job);
                self.refer(members, true);
                // Its other columns are ids and times, and what nobody knows.
                return self.scan(table.name, members, |name| !table.has(name), run, job);
            }
            Ok(()) if record::is_whole(&open.fields, &cells) => {
                self.input(table, members, &mut cells);
                self.push(table, cells);
                if table.name != "runs" && table.name != "handoffs" {
                    self.refer(members, false);
                }
            }
            Ok(()) => Seen::note(&mut open.lacking, record::lacking(&open.fields, &cells), self.count),
            Err(missing) => Seen::note(&mut open.lacking, missing, self.count),
        }
        let is_prose = |name: &str| !table.has(name) || is_prose(table, name);
        self.scan(table.name, members, is_prose, run, job);
    }

    fn push(&mut self, table: &'static Table, cells: Cells) {
        match (table.name, cells.get("run_key"), cells.get("job_key")) {
            ("runs", Some(Cell::Key(run)), _) => drop(self.known_runs.insert(*run)),
            ("jobs", _, Some(Cell::Key(job))) => drop(self.known_jobs.insert(*job)),
            _ => {}
        }
        let Some(open) = self.open.get_mut(table.name) else { return };
        open.rows.push(cells);
        if open.rows.len() >= BATCH_ROWS {
            let rows = std::mem::take(&mut open.rows);
            self.store(table, &rows);
        }
    }

    fn store(&mut self, table: &'static Table, rows: &[Cells]) {
        if rows.is_empty() {
            return;
        }
        let stored =
            record::batch(table, rows).and_then(|batch| self.evidence.extend_from_batch(table.name, &batch));
        if let Err(error) = stored {
            self.problem("malformed_rows", format!("rows of {} do not fit: {error}", table.name), true);
        }
    }

    /// The run and job that a row is of, where no row of theirs was seen: it says that they are.
    fn refer(&mut self, members: &Members, has_log: bool) {
        let Some(run) = keys::referred(members) else { return };
        let run_key = run.key();
        if self.known_runs.insert(run_key) {
            self.evidence.runs.push(Run {
                run_key,
                platform: run.platform,
                repo: run.repo,
                platform_run_id: Some(run.id),
                attempt: Some(run.attempt),
                evidence: "export".to_owned(),
                source_key: self.source_key,
                ..Run::default()
            });
        }
        let Some((job_key, name)) = OWN.job(members).zip(text(members, OWN.job)) else { return };
        if self.known_jobs.insert(job_key) {
            self.evidence.jobs.push(Job {
                job_key,
                run_key,
                name,
                has_log,
                evidence: "export".to_owned(),
                source_key: self.source_key,
                ..Job::default()
            });
        }
    }

    /// The class of an input's value, and its text for the scanner.
    fn input(&mut self, table: &Table, members: &Members, cells: &mut Cells) {
        let (true, Some(Cell::Key(handoff))) = (table.name == "handoff_inputs", cells.get("handoff_key"))
        else {
            return;
        };
        let (Some(value), Some(name)) = (text(members, "value"), text(members, "name")) else { return };
        let handoff_key = *handoff;
        let row = input(handoff_key, &name, &value, "api", self.source_key, self.sink);
        cells.insert("value_class", Cell::Text(row.value_class));
        cells.insert("visible", Cell::Text(row.visible));
        let known = [
            ("value_bytes", row.value_bytes.map(Cell::Int)),
            ("entropy", row.entropy.map(Cell::Float)),
            ("value_fingerprint", row.value_fingerprint.map(Cell::Text)),
            ("validated", row.validated.map(Cell::Bool)),
        ];
        cells.extend(known.into_iter().filter_map(|(column, cell)| Some((column, cell?))));
        let context = TextContext {
            handoff_key: Some(handoff_key),
            name: Some(name),
            ..TextContext::of(&self.member(table.name), self.source_key, "handoff_input")
        };
        self.sink.text(&context, value.as_bytes());
    }

    /// Rows are members of their file, so that equal texts of two rows stay apart.
    fn member(&self, table: &str) -> String {
        format!("{}!/{table}/{}", self.path, self.count)
    }

    /// Hands over the texts of a row, one column a line.
    fn scan(
        &mut self,
        table: &str,
        members: &Members,
        is_read: impl Fn(&str) -> bool,
        run_key: Option<Key>,
        job_key: Option<Key>,
    ) {
        let mut lines = String::new();
        for (name, value) in members.iter().filter(|(name, _)| is_read(name)) {
            let value = match value {
                serde_json::Value::String(text) => text.clone(),
                other if other.is_object() || other.is_array() => other.to_string(),
                _ => continue,
            };
            if !value.is_empty() {
                lines.push_str(&format!("{name}: {value}\n"));
            }
        }
        if !lines.is_empty() {
            let context = TextContext {
                run_key,
                job_key,
                ..TextContext::of(&self.member(table), self.source_key, "json")
            };
            self.sink.text(&context, lines.as_bytes());
        }
    }

    /// A row of no table, read for its texts.
    pub(super) fn foreign(&mut self, members: &Members) {
        self.count += 1;
        self.scan("other", members, |_| true, None, None);
    }

    /// Names of columns, of which a file may have some without a value.
    pub(super) fn columns(&mut self, table: &'static Table, names: &[&str]) {
        let open = self.open.entry(table.name).or_insert_with(|| Open::new(table));
        let unknown = names.iter().filter(|name| !name.is_empty() && !table.has(name));
        open.unknown.extend(unknown.map(|name| (*name).to_owned()));
    }

    /// The rest of a file that has no rows.
    pub(super) fn malformed(&mut self, problem: Problem, rest: &[u8]) {
        self.evidence.problems.push(problem);
        self.sink.text(&TextContext::of(self.path, self.source_key, "json"), rest);
    }

    /// A problem of the whole file.
    pub(super) fn problem(&mut self, code: &str, reason: String, lossy: bool) {
        self.evidence.problems.push(Problem {
            path: self.path.to_owned(),
            offset: None,
            code: code.to_owned(),
            reason,
            lossy,
        });
    }

    /// All rows and what was wrong with them.
    pub(super) fn finish(mut self) -> Evidence {
        for (_, open) in std::mem::take(&mut self.open) {
            self.store(open.table, &open.rows);
            let name = open.table.name;
            if !open.unknown.is_empty() {
                let reason = format!(
                    "columns that {name} of the generic schema do not have: {}",
                    listed(open.unknown.iter().map(String::as_str))
                );
                self.problem("unknown_column", reason, true);
            }
            for (missing, Seen { rows, first }) in open.lacking {
                let reason =
                    format!("{rows} of {} rows of {name} lack {missing}, first row {first}", open.seen);
                self.problem("missing_column", reason, true);
            }
            for ((column, called), Seen { rows, first }) in open.mistyped {
                let reason = format!(
                    "{name}.{column} is no {called} in {rows} of {} rows, first row {first}",
                    open.seen
                );
                self.problem("mistyped", reason, true);
            }
            let doubtful = open.doubtful.len();
            for (row, doubt) in open.doubtful.into_iter().take(NAMED) {
                self.problem("malformed_policy", format!("row {row}: {doubt}; it counts as may"), true);
            }
            if doubtful > NAMED {
                let reason = format!("{} more statements of {name} count as may", doubtful - NAMED);
                self.problem("malformed_policy", reason, true);
            }
        }
        for (name, rows) in std::mem::take(&mut self.strange) {
            let tables = listed(TABLES.iter().map(|table| table.name));
            let name: String = name.chars().take(40).collect();
            let reason =
                format!("{rows} rows of `{name}`, which is no table of the generic schema: {tables}");
            self.problem("unknown_table", reason, true);
        }
        if self.untagged > 0 {
            let reason =
                format!("{} of {} rows do not say which table they are of", self.untagged, self.count);
            self.problem("unrecognised", reason, true);
        }
        self.logs.hand_over(self.path, self.source_key, self.sink);
        self.evidence.identities.extend(self.owners.identities(self.source_key));
        activity::merge(&mut self.evidence.activity, &mut self.evidence.assumptions, (0, 0));
        self.evidence
    }
}

/// Whether a canonical column holds what people write.
fn is_prose(table: &Table, name: &str) -> bool {
    let is_id =
        ["_id", "_sha", "_key", "platform", "evidence", "value"].iter().any(|end| name.ends_with(end));
    let schema = table.canonical.as_ref().map(|doc| (doc.schema)());
    let field = schema.as_ref().and_then(|schema| schema.field_with_name(name).ok());
    !is_id && field.is_some_and(|field| matches!(field.data_type(), DataType::Utf8 | DataType::List(_)))
}

/// Names with commas between them, not without end.
pub(super) fn listed<'n>(names: impl Iterator<Item = &'n str>) -> String {
    let names: Vec<String> = names.map(|name| name.chars().take(60).collect()).collect();
    let more = names.len().saturating_sub(NAMED);
    let mut text = names.into_iter().take(NAMED).collect::<Vec<_>>().join(", ");
    if more > 0 {
        text.push_str(&format!(" and {more} more"));
    }
    text
}
