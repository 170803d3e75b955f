//! Values that a handoff carries: described in its row, and scanned.

use super::github::dispatch;
use crate::{TextContext, TextSink};
use leakgraph_model::tables::HandoffInput;
use leakgraph_model::{Evidence, Key};

/// The handoff that carries values, and where they were read.
pub(crate) struct Carrier<'a> {
    pub(crate) handoff_key: Key,
    /// The run that got them.
    pub(crate) run_key: Option<Key>,
    /// The job that got them.
    pub(crate) job_key: Option<Key>,
    pub(crate) path: &'a str,
    pub(crate) source_key: Key,
    /// webhook, api, yaml, disk.
    pub(crate) visible: &'static str,
}

impl Carrier<'_> {
    /// One value; `None` where the platform shows that there is one, but not which.
    pub(crate) fn carry(
        &self,
        name: &str,
        value: Option<&str>,
        evidence: &mut Evidence,
        sink: &mut dyn TextSink,
    ) {
        let Some(value) = value else {
            evidence.handoff_inputs.push(HandoffInput {
                handoff_key: self.handoff_key,
                name: name.to_owned(),
                value_class: "masked".to_owned(),
                visible: "none".to_owned(),
                source_key: self.source_key,
                ..HandoffInput::default()
            });
            return;
        };
        let row = dispatch::input(self.handoff_key, name, value, self.visible, self.source_key, sink);
        evidence.handoff_inputs.push(row);
        let context = TextContext {
            run_key: self.run_key,
            job_key: self.job_key,
            handoff_key: Some(self.handoff_key),
            name: Some(name.to_owned()),
            ..TextContext::of(self.path, self.source_key, "handoff_input")
        };
        // As an assignment, so that the name counts as context and the value as a value.
        sink.text(&context, format!("{name}={value}").as_bytes());
    }
}
