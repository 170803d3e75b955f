//! Updates: requests of a client to a running execution, which answers them.
//!
//! temporalio/api, `temporal/api/update/v1/message.proto` (Request: Meta, Input). One that a
//! validator refuses leaves no event.

use super::History;
use crate::value::{text, time};
use crate::workflow::rows::sent;
use leakgraph_model::Key;
use leakgraph_model::tables::Handoff;
use serde_json::Value;

impl<'a> History<'a, '_> {
    /// An update that was admitted, or accepted: its request is in one of the events, or in both.
    pub(super) fn updated(&mut self, event: &'a Value, attributes: &'a Value) {
        let Some(request) = attributes.get("acceptedRequest").or_else(|| attributes.get("request")) else {
            return;
        };
        let update = text(request, "/meta/updateId").or_else(|| text(attributes, "/protocolInstanceId"));
        let child = self.run.run_key;
        let handoff_key = Key::of("handoff", &[&child.to_string(), "update", &update.unwrap_or_default()]);
        if self.evidence.handoffs.iter().any(|row| row.handoff_key == handoff_key) {
            return;
        }
        let handoff = Handoff {
            handoff_key,
            child_run_key: Some(child),
            child_workflow: self.run.workflow_name.clone(),
            credential_subject: text(request, "/meta/identity").filter(|identity| !identity.is_empty()),
            link_method: "explicit_id".to_owned(),
            confidence: 1.0,
            sent_at: time(event, "/eventTime"),
            ..sent("update", self.document.source_key)
        };
        let name = text(request, "/input/name").unwrap_or_default();
        self.hand_over(
            handoff,
            &[(&name, request.pointer("/input/args")), ("header", request.pointer("/input/header"))],
        );
    }
}
