//! Activity logs.

mod cloudtrail;
pub(crate) mod kubernetes;
mod merge;

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
