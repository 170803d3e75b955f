//! Spans and log records of OTLP/JSON: ids in hexadecimal digits of any case, numbers of 64 bits
//! as numbers or texts, attributes as lists of key and typed value.

use leakgraph_model::Timestamp;
use serde_json::{Map, Value};

/// Attributes by name, their values as plain JSON.
pub(super) type Attributes = Map<String, Value>;

/// A span.
#[derive(Debug, Default)]
pub(super) struct Span {
    pub(super) trace: String,
    pub(super) id: String,
    pub(super) parent: Option<String>,
    pub(super) name: String,
    pub(super) start: Option<Timestamp>,
    pub(super) end: Option<Timestamp>,
    pub(super) attributes: Attributes,
    /// Index into the resources.
    pub(super) resource: usize,
    /// Trace and span ids of what it is linked to.
    pub(super) links: Vec<(String, String)>,
    /// Name and attributes.
    pub(super) events: Vec<(String, Attributes)>,
    /// Whether its status says error (true) or ok (false).
    pub(super) has_failed: Option<bool>,
}

/// A log record.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) at: Option<Timestamp>,
    pub(super) trace: Option<String>,
    pub(super) span: Option<String>,
    pub(super) body: Value,
    pub(super) attributes: Attributes,
    pub(super) resource: usize,
}

/// All of a file.
#[derive(Debug, Default)]
pub(super) struct Telemetry {
    /// Attributes of the resources.
    pub(super) resources: Vec<Attributes>,
    pub(super) spans: Vec<Span>,
    pub(super) records: Vec<Record>,
    /// Spans without ids.
    pub(super) incomplete: usize,
    /// Values that are no export of spans or logs.
    pub(super) other: usize,
}

impl Telemetry {
    /// Adds one export.
    pub(super) fn add(&mut self, value: &Value) {
        let mut is_known = false;
        for resource in list(value, &["resourceSpans"]) {
            is_known = true;
            self.resource(resource);
            for scope in list(resource, &["scopeSpans", "instrumentationLibrarySpans"]) {
                list(scope, &["spans"]).for_each(|span| self.span(span));
            }
        }
        for resource in list(value, &["resourceLogs"]) {
            is_known = true;
            self.resource(resource);
            for scope in list(resource, &["scopeLogs", "instrumentationLibraryLogs"]) {
                list(scope, &["logRecords", "logs"]).for_each(|record| self.record(record));
            }
        }
        let is_empty = ["resourceSpans", "resourceLogs"].iter().any(|name| value.get(name).is_some());
        self.other += usize::from(!is_known && !is_empty);
    }

    fn resource(&mut self, value: &Value) {
        self.resources.push(attributes(value.get("resource").unwrap_or(&Value::Null)));
    }

    fn span(&mut self, value: &Value) {
        let (Some(trace), Some(id)) = (id(value, "traceId"), id(value, "spanId")) else {
            self.incomplete += 1;
            return;
        };
        let link = |link: &Value| id_pair(link);
        let event = |event: &Value| (text(event, "name").unwrap_or_default(), attributes(event));
        self.spans.push(Span {
            trace,
            id,
            parent: self::id(value, "parentSpanId"),
            name: text(value, "name").unwrap_or_default(),
            start: time(value, "startTimeUnixNano"),
            end: time(value, "endTimeUnixNano"),
            attributes: attributes(value),
            resource: self.resources.len().saturating_sub(1),
            links: list(value, &["links"]).filter_map(link).collect(),
            events: list(value, &["events"]).map(event).collect(),
            has_failed: value.pointer("/status/code").and_then(has_failed),
        });
    }

    fn record(&mut self, value: &Value) {
        self.records.push(Record {
            at: time(value, "timeUnixNano").or_else(|| time(value, "observedTimeUnixNano")),
            trace: id(value, "traceId"),
            span: id(value, "spanId"),
            body: value.get("body").map_or(Value::Null, plain),
            attributes: attributes(value),
            resource: self.resources.len().saturating_sub(1),
        });
    }
}

fn list<'v>(value: &'v Value, names: &[&str]) -> impl Iterator<Item = &'v Value> {
    let found = names.iter().find_map(|name| value.get(name)?.as_array());
    found.into_iter().flatten()
}

fn text(value: &Value, name: &str) -> Option<String> {
    value.get(name)?.as_str().map(str::to_owned)
}

/// An id; those of only zeros are none.
fn id(value: &Value, name: &str) -> Option<String> {
    let id = value.get(name)?.as_str()?.to_ascii_lowercase();
    id.bytes().any(|byte| byte != b'0').then_some(id)
}

fn id_pair(value: &Value) -> Option<(String, String)> {
    Some((id(value, "traceId")?, id(value, "spanId")?))
}

/// Nanoseconds since the epoch, as number or text.
fn time(value: &Value, name: &str) -> Option<Timestamp> {
    let nanos = match value.get(name)? {
        Value::String(text) => text.parse::<u64>().ok()?,
        number => number.as_u64()?,
    };
    (nanos > 0).then(|| i64::try_from(nanos / 1000).ok().map(Timestamp)).flatten()
}

/// Codes of a status: 0 unset, 1 ok, 2 error.
fn has_failed(code: &Value) -> Option<bool> {
    match (code.as_i64(), code.as_str()) {
        (Some(2), _) | (_, Some("STATUS_CODE_ERROR")) => Some(true),
        (Some(1), _) | (_, Some("STATUS_CODE_OK")) => Some(false),
        _ => None,
    }
}

fn attributes(value: &Value) -> Attributes {
    let pair = |pair: &Value| Some((text(pair, "key")?, plain(pair.get("value")?)));
    list(value, &["attributes"]).filter_map(pair).collect()
}

/// A typed value (`{"stringValue": …}`) as plain JSON.
fn plain(value: &Value) -> Value {
    let Some((kind, inner)) = value.as_object().and_then(|members| members.iter().next()) else {
        return Value::Null;
    };
    match kind.as_str() {
        "arrayValue" => list(inner, &["values"]).map(plain).collect(),
        "kvlistValue" => {
            let pair = |pair: &Value| Some((text(pair, "key")?, plain(pair.get("value")?)));
            Value::Object(list(inner, &["values"]).filter_map(pair).collect())
        }
        _ => inner.clone(),
    }
}
