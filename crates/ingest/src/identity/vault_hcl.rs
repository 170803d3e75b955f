//! HashiCorp Vault: policy documents, in HCL or JSON.
//!
//! Format: Vault, "Policies": blocks `path "secret/data/app/*" { capabilities = […] }` with
//! `allowed_parameters` and the like, or the older `policy = "read"`. HCL's JSON form has the
//! same members: `{"path": {"secret/*": {"capabilities": […]}}}`. Of HCL only what policies use
//! is read: strings, numbers, booleans, lists, objects and comments.

use serde_json::{Map, Value};

/// Deeper values than this are no policy.
const MAX_DEPTH: usize = 32;

/// A block of a policy: a path and its members.
pub(super) type Block = (String, Map<String, Value>);

/// Whether a text begins as a policy does.
pub(super) fn is_policy(text: &str) -> bool {
    let mut reader = Reader { rest: text.trim_start_matches('\u{feff}') };
    reader.blank();
    reader.word() == Some("path") && reader.string().is_some() && {
        reader.blank();
        reader.rest.starts_with('{')
    }
}

/// The blocks of a policy in HCL or JSON; `Err` is the byte at which it ends to be one.
pub(super) fn blocks(text: &str) -> Result<Vec<Block>, usize> {
    let start = text.trim_start_matches('\u{feff}');
    if start.trim_start().starts_with('{') {
        return of_json(serde_json::from_str(start).map_err(|_| 0_usize)?);
    }
    let mut reader = Reader { rest: start };
    let mut blocks = Vec::new();
    loop {
        reader.blank();
        if reader.rest.is_empty() {
            return Ok(blocks);
        }
        let at = text.len() - reader.rest.len();
        blocks.push(reader.block().ok_or(at)?);
    }
}

/// The blocks of the JSON form: one object, or a list of them.
pub(super) fn of_json(value: Value) -> Result<Vec<Block>, usize> {
    let Value::Object(mut document) = value else { return Err(0) };
    let paths = match document.remove("path") {
        Some(Value::Object(paths)) => vec![paths],
        Some(Value::Array(list)) => list
            .into_iter()
            .map(|item| if let Value::Object(paths) = item { Ok(paths) } else { Err(0_usize) })
            .collect::<Result<_, _>>()?,
        _ => return Err(0),
    };
    let body = |(path, body): (String, Value)| match body {
        Value::Object(members) => Ok((path, members)),
        // HCL writes blocks of one path as lists of one.
        Value::Array(mut list) => match (list.pop(), list.is_empty()) {
            (Some(Value::Object(members)), true) => Ok((path, members)),
            _ => Err(0),
        },
        _ => Err(0),
    };
    paths.into_iter().flatten().map(body).collect()
}

struct Reader<'t> {
    rest: &'t str,
}

impl<'t> Reader<'t> {
    /// Skips white space and comments.
    fn blank(&mut self) {
        loop {
            self.rest = self.rest.trim_start();
            let line = self.rest.starts_with('#') || self.rest.starts_with("//");
            if line {
                self.rest = self.rest.split_once('\n').map_or("", |(_, rest)| rest);
            } else if let Some(comment) = self.rest.strip_prefix("/*") {
                self.rest = comment.split_once("*/").map_or("", |(_, rest)| rest);
            } else {
                return;
            }
        }
    }

