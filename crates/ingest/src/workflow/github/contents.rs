//! Files of a repository as the API answers them: `content` in base64, beside their path.
//!
//! GitHub documentation, REST API, "Get repository content"; larger files come with
//! `encoding: none` and no content.

use super::definition;
use crate::importer::Recognised;
use crate::reader::incomplete;
use crate::value::text;
use crate::{Document, TextContext, TextSink, documents};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use leakgraph_model::Evidence;
use serde_json::Value;

pub(super) fn recognise(value: &Value) -> Option<Recognised> {
    let is_file = text(value, "/type").as_deref() == Some("file")
        && text(value, "/encoding").as_deref() == Some("base64")
        && value.get("content").is_some_and(Value::is_string)
        && ["path", "sha", "git_url"].iter().all(|member| value.get(member).is_some());
    is_file.then(|| {
        Recognised::new("contents_json", "a file of a repository: `content` in base64 with `git_url`")
    })
}

/// The text of `content`, which comes in lines of 60 letters.
pub(crate) fn decoded(value: &Value) -> Option<Vec<u8>> {
    let letters: Vec<u8> =
        value.get("content")?.as_str()?.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    STANDARD.decode(letters).ok()
}

pub(super) fn import(document: &Document<'_>, value: &Value, sink: &mut dyn TextSink) -> Evidence {
    let Some(bytes) = decoded(value) else {
        let mut evidence = Evidence::default();
        evidence.problems.extend(incomplete(document, 1, "files are not in base64"));
        return evidence;
    };
    let path = text(value, "/path").unwrap_or_default();
    // `https://api.github.com/repos/O/N/contents/.github/workflows/ci.yml?ref=main`.
    let address = text(value, "/url").unwrap_or_default();
    let (place, query) = address.split_once('?').unwrap_or((&address, ""));
    let reference =
        query.split('&').find_map(|pair| pair.strip_prefix("ref=")).map(crate::percent::decoded_text);
    let is_yaml = path.ends_with(".yml") || path.ends_with(".yaml");
    let file = Document { path: if place.is_empty() { &path } else { place }, bytes: &bytes, ..*document };
    let mut evidence = Evidence::default();
    for value in documents::yaml(&bytes).map_while(Result::ok).filter(|_| is_yaml) {
        if let Some(known) = definition::recognise(&value) {
            evidence.append(definition::import(known.kind, &file, &value));
        }
    }
    for row in &mut evidence.workflow_definitions {
        row.definition_ref =
            row.definition_ref.take().or_else(|| reference.clone().map(|name| name.to_string()));
    }
    let place = if is_yaml { "yaml" } else { "json" };
    let context =
        TextContext { name: Some(path), ..TextContext::of(document.path, document.source_key, place) };
    sink.text(&context, &bytes);
    evidence
}
