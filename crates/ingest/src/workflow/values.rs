//! The values of a document: every one is handed to the scanner once, with the run, job, step or
//! handoff it belongs to, and inputs of handoffs are classed on the way. What is no
//! `name=value`, such as a log, goes to the sink as it is.

use super::github::dispatch;
use super::rows::gap;
use crate::reader::incomplete;
use crate::{Document, Mark, TextContext, TextSink};
use leakgraph_model::tables::{HandoffInput, Problem};
use leakgraph_model::{Evidence, Key};
use serde_json::Value;
use std::collections::{BTreeMap, HashSet};

/// Whose a value is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Owner {
    pub(crate) run: Option<Key>,
    pub(crate) job: Option<Key>,
    pub(crate) handoff: Option<Key>,
}

impl Owner {
    pub(crate) fn run(run: Key) -> Self {
        Self { run: Some(run), ..Self::default() }
    }

    pub(crate) fn job(self, job: Key) -> Self {
        Self { job: Some(job), ..self }
    }

    pub(crate) fn handoff(self, handoff: Key) -> Self {
        Self { handoff: Some(handoff), ..self }
    }
}

/// Where a value stands in the run.
#[derive(Clone, Copy)]
pub(crate) struct Spot {
    pub(crate) place: &'static str,
    pub(crate) step: Option<Key>,
}

impl Spot {
    /// A value of no step.
    pub(crate) fn of(place: &'static str) -> Self {
        Self { place, step: None }
    }

    /// A value that a step was given or gave.
    pub(crate) fn step(place: &'static str, step: Key) -> Self {
        Self { place, step: Some(step) }
    }
}

/// The lines of one owner, as `name=value`, so that the name counts as context.
#[derive(Default)]
struct Lines {
    text: String,
    marks: Vec<Mark>,
}

/// The values of one document on their way to the scanner.
pub(crate) struct Values<'a, 's> {
    document: &'a Document<'a>,
    sink: &'s mut dyn TextSink,
    /// Where inputs of handoffs are to be seen: api, webhook, disk.
    visible: &'static str,
    lines: BTreeMap<Owner, Lines>,
    /// Addresses of the document's values that were handed over.
    taken: HashSet<usize>,
    /// Rows that may still be made of definitions which many tasks share.
    shared_rows: usize,
    is_cut: bool,
}

/// A small document may name one large definition for many tasks: beyond this many rows of one
/// document, the definition is not spelled out again for every task.
const MAX_SHARED_ROWS: usize = 500_000;

impl<'a, 's> Values<'a, 's> {
    pub(crate) fn new(document: &'a Document<'a>, sink: &'s mut dyn TextSink) -> Self {
        Self {
            document,
            sink,
            visible: "api",
            lines: BTreeMap::new(),
            taken: HashSet::new(),
            shared_rows: MAX_SHARED_ROWS,
            is_cut: false,
        }
    }

    /// Says where inputs are to be seen, if not in an answer of the API.
    pub(crate) fn seen_in(self, visible: &'static str) -> Self {
        Self { visible, ..self }
    }

    /// For texts that are no `name=value`, such as a log.
    pub(crate) fn sink(&mut self) -> &mut dyn TextSink {
        self.sink
    }

    /// Whether `rows` more rows may be made of a definition that tasks share.
    pub(crate) fn may_share(&mut self, rows: usize) -> bool {
        match self.shared_rows.checked_sub(rows) {
            Some(left) => self.shared_rows = left,
            None => self.is_cut = true,
        }
        !self.is_cut
    }

    /// One text.
    pub(crate) fn text(&mut self, owner: Owner, spot: Spot, name: &str, value: &str) {
        if value.is_empty() {
            return;
        }
        let lines = self.lines.entry(owner).or_default();
        lines.marks.push(Mark {
            offset: lines.text.len(),
            step_key: spot.step,
            place: spot.place,
            name: Some(name.to_owned()),
            at: None,
        });
        lines.text.extend([last_word(name), "=", value, "\n"]);
    }

    /// All texts and numbers below a value of the document, the first time it is asked for;
    /// `name` is put before their paths.
    pub(crate) fn value(&mut self, owner: Owner, spot: Spot, name: &str, value: &Value) {
        if self.taken.insert(address(value)) {
            for (name, text) in leaves(name, value) {
                self.text(owner, spot, &name, &text);
            }
        }
    }

    /// JSON that stands in a text of the document: its leaves, or the text itself.
    pub(crate) fn embedded(&mut self, owner: Owner, spot: Spot, name: &str, text: &str) {
        for (name, text) in leaves(name, &embedded(text)) {
            self.text(owner, spot, &name, &text);
        }
    }

