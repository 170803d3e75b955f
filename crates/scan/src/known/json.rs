//! Known secrets in JSON, as the vaults' own tools print them.
//!
//! Shapes: HashiCorp Vault `kv get -format=json` (KV v1 and v2), AWS Secrets Manager
//! `get-secret-value` and `batch-get-secret-value`, Google `secrets versions access`,
//! Azure `keyvault secret show`, Kubernetes `kind: Secret`, 1Password
//! `op item get --format json`. Everything else is read leaf by leaf.

use super::import::{Import, ImportError};
use super::{Refusal, json};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use serde_json::{Map, Value};
use zeroize::Zeroize;

type Object = Map<String, Value>;

pub(super) const NO_VALUES: &str = "a list of names without values: GitHub never returns the values of secrets, so they \
     cannot be looked for; import from the place they were set from";

pub(super) fn read(import: &mut Import, origin: &str, bytes: &[u8]) -> Result<(), ImportError> {
    let fail = |line: usize, reason: String| ImportError { origin: origin.to_owned(), line, reason };
    let mut value: Value = serde_json::from_slice(bytes)
        .map_err(|error| fail(error.line(), format!("not JSON (column {})", error.column())))?;
    let is_read = document(import, origin, &mut value);
    json::wipe(&mut value);
    is_read.map_err(|reason| fail(0, reason.to_owned()))
}

/// Strings that were not taken hold secrets, too.
pub(super) fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(wipe),
        Value::Object(members) => members.values_mut().for_each(wipe),
        _ => {}
    }
}

fn document(import: &mut Import, origin: &str, value: &mut Value) -> Result<(), &'static str> {
    match value {
        Value::Array(items) if is_name_list(items) => Err(NO_VALUES),
        Value::Array(items) => items.iter_mut().try_for_each(|item| document(import, origin, item)),
        Value::Object(members) => object(import, origin, members),
        Value::String(_) => {
            leaf(import, value, origin, origin);
            Ok(())
        }
        _ => Err("neither an object, a list nor a string"),
    }
}

/// `gh secret list --json name,updatedAt` and the lists of the REST API.
fn is_name_list(items: &[Value]) -> bool {
    let is_name = |item: &Value| {
        let Value::Object(item) = item else { return false };
        item.contains_key("name")
            && item
                .keys()
                .any(|key| ["updatedAt", "updated_at", "created_at", "visibility"].contains(&key.as_str()))
            && !item.contains_key("value")
    };
    !items.is_empty() && items.iter().all(is_name)
}

fn object(import: &mut Import, origin: &str, members: &mut Object) -> Result<(), &'static str> {
    let has = |key: &str| members.contains_key(key);
    if let (true, Some(Value::Array(items))) = (has("total_count"), members.get("secrets"))
        && is_name_list(items)
    {
        return Err(NO_VALUES);
    }
    if has("SecretValues") {
        aws_batch(import, origin, members);
    } else if has("SecretString") || has("SecretBinary") {
        aws(import, origin, members);
    } else if has("lease_duration") && has("data") {
        vault(import, origin, members);
    } else if has("fields") && has("vault") {
        one_password(import, origin, members);
    } else if text(members, "kind") == "Secret" && (has("data") || has("stringData")) {
        kubernetes(import, origin, members);
    } else if members.get("payload").and_then(|payload| payload.get("data")).is_some_and(Value::is_string) {
        google(import, origin, members);
    } else if has("value")
        && (has("name") || has("key"))
        && members.get("value").is_some_and(Value::is_string)
    {
        let name = [text(members, "name"), text(members, "key")].into_iter().find(|name| !name.is_empty());
        let name = name.unwrap_or_default();
        let id = text(members, "id");
        let path = if id.is_empty() { format!("{origin}#{name}") } else { id };
        if let Some(value) = members.get_mut("value") {
            leaf(import, value, &name, &path);
        }
    } else {
        for (key, value) in members.iter_mut() {
            nested(import, value, key, &format!("{origin}#{key}"));
        }
    }
    Ok(())
}

fn text(members: &Object, key: &str) -> String {
    members.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// Every string below `value`; numbers, truth values and nothing are no secrets.
fn nested(import: &mut Import, value: &mut Value, name: &str, path: &str) {
    match value {
        Value::String(_) => leaf(import, value, name, path),
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                nested(import, item, name, &format!("{path}.{index}"));
            }
        }
        Value::Object(members) => {
            for (key, member) in members.iter_mut() {
                nested(import, member, key, &format!("{path}.{key}"));
            }
        }
        _ => {}
    }
}

/// Moves a string out: its bytes are not copied.
fn leaf(import: &mut Import, value: &mut Value, name: &str, path: &str) {
    if let Value::String(text) = value {
        import.add(std::mem::take(text).into_bytes(), name, path);
    }
}

