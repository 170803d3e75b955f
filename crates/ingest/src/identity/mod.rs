//! Identity inventories, one module per platform.

pub(crate) mod access_keys;
mod aws;
mod github;
pub(crate) mod kubernetes;
pub(crate) mod oidc;

use crate::importer::{Importer, Recognised};
use crate::shapes::Shape;
use crate::{Document, TextSink};
use leakgraph_model::Evidence;
use serde_json::Value;

/// IAM of Amazon Web Services.
pub(crate) struct Aws;

impl Importer for Aws {
    fn platform(&self) -> &'static str {
        "aws"
    }

    fn recognise_value(&self, _path: &str, value: &Value) -> Option<Recognised> {
        aws::recognise(value).or_else(|| access_keys::recognise(value))
    }

    fn import_value(
        &self,
        kind: &'static str,
        document: &Document<'_>,
        value: &Value,
        _sink: &mut dyn TextSink,
    ) -> Evidence {
        match kind {
            "aws_access_keys" => access_keys::import(document, value),
            _ => aws::import(document, value),
        }
    }
}

/// Apps, tokens, deploy keys and environments of GitHub.
pub(crate) struct GitHub;

impl Importer for GitHub {
    fn platform(&self) -> &'static str {
        "github"
    }

    fn recognise_value(&self, _path: &str, value: &Value) -> Option<Recognised> {
        github::recognise(value)
    }

    fn scans_whole(&self, kind: &str) -> Option<&'static str> {
        // Variables are no secrets, and yet some are.
        (kind == "github_variables").then_some("json")
    }

    fn shapes(&self) -> &'static [Shape] {
        github::SHAPES
    }

    fn import_value(
        &self,
        kind: &'static str,
        document: &Document<'_>,
        value: &Value,
        _sink: &mut dyn TextSink,
    ) -> Evidence {
        github::import(kind, document, value)
    }
}