    /// Inputs or outputs of a handoff: rows of `handoff_inputs`, and scanned.
    pub(crate) fn inputs(&mut self, owner: Owner, name: &str, value: &Value, evidence: &mut Evidence) {
        for (name, text) in leaves(name, value) {
            self.input(owner, &name, &text, evidence);
        }
    }

    /// One input of a handoff.
    pub(crate) fn input(&mut self, owner: Owner, name: &str, text: &str, evidence: &mut Evidence) {
        let Some(handoff) = owner.handoff else { return };
        let source = self.document.source_key;
        evidence.handoff_inputs.push(dispatch::input(handoff, name, text, self.visible, source, self.sink));
        self.text(owner, Spot::of("handoff_input"), name, text);
    }

    /// An input of a handoff, or `None` where the platform shows that there is one, but not
    /// its value.
    pub(crate) fn shown(&mut self, owner: Owner, name: &str, value: Option<&str>, evidence: &mut Evidence) {
        let (Some(handoff_key), None) = (owner.handoff, value) else {
            return self.input(owner, name, value.unwrap_or_default(), evidence);
        };
        evidence.handoff_inputs.push(HandoffInput {
            handoff_key,
            name: name.to_owned(),
            value_class: "masked".to_owned(),
            visible: "none".to_owned(),
            source_key: self.document.source_key,
            ..HandoffInput::default()
        });
    }

    /// Says that a value was handed over in another form, or is no text.
    pub(crate) fn take(&mut self, value: &Value) {
        self.taken.insert(address(value));
    }

    /// Whether a value of the document was not handed over yet.
    pub(crate) fn is_free(&self, value: &Value) -> bool {
        !self.taken.contains(&address(value))
    }

    /// What nobody took: so that nothing of the document goes unseen.
    pub(crate) fn rest(&mut self, owner: Owner, name: &str, value: &Value) {
        let mut found = Vec::new();
        walk(name, value, &|value| self.is_free(value), &mut found);
        for (name, text) in found {
            self.text(owner, Spot::of("json"), &name, &text);
        }
    }

    /// Hands over what there is so far. Values that were unfolded for the purpose may go.
    pub(crate) fn flush(&mut self) {
        self.taken.clear();
        for (owner, lines) in std::mem::take(&mut self.lines) {
            let of = owner.handoff.or(owner.job).or(owner.run);
            let context = TextContext {
                run_key: owner.run,
                job_key: owner.job,
                handoff_key: owner.handoff,
                // Tells the texts of one source apart; every line has a name of its own.
                name: Some(format!(
                    "{}:{}",
                    self.document.part,
                    of.map_or_else(String::new, |key| key.to_string())
                )),
                marks: lines.marks,
                ..TextContext::of(self.document.path, self.document.source_key, "json")
            };
            self.sink.text(&context, lines.text.as_bytes());
        }
    }

    /// Hands one text per owner to the scanner; says if rows were left out.
    pub(crate) fn finish(mut self) -> Option<Problem> {
        self.flush();
        self.is_cut.then(|| Problem {
            path: self.document.path.to_owned(),
            offset: None,
            code: "truncated".to_owned(),
            reason: format!("definitions that tasks share gave more than {MAX_SHARED_ROWS} rows"),
            lossy: true,
        })
    }
}

/// A value of a structured file on its way to rows and to the scanner.
pub(crate) struct Import<'d, 's> {
    pub(crate) document: &'d Document<'d>,
    pub(crate) values: Values<'d, 's>,
    pub(crate) evidence: Evidence,
    /// Objects that lack what names them.
    pub(crate) nameless: usize,
}

impl<'d, 's> Import<'d, 's> {
    pub(crate) fn new(document: &'d Document<'d>, sink: &'s mut dyn TextSink) -> Self {
        Self { document, values: Values::new(document, sink), evidence: Evidence::default(), nameless: 0 }
    }

    pub(crate) fn source(&self) -> Key {
        self.document.source_key
    }

    /// Inputs of a handoff.
    pub(crate) fn inputs(&mut self, owner: Owner, prefix: &str, value: &Value) {
        self.values.inputs(owner, prefix, value, &mut self.evidence);
    }

    /// All other texts of an object; `taken` are pointers of its members that were handed over
    /// otherwise, or are no text.
    pub(crate) fn rest(&mut self, owner: Owner, value: &Value, taken: &[&str]) {
        for member in taken.iter().filter_map(|pointer| value.pointer(pointer)) {
            self.values.take(member);
        }
        self.values.rest(owner, "", value);
    }