fn decoded(import: &mut Import, value: Option<&Value>, name: &str, path: &str) {
    let text = value.and_then(Value::as_str).unwrap_or_default();
    match STANDARD.decode(text).or_else(|_| URL_SAFE.decode(text)) {
        Ok(bytes) if !bytes.is_empty() => import.add(bytes, name, path),
        _ => import.refuse(name, path, Refusal::NoValue),
    }
}

/// KV v2 wraps the data together with `metadata`; v1 does not.
fn vault(import: &mut Import, origin: &str, members: &mut Object) {
    let Some(Value::Object(data)) = members.get_mut("data") else { return };
    let is_v2 = data.get("metadata").is_some_and(Value::is_object) && data.contains_key("data");
    let data = match data.get_mut("data") {
        Some(Value::Object(inner)) if is_v2 => inner,
        // A deleted version has no data.
        _ if is_v2 => return import.refuse(origin, origin, Refusal::NoValue),
        _ => data,
    };
    for (key, value) in data.iter_mut() {
        nested(import, value, key, &format!("{origin}#{key}"));
    }
}

fn aws_batch(import: &mut Import, origin: &str, members: &mut Object) {
    if let Some(Value::Array(items)) = members.get_mut("SecretValues") {
        for item in items {
            if let Value::Object(item) = item {
                aws(import, origin, item);
            }
        }
    }
    if let Some(Value::Array(errors)) = members.get("Errors") {
        for error in errors {
            let id = error.get("SecretId").and_then(Value::as_str).unwrap_or_default();
            import.refuse(id, id, Refusal::NoValue);
        }
    }
}

fn aws(import: &mut Import, origin: &str, members: &mut Object) {
    let (name, arn) = (text(members, "Name"), text(members, "ARN"));
    let path = if arn.is_empty() { origin.to_owned() } else { arn };
    if members.contains_key("SecretBinary") {
        return decoded(import, members.get("SecretBinary"), &name, &path);
    }
    let Some(value) = members.get_mut("SecretString") else {
        return import.refuse(&name, &path, Refusal::NoValue);
    };
    // The console stores key/value pairs as JSON in the string.
    match value.as_str().and_then(|text| serde_json::from_str(text).ok()) {
        Some(Value::Object(mut inner)) => {
            for (key, member) in inner.iter_mut() {
                nested(import, member, key, &format!("{path}#{key}"));
            }
            inner.values_mut().for_each(wipe);
        }
        _ => leaf(import, value, &name, &path),
    }
}

fn google(import: &mut Import, origin: &str, members: &Object) {
    let path = text(members, "name");
    let path = if path.is_empty() { origin.to_owned() } else { path };
    // projects/P/secrets/NAME/versions/N
    let name = path.split('/').nth(3).unwrap_or(&path).to_owned();
    decoded(import, members.get("payload").and_then(|payload| payload.get("data")), &name, &path);
}

fn kubernetes(import: &mut Import, origin: &str, members: &mut Object) {
    let metadata = members.get("metadata");
    let part =
        |key: &str| metadata.and_then(|data| data.get(key)).and_then(Value::as_str).unwrap_or_default();
    let path = format!("{origin}#{}/{}", part("namespace"), part("name"));
    if let Some(Value::Object(data)) = members.get("data") {
        for (key, value) in data {
            decoded(import, Some(value), key, &format!("{path}/{key}"));
        }
    }
    if let Some(Value::Object(data)) = members.get_mut("stringData") {
        for (key, value) in data.iter_mut() {
            leaf(import, value, key, &format!("{path}/{key}"));
        }
    }
}

/// Fields of type `CONCEALED` and `OTP` are secret; notes may be.
fn one_password(import: &mut Import, origin: &str, members: &mut Object) {
    let title = text(members, "title");
    let vault = members.get("vault").and_then(|vault| vault.get("name")).and_then(Value::as_str);
    let folder = format!("op://{}/{title}", vault.unwrap_or(origin));
    let Some(Value::Array(fields)) = members.get_mut("fields") else { return };
    for field in fields {
        let Value::Object(field) = field else { continue };
        let label = text(field, "label");
        let label = if label.is_empty() { text(field, "id") } else { label };
        let reference = text(field, "reference");
        let path = if reference.is_empty() { format!("{folder}/{label}") } else { reference };
        let is_secret = ["CONCEALED", "OTP", "SSHKEY"].contains(&text(field, "type").as_str())
            || text(field, "purpose") == "NOTES";
        match field.get_mut("value") {
            Some(value) if is_secret => leaf(import, value, &label, &path),
            Some(_) => import.refuse(&label, &path, Refusal::NotSecret),
            None if is_secret => import.refuse(&label, &path, Refusal::NoValue),
            None => {}
        }
    }
}
