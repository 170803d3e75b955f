//! One event of an execution, as the API and as CloudWatch Logs write it.

use crate::value::text;
use leakgraph_model::Timestamp;
use serde_json::Value;
use std::borrow::Cow;

/// An event of an execution.
pub(crate) struct Event<'v> {
    /// Number in the execution, from 1.
    pub(crate) id: i64,
    /// The event it follows; 0 for the first.
    pub(crate) previous: i64,
    /// `TaskScheduled`, …
    pub(crate) kind: String,
    pub(crate) at: Option<Timestamp>,
    /// Its `…EventDetails`.
    pub(crate) details: &'v Value,
    /// The execution, where the event names it.
    pub(crate) arn: Option<String>,
}

impl<'v> Event<'v> {
    /// An event of `GetExecutionHistory`.
    pub(crate) fn of_history(value: &'v Value) -> Option<Self> {
        let details = value.as_object()?.iter().find(|(name, _)| name.ends_with("EventDetails"));
        Some(Self {
            id: number(value.get("id"))?,
            previous: number(value.get("previousEventId")).unwrap_or(0),
            kind: text(value, "/type")?,
            at: at(value.get("timestamp")),
            details: details.map_or(&Value::Null, |(_, details)| details),
            arn: None,
        })
    }

    /// A log event of CloudWatch Logs.
    pub(crate) fn of_log(value: &'v Value) -> Option<Self> {
        Some(Self {
            id: number(value.get("id"))?,
            previous: number(value.get("previous_event_id")).unwrap_or(0),
            kind: text(value, "/type")?,
            at: number(value.get("event_timestamp")).map(|ms| Timestamp(ms.saturating_mul(1000))),
            details: value.get("details").unwrap_or(&Value::Null),
            arn: Some(text(value, "/execution_arn")?),
        })
    }
}

/// Whether a value is an event of a history.
pub(crate) fn is_history_event(value: &Value) -> bool {
    value.get("previousEventId").is_some_and(Value::is_number)
        && value.get("id").is_some_and(Value::is_number)
        && value.get("type").is_some_and(Value::is_string)
}

/// Whether a value is a log event.
pub(crate) fn is_log_event(value: &Value) -> bool {
    let is_arn = |arn: &str| arn.starts_with("arn:") && arn.contains(":states:");
    text(value, "/execution_arn").is_some_and(|arn| is_arn(&arn))
        && value.get("previous_event_id").is_some()
        && value.get("type").is_some_and(Value::is_string)
}

/// A log event, and the text of the document it was read out of, if it was.
pub(crate) type Message<'v> = (Option<&'v Value>, Cow<'v, Value>);

/// The log events of an answer of `filter-log-events` or `get-log-events` (`events`), of a
/// subscription (`logEvents`), of an array, or the one itself. Empty if any of them is none.
pub(crate) fn logged(value: &Value) -> Vec<Message<'_>> {
    if is_log_event(value) {
        return vec![(None, Cow::Borrowed(value))];
    }
    let list = value.get("events").or_else(|| value.get("logEvents")).unwrap_or(value);
    let messages: Option<Vec<Message<'_>>> =
        list.as_array().map(Vec::as_slice).unwrap_or_default().iter().map(message).collect();
    messages.unwrap_or_default()
}

fn message(value: &Value) -> Option<Message<'_>> {
    if is_log_event(value) {
        return Some((None, Cow::Borrowed(value)));
    }
    let text = value.get("message")?;
    let event: Value = serde_json::from_str(text.as_str()?).ok()?;
    is_log_event(&event).then_some((Some(text), Cow::Owned(event)))
}

/// A whole number, or one as text.
fn number(value: Option<&Value>) -> Option<i64> {
    match value? {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// A time: RFC 3339 as version 2 of the command line writes it, or seconds as version 1 and the
/// API do.
pub(crate) fn at(value: Option<&Value>) -> Option<Timestamp> {
    match value? {
        Value::String(text) => Timestamp::parse(text),
        Value::Number(seconds) => {
            let micros = (seconds.as_f64()? * 1e6).round();
            // Within what a time can be; the cast does not lose then.
            (micros.abs() < 1e18).then_some(Timestamp(micros as i64))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn times_are_seconds_or_rfc_3339() {
        let expected = Timestamp::parse("2024-03-11T01:11:27.983Z");
        assert_eq!(at(Some(&json!(1_710_119_487.983))), expected);
        assert_eq!(at(Some(&json!("2024-03-11T01:11:27.983000+00:00"))), expected);
        assert_eq!(at(Some(&json!(1e300))), None);
    }

    #[test]
    fn foreign_log_events_are_not_ours() {
        let ours = json!({"execution_arn": "arn:aws:states:eu-west-1:1:execution:M:x", "type": "ExecutionStarted", "id": "1", "previous_event_id": "0"});
        assert_eq!(logged(&ours).len(), 1);
        assert_eq!(logged(&json!({"events": [{"message": ours.to_string()}]})).len(), 1);
        assert!(logged(&json!({"events": [{"message": "START RequestId: 1"}]})).is_empty());
        assert!(logged(&json!({"events": [{"message": ours.to_string()}, {"message": "x"}]})).is_empty());
    }
}
