//! Rows that several platforms make alike.

use super::github::steps::guess;
use leakgraph_model::Key;
use leakgraph_model::tables::{Binding, EvidenceGap, Handoff, Step};

/// The binding of a name in a step; `None` is a value that is not shown, such as that of a
/// reference to a secret.
pub(crate) fn binding(step: &Step, place: &str, name: &str, value: Option<&str>, ordinal: usize) -> Binding {
    let state = match value {
        None => "masked",
        Some("") => "empty",
        Some(text) if text.bytes().all(|byte| byte == b'*') => "masked",
        Some(text) if text.contains("***") => "partial",
        Some(_) => "clear",
    };
    Binding {
        binding_key: Key::of("binding", &[&step.step_key.to_string(), place, name, &ordinal.to_string()]),
        step_key: step.step_key,
        job_key: step.job_key,
        place: place.to_owned(),
        name: name.to_owned(),
        state: state.to_owned(),
        value_bytes: value
            .filter(|_| state == "clear")
            .map(|text| i64::try_from(text.len()).unwrap_or(i64::MAX)),
        guessed_kind: guess(name).to_owned(),
        byte_offset: 0,
        source_key: step.source_key,
    }
}

/// A run that another one started as its child, both named by the platform: whichever side
/// says so, it is the same handoff.
pub(crate) fn child_run(parent: Key, child: Key, source_key: Key) -> Handoff {
    between(Some(parent), Some(child), "child_run", source_key)
}

/// A handoff between two runs, keyed so that both sides tell the same one.
pub(crate) fn between(parent: Option<Key>, child: Option<Key>, mechanism: &str, source_key: Key) -> Handoff {
    let text = |key: Option<Key>| key.map_or_else(String::new, |key| key.to_string());
    Handoff {
        handoff_key: Key::of("handoff", &[&text(parent), &text(child), mechanism]),
        parent_run_key: parent,
        child_run_key: child,
        link_method: "explicit_id".to_owned(),
        confidence: 1.0,
        ..sent(mechanism, source_key)
    }
}

/// A handoff of which no run is known yet.
pub(crate) fn sent(mechanism: &str, source_key: Key) -> Handoff {
    Handoff {
        mechanism: mechanism.to_owned(),
        credential_kind: "unknown".to_owned(),
        crosses: "none".to_owned(),
        link_method: "unlinked".to_owned(),
        gate: "unknown".to_owned(),
        evidence: "rest".to_owned(),
        source_key,
        ..Handoff::default()
    }
}

/// A piece of evidence that is missing.
pub(crate) fn gap(subject: Key, table: &str, analytic: &str, gap: &str, effect: &str) -> EvidenceGap {
    EvidenceGap {
        subject_key: subject,
        subject_table: table.to_owned(),
        analytic: analytic.to_owned(),
        gap: gap.to_owned(),
        effect: effect.to_owned(),
    }
}
