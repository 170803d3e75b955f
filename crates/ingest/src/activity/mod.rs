//! Activity logs.

mod cloudtrail;
mod entra;
mod gcp;
mod iam_action;
pub(crate) mod kubernetes;
mod merge;
mod tally;

pub(crate) use merge::merge;

use crate::importer::{Importer, Recognised};
use crate::{Document, TextSink};
use leakgraph_model::Evidence;
use serde_json::Value;

/// CloudTrail of Amazon Web Services.
pub(crate) struct CloudTrail;

impl Importer for CloudTrail {
    fn platform(&self) -> &'static str {
        "aws"
    }

    fn recognise_value(&self, _path: &str, value: &Value) -> Option<Recognised> {
        cloudtrail::recognise(value)
    }

    fn import_value(
        &self,
        _kind: &'static str,
        document: &Document<'_>,
        value: &Value,
        _sink: &mut dyn TextSink,
    ) -> Evidence {
        cloudtrail::import(document, value)
    }
}

/// Sign-in logs of Microsoft Entra ID.
pub(crate) struct Entra;

impl Importer for Entra {
    fn platform(&self) -> &'static str {
        "azure"
    }

    fn recognise_value(&self, _path: &str, value: &Value) -> Option<Recognised> {
        entra::recognise(value)
    }

    fn import_value(
        &self,
        _kind: &'static str,
        document: &Document<'_>,
        value: &Value,
        _sink: &mut dyn TextSink,
    ) -> Evidence {
        entra::import(document, value)
    }
}

/// Cloud Audit Logs of Google Cloud.
pub(crate) struct GoogleCloud;

impl Importer for GoogleCloud {
    fn platform(&self) -> &'static str {
        "gcp"
    }

    fn recognise_value(&self, _path: &str, value: &Value) -> Option<Recognised> {
        gcp::recognise(value)
    }

    fn import_value(
        &self,
        _kind: &'static str,
        document: &Document<'_>,
        value: &Value,
        _sink: &mut dyn TextSink,
    ) -> Evidence {
        gcp::import(document, value)
    }
}
