//! Kubernetes manifests of kind Secret: values are base 64 under `data:`, clear under
//! `stringData:` (kubernetes.io, "Secrets"). One value is one secret, whatever it looks
//! like, so this reads lines and not tokens.

use super::codec::{Bytes, base64};
use crate::gate::is_placeholder;
use aho_corasick::AhoCorasick;
use regex_automata::Span;

/// A manifest ends after so many lines, at the latest.
const MAX_LINES: usize = 200;
/// Shorter values hold no secret.
const MIN_VALUE_BYTES: usize = 6;
const KINDS: [&str; 4] = ["kind: Secret", "\"kind\":\"Secret\"", "\"kind\": \"Secret\"", "kind: \"Secret\""];

/// One value of a manifest.
pub(crate) struct Entry {
    pub(crate) name: Span,
    pub(crate) value: Span,
    /// The value decoded, if it stands encoded.
    pub(crate) decoded: Option<Bytes>,
}

pub(crate) struct Manifests {
    kinds: AhoCorasick,
}

impl Manifests {
    pub(crate) fn new() -> Result<Self, aho_corasick::BuildError> {
        Ok(Self { kinds: AhoCorasick::new(KINDS)? })
    }

    /// Every value of every manifest in a text.
    pub(crate) fn find(&self, text: &[u8], mut found: impl FnMut(Entry)) {
        let mut done = 0;
        for hit in self.kinds.find_iter(text) {
            // `kind: SecretStore` is another kind.
            if text.get(hit.end()).is_some_and(u8::is_ascii_alphanumeric) {
                continue;
            }
            // Said twice in one document, which has been read.
            if hit.start() < done {
                continue;
            }
            let start = document_start(text, hit.start()).max(done);
            done = read(text, start, &mut found);
        }
    }
}

/// Where the document around an offset begins: `data` may stand before `kind`.
fn document_start(text: &[u8], at: usize) -> usize {
    let mut start = at;
    for _ in 0..MAX_LINES {
        let Some(line) = memchr::memrchr(b'\n', text.get(..start).unwrap_or_default()) else { return 0 };
        if text.get(line + 1..start).unwrap_or_default().trim_ascii().starts_with(b"---") {
            return start;
        }
        start = line;
    }
    start
}

/// Reads a document from `start`; gives where it ends.
fn read(text: &[u8], start: usize, found: &mut impl FnMut(Entry)) -> usize {
    let mut at = start;
    // Indentation of the section that is open, and whether its values are encoded.
    let mut section: Option<(usize, bool)> = None;
    for _ in 0..2 * MAX_LINES {
        let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) else { break };
        let length = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        let line = rest.get(..length).unwrap_or_default();
        let indent = line.iter().take_while(|byte| **byte == b' ').count();
        let content = line.trim_ascii();
        if at > start && content.starts_with(b"---") {
            return at;
        }
        section = match section {
            Some((outer, _)) if indent <= outer && !content.is_empty() => None,
            open => open,
        };
        match content {
            b"data:" | b"\"data\": {" => section = Some((indent, true)),
            b"stringData:" | b"\"stringData\": {" => section = Some((indent, false)),
            _ => {
                if let Some((_, encoded)) = section {
                    entry(text, Span::from(at..at + length), encoded, found);
                }
                in_line(text, Span::from(at..at + length), found);
            }
        }
        at += length + 1;
    }
    at
}

/// `  name: value` of an open section.
fn entry(text: &[u8], line: Span, encoded: bool, found: &mut impl FnMut(Entry)) {
    let bytes = text.get(line.range()).unwrap_or_default();
    let Some(colon) = memchr::memchr(b':', bytes) else { return };
    let trimmed = |from: usize, to: usize| {
        let is_frame = |byte: &&u8| b" \t\"',\r".contains(byte);
        let part = bytes.get(from..to).unwrap_or_default();
        let before = part.iter().take_while(is_frame).count();
        let after = part.iter().rev().take_while(is_frame).count();
        let end = to.saturating_sub(after).max(from + before);
        Span::from(line.start + from + before..line.start + end)
    };
    emit(text, trimmed(0, colon), trimmed(colon + 1, bytes.len()), encoded, found);
}

