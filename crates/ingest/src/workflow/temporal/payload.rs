//! Payloads: data, and how it is encoded, both in base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// Whether a value is a payload: data with metadata that says how it is encoded.
fn is_payload(value: &Value) -> bool {
    value.pointer("/metadata/encoding").is_some_and(Value::is_string)
}

/// The payloads below a value, without what is not wanted.
pub(super) fn payloads<'v>(
    name: &str,
    value: &'v Value,
    wanted: &dyn Fn(&Value) -> bool,
    found: &mut Vec<(String, &'v Value)>,
) {
    match value {
        _ if !wanted(value) => {}
        _ if is_payload(value) => found.push((name.to_owned(), value)),
        Value::Object(members) => {
            for (member, value) in members {
                let path = if name.is_empty() { member.clone() } else { format!("{name}.{member}") };
                payloads(&path, value, wanted, found);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                payloads(&format!("{name}[{index}]"), item, wanted, found);
            }
        }
        _ => {}
    }
}

/// Decodes what is below a value; gives whether some of it is in an encoding of the user's own
/// and cannot be read.
pub(super) fn decode(name: &str, value: &Value, decoded: &mut Vec<(String, Value)>) -> bool {
    let mut found = Vec::new();
    payloads(name, value, &|_| true, &mut found);
    if found.is_empty() {
        decoded.push((name.to_owned(), value.clone()));
        return false;
    }
    let mut is_encoded = false;
    for (name, payload) in found {
        match plain(payload) {
            Some(value) => decoded.push((name.replace(".payloads", "").replace(".fields", ""), value)),
            None => is_encoded = true,
        }
    }
    is_encoded
}

/// The content of a payload, where it is in an encoding of Temporal's own
/// (`json/plain`, `json/protobuf`, `binary/plain`, `binary/null`).
fn plain(payload: &Value) -> Option<Value> {
    let bytes = |pointer: &str| STANDARD.decode(payload.pointer(pointer)?.as_str()?).ok();
    let encoding = bytes("/metadata/encoding")?;
    let data = || bytes("/data").unwrap_or_default();
    match encoding.as_slice() {
        b"json/plain" | b"json/protobuf" => {
            let data = data();
            let text = || Value::String(String::from_utf8_lossy(&data).into_owned());
            Some(serde_json::from_slice(&data).unwrap_or_else(|_| text()))
        }
        b"binary/plain" | b"binary/protobuf" => {
            Some(Value::String(String::from_utf8_lossy(&data()).into_owned()))
        }
        b"binary/null" => Some(Value::Null),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn payload(encoding: &str, data: &str) -> Value {
        json!({"metadata": {"encoding": STANDARD.encode(encoding)}, "data": STANDARD.encode(data)})
    }

    #[test]
    fn payloads_are_decoded_by_their_encoding() {
        assert_eq!(plain(&payload("json/plain", r#"{"a":1}"#)), Some(json!({"a": 1})));
        assert_eq!(plain(&payload("binary/plain", "abc")), Some(json!("abc")));
        assert_eq!(plain(&payload("binary/null", "")), Some(Value::Null));
        assert_eq!(plain(&payload("binary/encrypted", "…")), None);
        assert_eq!(plain(&payload("json/plain", "no json")), Some(json!("no json")));
    }

    #[test]
    fn the_words_of_the_envelope_are_no_names() {
        let input = json!({"payloads": [payload("json/plain", r#"{"to":"prod"}"#)]});
        let mut decoded = Vec::new();
        assert!(!decode("input", &input, &mut decoded));
        assert_eq!(decoded, [("input[0]".to_owned(), json!({"to": "prod"}))]);
        // The command line shows payloads decoded.
        decoded.clear();
        assert!(!decode("input", &json!(["prod"]), &mut decoded));
        assert_eq!(decoded, [("input".to_owned(), json!(["prod"]))]);
    }
}
