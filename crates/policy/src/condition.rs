//! Conditions of AWS that no request can meet.
//!
//! IAM User Guide, "Condition operators" and "Logic for multiple context keys": operators and keys
//! are joined by AND, values by OR, those of negated operators by NOR; what is compared must be
//! there, except with `…IfExists`, `ForAllValues:` and negated operators. Only contradictions
//! within a statement count, never what the request or the clock would have to say.

use crate::pattern::matches_wildcards;
use leakgraph_model::Timestamp;
use leakgraph_model::tables::Grant;
use serde_json::Value;

/// Whether a statement can never apply, whatever is asked: k(g) is then 0.
pub(crate) fn never_holds(grant: &Grant) -> bool {
    grant.platform == "aws" && grant.understood && grant.conditions.as_deref().is_some_and(cannot_be_met)
}

/// Whether no request meets these conditions of AWS; those of other platforms are not judged.
pub(crate) fn cannot_be_met(conditions: &str) -> bool {
    may_contradict(conditions) && contradicts(conditions)
}

/// Nearly all conditions are one operator with values, which is seen without parsing: as compact
/// JSON they end two objects.
fn may_contradict(text: &str) -> bool {
    text.contains("[]") || text.bytes().filter(|byte| *byte == b'}').count() > 2
}

fn contradicts(text: &str) -> bool {
    let Ok(Value::Object(operators)) = serde_json::from_str(text) else { return false };
    let mut tests = Vec::new();
    for (operator, keys) in &operators {
        let Some(keys) = keys.as_object() else { return false };
        for (key, values) in keys {
            tests.extend(Test::of(operator, key, values));
        }
    }
    let pairs = || {
        tests
            .iter()
            .enumerate()
            .flat_map(|(place, one)| tests.iter().skip(place + 1).map(move |other| (one, other)))
    };
    tests.iter().any(Test::is_impossible)
        || pairs().any(|(one, other)| one.key == other.key && (one.excludes(other) || other.excludes(one)))
}

/// One key under one operator.
struct Test {
    key: String,
    operator: String,
    /// `ForAnyValue:`: the key has several values, of which one is meant.
    is_of_any: bool,
    values: Vec<String>,
}