/// `"data":{"name":"value",…}` on one line, as `kubectl -o json` and API replies print it.
fn in_line(text: &[u8], line: Span, found: &mut impl FnMut(Entry)) {
    let bytes = text.get(line.range()).unwrap_or_default();
    for (key, encoded) in [(&b"\"data\":{"[..], true), (b"\"stringData\":{", false)] {
        let Some(open) = memchr::memmem::find(bytes, key).map(|at| at + key.len()) else { continue };
        let body = bytes.get(open..).unwrap_or_default();
        let body = body.get(..memchr::memchr(b'}', body).unwrap_or(body.len())).unwrap_or_default();
        let quotes: Vec<usize> = memchr::memchr_iter(b'"', body).collect();
        for pair in quotes.chunks_exact(4) {
            let span =
                |from: usize, to: usize| Span::from(line.start + open + from + 1..line.start + open + to);
            emit(text, span(pair[0], pair[1]), span(pair[2], pair[3]), encoded, found);
        }
    }
}

fn emit(text: &[u8], name: Span, value: Span, encoded: bool, found: &mut impl FnMut(Entry)) {
    let bytes = text.get(value.range()).unwrap_or_default();
    if !encoded {
        if bytes.len() >= MIN_VALUE_BYTES && !is_placeholder(bytes) {
            found(Entry { name, value, decoded: None });
        }
        return;
    }
    let Some(decoded) = base64(bytes) else { return };
    // Certificates are public; keys among them have a form of their own.
    let is_pem = decoded.starts_with(b"-----BEGIN");
    let is_text = decoded.iter().all(|byte| (b' '..=b'~').contains(byte) || byte.is_ascii_whitespace());
    if decoded.len() >= MIN_VALUE_BYTES && is_text && !is_pem && !is_placeholder(&decoded) {
        found(Entry { name, value, decoded: Some(decoded) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<(String, String)> {
        let mut all = Vec::new();
        Manifests::new().unwrap().find(text.as_bytes(), |entry| {
            let value = match &entry.decoded {
                Some(bytes) => bytes.to_vec(),
                None => text.as_bytes()[entry.value.range()].to_vec(),
            };
            let name = text.get(entry.name.range()).unwrap();
            all.push((name.to_owned(), String::from_utf8(value).unwrap()));
        });
        all
    }

    #[test]
    fn data_is_decoded_and_string_data_is_not() {
        let text = "apiVersion: v1\ndata:\n  password: RmFrM1Bhc3N3MHJkIQ==\n  ca.crt: LS0tLS1CRUdJTg==\nkind: Secret\nstringData:\n  user: 'abcdefgh1'\nmetadata:\n  name: not-a-value\n---\nkind: ConfigMap\ndata:\n  a: RmFrM1Bhc3N3MHJkIQ==\n";
        let want = [("password", "Fak3Passw0rd!"), ("user", "abcdefgh1")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(names(text), want);
    }

    #[test]
    fn json_on_one_line_is_read() {
        let text = r#"{"kind":"Secret","data":{"db-pass":"RmFrM1Bhc3N3MHJkIQ==","n":"MQ=="}}"#;
        assert_eq!(names(text), [("db-pass".to_owned(), "Fak3Passw0rd!".to_owned())]);
        // A kind that is said twice does not make a secret of the next document.
        let twice = "kind: Secret\nkind: Secret\n---\nkind: ConfigMap\ndata:\n  a: RmFrM1Bhc3N3MHJkIQ==\n";
        assert_eq!(names(twice), []);
        assert_eq!(names("kind: SecretStore\ndata:\n  a: RmFrM1Bhc3N3MHJkIQ==\n"), []);
    }
}
