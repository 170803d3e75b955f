//! The values of a file that no importer knows: what they are instead, and what is said of them.

use crate::answers::error_of_value;
use crate::shapes;
use serde_json::Value;

/// What was met in one file.
#[derive(Debug, Default)]
pub(crate) struct Unread {
    unknown: usize,
    empty: usize,
    errors: usize,
    schemas: usize,
    /// The known kind that the first unknown value is near to.
    near: Option<String>,
}

/// A row of `problems` to be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) code: &'static str,
    pub(crate) reason: String,
    pub(crate) lossy: bool,
}

impl Unread {
    /// Counts a value; an error of a server is said at once.
    pub(crate) fn add(&mut self, value: &Value) -> Option<Note> {
        // The last page of a download may be one, instead of what it was to bring.
        if let Some(reason) = error_of_value(value) {
            self.errors += 1;
            return Some(Note { code: "api_error", reason, lossy: true });
        }
        if is_schema(value) {
            self.schemas += 1;
        } else if is_empty(value) {
            self.empty += 1;
        } else {
            self.unknown += 1;
            self.near = self.near.take().or_else(|| shapes::closest(value));
        }
        None
    }

    /// The kind of a file of which nothing is known.
    pub(crate) fn kind(&self, format: &'static str) -> &'static str {
        match self {
            Self { unknown: 1.., .. } => format,
            Self { errors: 1.., .. } => "api_error",
            Self { schemas: 1.., .. } => "json_schema",
            _ => format,
        }
    }

    /// Whether there is text that no importer has looked at.
    pub(crate) fn has_text(&self) -> bool {
        self.unknown + self.errors + self.schemas > 0
    }

    /// What to say of the file beside `known` values.
    pub(crate) fn note(&self, known: usize) -> Option<Note> {
        let near = self.near.as_ref().map(|near| format!("; {near}")).unwrap_or_default();
        let lossy = |reason| Some(Note { code: "unrecognised", reason, lossy: true });
        match self {
            Self { unknown: 1.., .. } if known == 0 => lossy(format!(
                "a structured file of no known kind: no run, job, webhook, inventory or activity{near}"
            )),
            Self { unknown: unknown @ 1.., errors, .. } => {
                lossy(format!("{unknown} of {} values are of no known kind{near}", unknown + known + errors))
            }
            Self { schemas: 1.., .. } => Some(Note {
                code: "unrecognised",
                reason: "a JSON Schema: it describes evidence and holds none".to_owned(),
                lossy: false,
            }),
            Self { empty: 1.., errors: 0, .. } if known == 0 => Some(Note {
                code: "empty",
                reason: "an empty list or object: of what kind, it does not say".to_owned(),
                lossy: false,
            }),
            _ => None,
        }
    }
}

fn is_schema(value: &Value) -> bool {
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    text("$schema").is_some_and(|schema| schema.contains("json-schema.org"))
        || text("$id").is_some_and(|id| id.ends_with(".schema.json")) && value.get("properties").is_some()
}

fn is_empty(value: &Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty) || value.as_object().is_some_and(|members| members.is_empty())
}