    /// An object that lacks what names it: only its texts are of use.
    pub(crate) fn nameless(&mut self, value: &Value) {
        self.nameless += 1;
        self.rest(Owner::default(), value, &[]);
    }

    /// A piece of evidence that is missing: what is computed without it is a lower bound.
    pub(crate) fn gap(&mut self, subject: Key, table: &str, analytic: &str, missing: &str) {
        self.evidence.evidence_gaps.push(gap(subject, table, analytic, missing, "lower_bound_only"));
    }

    pub(crate) fn finish(mut self, what: &str) -> Evidence {
        self.evidence.problems.extend(self.values.finish());
        self.evidence.problems.extend(incomplete(self.document, self.nameless, what));
        self.evidence
    }
}

fn address(value: &Value) -> usize {
    std::ptr::from_ref(value) as usize
}

/// The last name of a path: what a person would call the value.
fn last_word(path: &str) -> &str {
    path.rsplit('.').next().filter(|word| !word.is_empty()).unwrap_or(path)
}

/// Dotted paths and texts of the leaves of a value; `name` comes first. Nulls are left out.
pub(crate) fn leaves(name: &str, value: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    walk(name, value, &|_| true, &mut found);
    found
}

fn walk(name: &str, value: &Value, wanted: &dyn Fn(&Value) -> bool, found: &mut Vec<(String, String)>) {
    if !wanted(value) {
        return;
    }
    match value {
        Value::Object(members) => {
            // `{"name": "TOKEN", "value": …}`: the value is known by that name.
            let named = members.get("name").and_then(Value::as_str).filter(|_| members.contains_key("value"));
            for (member, value) in members {
                let member = named.filter(|_| member == "value").unwrap_or(member);
                let path = if name.is_empty() { member.to_owned() } else { format!("{name}.{member}") };
                walk(&path, value, wanted, found);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                walk(&format!("{name}[{index}]"), item, wanted, found);
            }
        }
        Value::String(text) => found.push((name.to_owned(), text.clone())),
        Value::Null => {}
        other => found.push((name.to_owned(), other.to_string())),
    }
}

/// JSON inside a text as a value; a text that is none stays one.
pub(crate) fn embedded(text: &str) -> Value {
    let is_structure = text.trim_start().starts_with(['{', '[', '"']);
    let parsed = is_structure.then(|| serde_json::from_str(text).ok()).flatten();
    parsed.unwrap_or_else(|| Value::String(text.to_owned()))
}

/// The objects of a page under `member`, of an array of pages, or a bare object.
pub(crate) fn items<'v>(value: &'v Value, member: &str) -> Vec<&'v Value> {
    match value {
        Value::Array(pages) => pages.iter().flat_map(|page| items(page, member)).collect(),
        Value::Object(members) => match members.get(member).and_then(Value::as_array) {
            Some(list) => list.iter().collect(),
            None => vec![value],
        },
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn leaves_have_paths() {
        let value = json!({"a": {"b": [1, null, "x"]}, "c": true, "env": [{"name": "KEY", "value": "y"}]});
        let expected = [
            ("in.a.b[0]", "1"),
            ("in.a.b[2]", "x"),
            ("in.c", "true"),
            ("in.env[0].name", "KEY"),
            ("in.env[0].KEY", "y"),
        ];
        assert_eq!(leaves("in", &value), expected.map(|(name, text)| (name.to_owned(), text.to_owned())));
    }

    #[test]
    fn shared_definitions_are_spelled_out_up_to_a_limit() {
        struct Nowhere;
        impl TextSink for Nowhere {
            fn text(&mut self, _: &TextContext, _: &[u8]) {}
            fn fingerprint(&mut self, _: &[u8]) -> Option<String> {
                None
            }
        }
        let document = Document { path: "x.json", source_key: Key::default(), part: 0, bytes: b"" };
        let mut sink = Nowhere;
        let mut values = Values::new(&document, &mut sink);
        assert!(values.may_share(MAX_SHARED_ROWS));
        assert!(values.may_share(0));
        assert!(!values.may_share(1) && !values.may_share(0), "what is cut stays so");
        assert_eq!(values.finish().map(|problem| problem.code).as_deref(), Some("truncated"));
        assert_eq!(Values::new(&document, &mut sink).finish(), None);
    }

    #[test]
    fn only_structures_are_parsed_out_of_texts() {
        assert_eq!(embedded(r#" {"a":1}"#), json!({"a": 1}));
        assert_eq!(embedded("{{inputs.parameters.x}}"), json!("{{inputs.parameters.x}}"));
        assert_eq!(embedded("007"), json!("007"));
    }
}