    fn eat(&mut self, letter: char) -> bool {
        self.blank();
        match self.rest.strip_prefix(letter) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn word(&mut self) -> Option<&'t str> {
        self.blank();
        let is_end = |letter: char| !(letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-' | '.'));
        let end = self.rest.find(is_end).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at_checked(end).filter(|(word, _)| !word.is_empty())?;
        self.rest = rest;
        Some(word)
    }

    fn string(&mut self) -> Option<String> {
        self.blank();
        let mut letters = self.rest.strip_prefix('"')?.char_indices();
        let body = self.rest.get(1..)?;
        let mut text = String::new();
        while let Some((at, letter)) = letters.next() {
            match letter {
                '"' => {
                    self.rest = body.get(at + 1..)?;
                    return Some(text);
                }
                '\\' => text.push(match letters.next()?.1 {
                    'n' => '\n',
                    't' => '\t',
                    other => other,
                }),
                '\n' => return None,
                other => text.push(other),
            }
        }
        None
    }

    fn block(&mut self) -> Option<Block> {
        (self.word()? == "path").then_some(())?;
        let path = self.string()?;
        self.eat('=');
        match self.object(0)? {
            Value::Object(members) => Some((path, members)),
            _ => None,
        }
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        self.blank();
        match self.rest.chars().next()? {
            '"' => self.string().map(Value::String),
            '[' if depth < MAX_DEPTH => self.list(depth + 1),
            '{' if depth < MAX_DEPTH => self.object(depth + 1),
            _ => {
                let word = self.word()?;
                let number = word.parse::<i64>().ok().map(Value::from);
                match word {
                    "true" => Some(Value::Bool(true)),
                    "false" => Some(Value::Bool(false)),
                    _ => number,
                }
            }
        }
    }

    fn list(&mut self, depth: usize) -> Option<Value> {
        self.eat('[').then_some(())?;
        let mut items = Vec::new();
        while !self.eat(']') {
            items.push(self.value(depth)?);
            // The last one may have a comma, too.
            if !self.eat(',') {
                self.eat(']').then_some(())?;
                break;
            }
        }
        Some(Value::Array(items))
    }

    fn object(&mut self, depth: usize) -> Option<Value> {
        self.eat('{').then_some(())?;
        let mut members = Map::new();
        while !self.eat('}') {
            self.blank();
            let name = if self.rest.starts_with('"') { self.string()? } else { self.word()?.to_owned() };
            // Objects stand without an equals sign, too; JSON has a colon.
            let _ = self.eat('=') || self.eat(':');
            members.insert(name, self.value(depth)?);
            self.eat(',');
        }
        Some(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    /// The examples of "Policies", shortened.
    const POLICY: &str = r#"# This section grants all access on "secret/*"
path "secret/*" {
  capabilities = ["create", "read", "update",]
}
/* no access */ path "secret/super-secret" { capabilities = ["deny"] }
path "secret/restricted" {
  capabilities = ["create"] // one
  allowed_parameters = {
    "foo" = []
    "bar" = ["zip", "zap"]
  }
  min_wrapping_ttl = "1s"
}
path "old/*" { policy = "write" }
"#;

    #[test]
    fn hcl_and_json_hold_the_same_blocks() {
        assert!(is_policy(POLICY) && !is_policy("path = 1") && !is_policy("resource \"x\" {}"));
        let found = blocks(POLICY).unwrap();
        let paths: Vec<_> = found.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(paths, ["secret/*", "secret/super-secret", "secret/restricted", "old/*"]);
        assert_eq!(
            Value::Object(found[2].1.clone()),
            json!({"capabilities": ["create"],
            "allowed_parameters": {"foo": [], "bar": ["zip", "zap"]}, "min_wrapping_ttl": "1s"})
        );
        let json = json!({"path": {"secret/*": {"capabilities": ["read"]}}}).to_string();
        assert_eq!(blocks(&json).unwrap()[0].0, "secret/*");
        assert_eq!(blocks("path \"a\" { capabilities = [\"read\"] }\npath \"b\" {"), Err(37));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[pathc{}\\[\\]\"=,#/* \\n\\\\é]{0,60}") {
            let within = |found: Result<Vec<Block>, usize>, text: &str| found.map_or_else(|at| at, |found| found.len()) <= text.len();
            prop_assert!(within(blocks(&text), &text));
            let text = format!("path \"a\" {{ {text} }}");
            prop_assert!(within(blocks(&text), &text));
        }
    }
}
