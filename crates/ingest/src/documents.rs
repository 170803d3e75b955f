//! The values of a structured file: JSON, JSON Lines, concatenated pages, YAML documents.

use crate::workflow::github::log::BOM;
use leakgraph_model::tables::Problem;
use serde::Deserialize;
use serde_json::{Map, Number, Value};

/// Where and why the values of a file end early.
pub(crate) struct Malformed {
    pub(crate) offset: usize,
    pub(crate) code: &'static str,
    pub(crate) reason: String,
}

impl Malformed {
    /// The row that says so.
    pub(crate) fn problem(self, path: &str) -> Problem {
        Problem {
            path: path.to_owned(),
            offset: i64::try_from(self.offset).ok(),
            code: self.code.to_owned(),
            reason: self.reason,
            lossy: true,
        }
    }
}

/// The values of a file, up to the first malformed one.
pub(crate) type Values<'a> = Box<dyn Iterator<Item = Result<Value, Malformed>> + 'a>;

/// The JSON values of a text, one after the other. Ends with the first malformed one.
pub(crate) fn json(bytes: &[u8]) -> Values<'_> {
    let start = bytes.strip_prefix(BOM).unwrap_or(bytes);
    let before = bytes.len() - start.len();
    let values = serde_json::Deserializer::from_slice(start).into_iter::<Value>();
    Box::new(until_malformed(values.map(move |value| {
        value.map_err(|error| Malformed {
            offset: before + offset_of(start, error.line(), error.column()),
            code: "malformed_json",
            reason: format!("malformed JSON at line {}, column {}", error.line(), error.column()),
        })
    })))
}

/// The documents of a YAML stream, as JSON values: keys become text, and a tag such as
/// `!reference` becomes an object of one member. Empty documents are left out.
pub(crate) fn yaml(bytes: &[u8]) -> Values<'_> {
    let start = bytes.strip_prefix(BOM).unwrap_or(bytes);
    let before = bytes.len() - start.len();
    let values = serde_yaml_ng::Deserializer::from_slice(start).map(move |document| {
        let value = serde_yaml_ng::Value::deserialize(document).and_then(|mut value| {
            value.apply_merge()?;
            Ok(value)
        });
        value.map(from_yaml).map_err(|error| {
            let place = error.location();
            let place = place
                .map_or_else(String::new, |at| format!(" at line {}, column {}", at.line(), at.column()));
            Malformed {
                offset: before + error.location().map_or(0, |at| at.index()),
                code: "malformed_yaml",
                // What the parser says may quote the text.
                reason: format!("malformed YAML{place}"),
            }
        })
    });
    Box::new(until_malformed(values).filter(|value| !matches!(value, Ok(Value::Null))))
}

fn until_malformed(
    mut values: impl Iterator<Item = Result<Value, Malformed>>,
) -> impl Iterator<Item = Result<Value, Malformed>> {
    let mut is_over = false;
    std::iter::from_fn(move || {
        // A YAML parser that goes on behind its error panics: it is not asked again.
        if is_over {
            return None;
        }
        let value = values.next()?;
        is_over = value.is_err();
        Some(value)
    })
}

fn from_yaml(value: serde_yaml_ng::Value) -> Value {
    use serde_yaml_ng::Value as Yaml;
    match value {
        Yaml::Null => Value::Null,
        Yaml::Bool(value) => Value::Bool(value),
        Yaml::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(number), ..) => number.into(),
            (_, Some(number), _) => number.into(),
            (.., number) => number.and_then(Number::from_f64).map_or(Value::Null, Value::Number),
        },
        Yaml::String(text) => Value::String(text),
        Yaml::Sequence(items) => items.into_iter().map(from_yaml).collect(),
        Yaml::Mapping(members) => {
            let members = members.into_iter().map(|(name, value)| (name_of(name), from_yaml(value)));
            Value::Object(members.collect())
        }
        Yaml::Tagged(tagged) => {
            let member = (tagged.tag.to_string(), from_yaml(tagged.value));
            Value::Object(Map::from_iter([member]))
        }
    }
}

fn name_of(key: serde_yaml_ng::Value) -> String {
    match from_yaml(key) {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

/// Byte offset of a line (from 1) and column (in bytes, from 1).
fn offset_of(bytes: &[u8], line: usize, column: usize) -> usize {
    let line_start = match line.checked_sub(2) {
        Some(ends_before) => memchr::memchr_iter(b'\n', bytes).nth(ends_before).map_or(0, |end| end + 1),
        None => 0,
    };
    (line_start + column.saturating_sub(1)).min(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn all(values: Values<'_>) -> (Vec<Value>, Option<usize>) {
        let (good, bad): (Vec<_>, Vec<_>) = values.partition(Result::is_ok);
        let offset = bad.into_iter().find_map(Result::err).map(|error| error.offset);
        (good.into_iter().filter_map(Result::ok).collect(), offset)
    }

    #[test]
    fn pages_and_lines_are_values_of_one_file() {
        assert_eq!(all(json(b"{\"a\":1}\n[2]{}")), (vec![json!({"a": 1}), json!([2]), json!({})], None));
        assert_eq!(all(json(b"{}\n{\"a\" 1}\n{}")), (vec![json!({})], Some(8)));
    }

    #[test]
    fn yaml_documents_merge_keys_and_tags_are_values() {
        let text = b"---\non: push\n1: yes\n---\n---\na: &a {x: 1}\nb: {<<: *a, y: !reference [c, d]}\n";
        let expected = vec![
            json!({"on": "push", "1": "yes"}),
            json!({"a": {"x": 1}, "b": {"x": 1, "y": {"!reference": ["c", "d"]}}}),
        ];
        assert_eq!(all(yaml(text)), (expected, None));
        let (values, offset) = all(yaml(b"a: 1\n---\nb: [1\n"));
        assert_eq!(values, [json!({"a": 1})]);
        assert!(offset.is_some());
    }

    #[test]
    fn an_unknown_alias_ends_the_stream() {
        for text in ["a: 1\nb: *c", "a: [*b]\n---\nc: 1\n", "a:\n  <<: *-\n"] {
            let (values, offset) = all(yaml(text.as_bytes()));
            assert_eq!((values.len(), offset.is_some()), (0, true), "{text}");
        }
    }

    #[test]
    fn nothing_is_read_behind_the_first_yaml_error() {
        // The parser goes on in the midst of the document and panics at the end of a mapping.
        let (values, offset) = all(yaml(b"a:\n  b: &c\n    d: e\n  f:\n    <<: *g\nh: i\n---\nj: k\n"));
        assert!(values.is_empty() && offset.is_some());
    }

    #[test]
    fn aliases_do_not_grow_without_bound() {
        let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..12 {
            let items = vec![format!("*a{}", level - 1); 10].join(", ");
            text.push_str(&format!("a{level}: &a{level} [{items}]\n"));
        }
        assert!(all(yaml(text.as_bytes())).1.is_some());
    }
}
