//! Jenkins: console texts, build JSON and `build.xml`.
//!
//! Formats: Jenkins' sources (`Cause.java`, `ConsoleNote.java`), its plug-ins (workflow,
//! credentials-binding, pipeline-input-step, Timestamper) and real consoles. A build is one
//! run with one job: its agents and stages are steps.

mod build_xml;
mod causes;
mod console;
mod import;
mod place;
mod rest;
mod xml;

pub(crate) use place::Place;

use crate::importer::{Importer, Recognised, TextFile};
use crate::limits::Limits;
use crate::{Document, TextSink};
use leakgraph_model::{Evidence, Timestamp};
use serde_json::Value;

const PLATFORM: &str = "jenkins";

/// Builds of Jenkins.
pub(crate) struct Jenkins;

impl Importer for Jenkins {
    fn platform(&self) -> &'static str {
        PLATFORM
    }

    fn recognise_value(&self, _path: &str, value: &Value) -> Option<Recognised> {
        rest::recognise(value)
    }

    fn import_value(
        &self,
        _kind: &'static str,
        document: &Document<'_>,
        value: &Value,
        sink: &mut dyn TextSink,
    ) -> Evidence {
        rest::import(document, value, sink)
    }

    fn recognise_text(&self, file: TextFile<'_>) -> Option<Recognised> {
        if build_xml::is_build(file.bytes) {
            return Some(Recognised::new("build_xml", "a build with actions, as Jenkins keeps it"));
        }
        Some(Recognised::new("console", console::tell(file.bytes)?))
    }

    fn import_text(
        &self,
        kind: &'static str,
        file: TextFile<'_>,
        limits: &Limits,
        sink: &mut dyn TextSink,
    ) -> Evidence {
        match kind {
            "build_xml" => build_xml::import(file, limits, sink),
            _ => import::import(file, limits, sink),
        }
    }
}

/// A time as Jenkins writes it: milliseconds since 1970, up to the year 3000.
fn time(millis: i64) -> Option<Timestamp> {
    (1..=32_503_680_000_000).contains(&millis).then(|| Timestamp(millis * 1000))
}

/// When something ended that took so many milliseconds.
fn ended(start: Option<Timestamp>, duration: Option<i64>) -> Option<Timestamp> {
    let (start, duration) = start.zip(duration.filter(|duration| *duration > 0))?;
    time((start.0 / 1000).saturating_add(duration))
}

/// success, failure, … of a build's result.
fn conclusion(result: &str) -> Option<&'static str> {
    Some(match result {
        "SUCCESS" => "success",
        "FAILURE" => "failure",
        "UNSTABLE" => "unstable",
        "ABORTED" => "cancelled",
        "NOT_BUILT" => "skipped",
        _ => return None,
    })
}
