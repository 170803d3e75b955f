//! Files of a repository as the API answers them: `content` in base64, beside their path.
//!
//! GitLab documentation, "Repository files API", "Retrieve a file from a repository". The
//! answer names no project; the request does, where the file is named after it.

use super::definition;
use crate::importer::Recognised;
use crate::reader::incomplete;
use crate::value::text;
use crate::workflow::github::contents::decoded;
use crate::{Document, TextContext, TextSink, documents};
use leakgraph_model::Evidence;
use serde_json::Value;

pub(super) fn recognise(value: &Value) -> Option<Recognised> {
    let is_file = text(value, "/encoding").as_deref() == Some("base64")
        && ["file_name", "file_path", "content", "blob_id", "commit_id"]
            .iter()
            .all(|member| value.get(member).is_some_and(Value::is_string));
    is_file.then(|| {
        Recognised::new("contents_json", "a file of a repository: `content` in base64 with `blob_id`")
    })
}

pub(super) fn import(document: &Document<'_>, value: &Value, sink: &mut dyn TextSink) -> Evidence {
    let mut evidence = Evidence::default();
    let Some(bytes) = decoded(value) else {
        evidence.problems.extend(incomplete(document, 1, "files are not in base64"));
        return evidence;
    };
    let name = text(value, "/file_path").unwrap_or_default();
    // Beside the answer, whose place tells the project.
    let folder = document.path.rfind(['/', '\\']).and_then(|end| document.path.get(..=end)).unwrap_or("");
    let path = format!("{folder}{name}");
    let is_yaml = name.ends_with(".yml") || name.ends_with(".yaml");
    for (part, value) in documents::yaml(&bytes).map_while(Result::ok).filter(|_| is_yaml).enumerate() {
        if definition::recognise(&path, &value).is_some() {
            let file = Document { path: &path, bytes: &bytes, part, ..*document };
            evidence.append(definition::import(&file, &value));
        }
    }
    for row in &mut evidence.workflow_definitions {
        row.definition_ref = row.definition_ref.take().or_else(|| text(value, "/ref"));
    }
    let place = if is_yaml { "yaml" } else { "json" };
    let context =
        TextContext { name: Some(name), ..TextContext::of(document.path, document.source_key, place) };
    sink.text(&context, &bytes);
    evidence
}