impl Test {
    /// `None` for operators that hold without the key, and for values that variables make up.
    fn of(operator: &str, key: &str, values: &Value) -> Option<Self> {
        let (is_of_any, name) = match operator.split_once(':') {
            Some(("ForAnyValue", name)) => (true, name),
            Some(_) => return None,
            None => (false, operator),
        };
        if name.ends_with("IfExists") {
            return None;
        }
        let text = |value: &Value| match value {
            Value::String(text) => Some(text.clone()),
            Value::Bool(truth) => Some(truth.to_string()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        let values: Vec<String> = match values.as_array() {
            Some(list) => list.iter().map(text).collect::<Option<_>>()?,
            None => vec![text(values)?],
        };
        let is_variable = values.iter().any(|value| value.contains("${"));
        (!is_variable).then(|| Self { key: key.to_lowercase(), operator: name.to_owned(), is_of_any, values })
    }

    fn is_negated(&self) -> bool {
        self.operator.contains("Not")
    }

    fn is_null(&self) -> bool {
        self.operator == "Null"
    }

    /// A comparison with nothing.
    fn is_impossible(&self) -> bool {
        const COMPARISONS: [&str; 7] = ["Arn", "Binary", "Bool", "Date", "IpAddress", "Numeric", "String"];
        let is_comparison = COMPARISONS.iter().any(|start| self.operator.starts_with(start));
        self.values.is_empty() && is_comparison && !self.is_negated()
    }

    /// Whether nothing can meet both, as far as one order tells.
    fn excludes(&self, other: &Self) -> bool {
        let is_compared = |test: &Self| !test.is_negated() && !test.is_null();
        // The key must be absent, and there to be compared.
        if self.is_null() && is_compared(other) {
            return !self.values.is_empty() && self.values.iter().all(|value| value == "true");
        }
        // What several values have to say may be met by different ones.
        if self.is_of_any || other.is_of_any {
            return false;
        }
        let is = |test: &Self, names: &[&str]| names.contains(&test.operator.as_str());
        match self.operator.as_str() {
            "StringEquals" if is(other, &["StringNotEquals"]) => {
                self.values.iter().all(|value| other.values.contains(value))
            }
            "StringEquals" if is(other, &["StringLike"]) => {
                !self.values.iter().any(|value| other.likes(value))
            }
            "StringEquals" if is(other, &["StringNotLike"]) => {
                self.values.iter().all(|value| other.likes(value))
            }
            "StringLike" if is(other, &["StringNotLike"]) => {
                self.values.iter().all(|value| other.values.contains(value))
                    || other.values.iter().any(|value| value == "*")
            }
            "IpAddress" if is(other, &["NotIpAddress"]) => {
                self.values.iter().all(|value| other.values.contains(value))
            }
            _ => self.bound(false).zip(other.bound(true)).is_some_and(|(least, most)| least > most),
        }
    }

    fn likes(&self, value: &str) -> bool {
        self.values.iter().any(|pattern| matches_wildcards(pattern, value))
    }

    /// The least that a comparison of numbers or times admits, or the most (`upper`): of several
    /// values the loosest. The two kinds never meet under one key in a policy that makes sense.
    fn bound(&self, upper: bool) -> Option<f64> {
        let names: [&str; 2] =
            if upper { ["LessThan", "LessThanEquals"] } else { ["GreaterThan", "GreaterThanEquals"] };
        let (kind, number): (&str, fn(&str) -> Option<f64>) = match self.operator.as_str() {
            operator if operator.starts_with("Numeric") => ("Numeric", |value| value.parse().ok()),
            operator if operator.starts_with("Date") => {
                ("Date", |value| Timestamp::parse(value).map(|at| at.0 as f64))
            }
            _ => return None,
        };
        let comparison = self.operator.strip_prefix(kind)?;
        if !names.contains(&comparison) {
            return None;
        }
        let bounds: Vec<f64> = self.values.iter().map(|value| number(value)).collect::<Option<_>>()?;
        let loosest = if upper { f64::max } else { f64::min };
        bounds.into_iter().reduce(loosest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn contradictions_are_seen_and_nothing_else_is() {
        let never = [
            json!({"StringEquals": {"aws:PrincipalOrgID": []}}),
            json!({"StringEquals": {"s3:prefix": "a"}, "Null": {"S3:Prefix": "true"}}),
            json!({"ForAnyValue:StringLike": {"aws:TagKeys": ["a*"]}, "Null": {"aws:TagKeys": true}}),
            json!({"StringEquals": {"k": ["a", "b"]}, "StringNotEquals": {"k": ["b", "a", "c"]}}),
            json!({"StringEquals": {"k": "prod"}, "StringLike": {"k": ["dev-*", "test-*"]}}),
            json!({"StringEquals": {"k": "dev-1"}, "StringNotLike": {"k": "dev-*"}}),
            json!({"StringLike": {"k": "x*"}, "StringNotLike": {"k": "*"}}),
            json!({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}, "NotIpAddress": {"aws:SourceIp": ["10.0.0.0/8"]}}),
            json!({"NumericLessThan": {"s3:max-keys": "10"}, "NumericGreaterThanEquals": {"s3:max-keys": [20, 30]}}),
            json!({"DateLessThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"},
                "DateGreaterThan": {"aws:CurrentTime": "2021-01-01T00:00:00Z"}}),
        ];
        let perhaps = [
            json!({"StringEquals": {"k": "a"}}),
            json!({"StringNotEquals": {"k": []}}),
            json!({"StringEqualsIfExists": {"k": []}}),
            json!({"ForAllValues:StringEquals": {"k": []}}),
            json!({"StringEquals": {"k": "a"}, "Null": {"k": "false"}}),
            json!({"StringEqualsIfExists": {"k": "a"}, "Null": {"k": "true"}}),
            json!({"StringNotEquals": {"k": "a"}, "Null": {"k": "true"}}),
            json!({"ForAllValues:StringEquals": {"k": "a"}, "Null": {"k": "true"}}),
            json!({"StringEquals": {"k": ["a", "b"]}, "StringNotEquals": {"k": "b"}}),
            json!({"StringEquals": {"k": "a"}, "StringNotEquals": {"other": "a"}}),
            json!({"ForAnyValue:StringEquals": {"k": "a"}, "StringNotEquals": {"k": "a"}}),
            json!({"StringEquals": {"k": "a"}, "StringLike": {"k": ["b*", "${aws:username}"]}}),
            json!({"StringEquals": {"k": "dev-1"}, "StringLike": {"k": "dev-?"}}),
            json!({"NumericLessThan": {"k": ["10", "50"]}, "NumericGreaterThan": {"k": "20"}}),
            json!({"NumericLessThan": {"k": "some"}, "NumericGreaterThan": {"k": "20"}}),
            json!({"DateLessThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}),
            json!({"checks": {"list": []}, "b": {}, "c": {}}),
            json!({"StringEquals": {"a": {"b": "c"}}, "Null": {"a": "true"}, "Bool": {"x": "true"}}),
        ];
        let of = |conditions: &Value| Grant {
            platform: "aws".to_owned(),
            understood: true,
            conditions: Some(conditions.to_string()),
            ..Grant::default()
        };
        for conditions in &never {
            assert!(never_holds(&of(conditions)), "{conditions}");
            // What is not understood may say anything.
            assert!(!never_holds(&Grant { understood: false, ..of(conditions) }));
        }
        for conditions in &perhaps {
            assert!(!never_holds(&of(conditions)), "{conditions}");
        }
    }
}
