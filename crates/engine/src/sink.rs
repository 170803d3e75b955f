//! Scans the text importers come upon and turns sightings into rows.

use crate::Detection;
use leakgraph_ingest::{Mark, TextContext, TextSink};
use leakgraph_model::tables::{Binding, EvidenceGap, MaskAnomaly, Secret, SecretSighting, SourceFile};
use leakgraph_model::{Evidence, Key, Timestamp};
use leakgraph_scan::{MaskOutcome, MaskSimulations, Sighting, Worker, mask_anomalies};
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};
use zeroize::Zeroize as _;

/// Values shorter than this identify nothing and are not fingerprinted.
const MIN_IDENTIFYING_BYTES: usize = 8;

/// Kinds that name a credential and open nothing: tables are joined by them.
const IDENTIFIERS: [&str; 1] = ["aws_access_key_id"];

/// Places of texts that a platform's masker has seen.
const MASKED_PLACES: [&str; 6] =
    ["log", "script_echo", "env_binding", "with_binding", "job_output", "system"];

/// One worker's sink: rows of `secrets`, `secret_sightings` and `mask_anomalies`.
pub(crate) struct ScanSink<'s> {
    worker: Worker<'s>,
    redactors: Vec<Worker<'s>>,
    key_id: String,
    pub(crate) secrets: Vec<Secret>,
    pub(crate) sightings: Vec<SecretSighting>,
    /// Of each sighting what maskers would have done.
    masks: Vec<MaskSimulations>,
    pub(crate) anomalies: Vec<MaskAnomaly>,
    pub(crate) gaps: Vec<EvidenceGap>,
    pub(crate) bytes: u64,
}

impl<'s> ScanSink<'s> {
    pub(crate) fn new(detection: &'s Detection) -> Self {
        Self {
            worker: detection.scanner().worker(),
            redactors: detection.redactors(),
            key_id: detection.scanner().key_id().to_owned(),
            secrets: Vec::new(),
            sightings: Vec::new(),
            masks: Vec::new(),
            anomalies: Vec::new(),
            gaps: Vec::new(),
            bytes: 0,
        }
    }

    /// Takes out of rows the secrets that their texts quote: a step is named after
    /// its command, an archive member after its step, a run after its commit.
    pub(crate) fn redact(&mut self, evidence: &mut Evidence) {
        // Rows repeat each other, and no text goes on in the next: an empty line says so.
        let mut quoted = String::new();
        let (one, two) = (RandomState::new(), RandomState::new());
        let mut seen = HashSet::new();
        evidence.for_each_text(&mut |text| {
            if seen.insert((one.hash_one(&*text), two.hash_one(&*text))) {
                quoted.push_str(text);
                quoted.push_str("\n\n");
            }
        });
        for worker in &mut self.redactors {
            // One scan of all texts tells in most cases that there is nothing to do.
            if worker.redacted(&quoted, &IDENTIFIERS).is_some() {
                evidence.for_each_text(&mut |text| {
                    if let Some(redacted) = worker.redacted(text, &IDENTIFIERS) {
                        *text = redacted;
                    }
                });
            }
        }
        quoted.zeroize();
    }

    fn gap(&mut self, context: &TextContext, gap: String, effect: &str) {
        self.gaps.push(EvidenceGap {
            subject_key: context.source_key,
            subject_table: "source_files".to_owned(),
            analytic: "scan".to_owned(),
            gap,
            effect: effect.to_owned(),
        });
    }

    /// Says of each sighting what the masker of its platform would have done: which platform
    /// a text is of is known when its file was read.
    pub(crate) fn simulate_masks(&mut self, files: &[SourceFile]) {
        let platforms: HashMap<Key, &str> =
            files.iter().map(|file| (file.source_key, file.platform.as_str())).collect();
        for (sighting, masks) in self.sightings.iter_mut().zip(&self.masks) {
            let is_seen = MASKED_PLACES.contains(&sighting.place.as_str());
            let platform = platforms.get(&sighting.source_key).filter(|_| is_seen);
            let said = masks.on(platform.copied().unwrap_or_default());
            sighting.mask_simulation = Some(said.outcome.as_str().to_owned());
            sighting.mask_form = (said.outcome != MaskOutcome::Unknown).then(|| said.form.to_owned());
        }
    }

    fn odd_masks(&mut self, context: &TextContext, bytes: &[u8]) {
        if !MASKED_PLACES.contains(&context.place) {
            return;
        }
        for odd in mask_anomalies(bytes) {
            let mark = mark_at(&context.marks, odd.offset);
            let member = leakgraph_ingest::member(&context.path);
            self.anomalies.push(MaskAnomaly {
                mask_anomaly_key: Key::of(
                    "mask_anomaly",
                    &[&context.source_key.to_string(), member, odd.kind.as_str()],
                ),
                run_key: context.run_key,
                job_key: context.job_key,
                step_key: mark.and_then(|mark| mark.step_key),
                source_key: context.source_key,
                path: context.path.clone(),
                kind: odd.kind.as_str().to_owned(),
                occurrences: count(odd.count),
                line: count(odd.line),
                byte_offset: count(odd.offset),
                seen_at: time_at(context, mark, bytes, odd.offset),
            });
        }
    }

    fn record(&mut self, context: &TextContext, text: &[u8], sighting: Sighting) {
        let mark = mark_at(&context.marks, sighting.offset);
        let secret_key = Key::of("secret", &[&self.key_id, &sighting.fingerprint]);
        let place = mark.map_or(context.place, |mark| mark.place);
        let seen_at = time_at(context, mark, text, sighting.offset);
        self.masks.push(sighting.masks);
        self.sightings.push(SecretSighting {
            sighting_key: Key::of(
                "sighting",
                &[
                    &context.source_key.to_string(),
                    leakgraph_ingest::member(&context.path),
                    context.name.as_deref().unwrap_or(""),
                    &sighting.offset.to_string(),
                    &sighting.fingerprint,
                    &sighting.rule,
                ],
            ),
            secret_key,
            run_key: context.run_key,
            job_key: context.job_key,
            step_key: mark.and_then(|mark| mark.step_key),
            handoff_key: context.handoff_key,
            source_key: context.source_key,
            path: context.path.clone(),
            line: count(sighting.line),
            byte_offset: count(sighting.offset),
            place: place.to_owned(),
            name: sighting
                .name
                .or_else(|| mark.and_then(|mark| mark.name.clone()))
                .or_else(|| context.name.clone()),
            encodings: sighting.encodings,
            masked_elsewhere: false,
            mask_simulation: None,
            mask_form: None,
            confidence: sighting.confidence.as_str().to_owned(),
            seen_at,
        });
        let resolved = sighting.resolved;
        let identity_key = resolved.as_ref().and_then(|resolved| {
            let native_id = resolved.native_id.as_deref()?;
            Some(leakgraph_model::tables::identity_key(&resolved.platform, native_id))
        });
        self.secrets.push(Secret {
            secret_key,
            fingerprint: sighting.fingerprint,
            key_id: self.key_id.clone(),
            rule: sighting.rule,
            provider: sighting.provider,
            kind: sighting.kind,
            value_bytes: count(sighting.value_bytes),
            preview: sighting.preview,
            confidence: sighting.confidence.as_str().to_owned(),
            verification: sighting.verification.as_str().to_owned(),
            lifetime: sighting.lifetime,
            severity: sighting.severity.to_string(),
            identity_key,
            resolved_by: resolved.as_ref().map(|resolved| resolved.by.clone()),
            resolved_subject: resolved.map(|resolved| resolved.subject),
            kept_as: sighting.known.iter().map(leakgraph_scan::known::KnownName::place).collect(),
            expires_at: sighting.expires_at,
            first_seen_at: seen_at,
            last_seen_at: seen_at,
        });
    }
}

/// Marks the sightings whose variable the job also showed masked. Names of action inputs
/// (`token`) mean something within their step only.
pub(crate) fn mark_masked(sightings: &mut [SecretSighting], bindings: &[Binding]) {
    let masked: HashSet<(Key, String)> = bindings
        .iter()
        .filter(|binding| binding.state == "masked")
        .map(|binding| {
            let scope = if binding.place == "with" { binding.step_key } else { binding.job_key };
            (scope, variable(&binding.name))
        })
        .collect();
    for sighting in sightings {
        let Some(name) = sighting.name.as_deref().map(variable) else { continue };
        let scopes = [sighting.job_key, sighting.step_key];
        sighting.masked_elsewhere =
            scopes.into_iter().flatten().any(|scope| masked.contains(&(scope, name.clone())));
    }
}

/// A variable's name without what runners and tools put before it: inputs of actions are
/// `INPUT_X`, variables of Terraform `TF_VAR_x`.
fn variable(name: &str) -> String {
    let name = name.to_ascii_lowercase().replace('-', "_");
    let bare = ["input_", "tf_var_", "env."].iter().find_map(|prefix| name.strip_prefix(prefix));
    bare.map_or_else(|| name.clone(), str::to_owned)
}

/// The mark that holds at `offset`.
fn mark_at(marks: &[Mark], offset: usize) -> Option<&Mark> {
    let after = marks.partition_point(|mark| mark.offset <= offset);
    marks.get(after.checked_sub(1)?)
}

/// The time of the line at `offset`: of its mark, or as the text tells it.
fn time_at(context: &TextContext, mark: Option<&Mark>, text: &[u8], offset: usize) -> Option<Timestamp> {
    mark.and_then(|mark| mark.at).or_else(|| context.clock.and_then(|clock| clock(text, offset)))
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

impl TextSink for ScanSink<'_> {
    fn text(&mut self, context: &TextContext, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.odd_masks(context, bytes);
        let scan = self.worker.scan_at(&context.path, bytes);
        for sighting in scan.sightings {
            self.record(context, bytes, sighting);
        }
        let mut reasons: Vec<&str> = scan.gaps.iter().map(|gap| gap.reason).collect();
        reasons.sort_unstable();
        reasons.dedup();
        for reason in reasons {
            self.gap(context, reason.to_owned(), "lower_bound_only");
        }
        for excused in scan.suppressed {
            let gap =
                format!("excused_by_{}: {} {}", excused.by.as_str(), excused.sighting.rule, excused.reason);
            self.gap(context, gap.trim_end().to_owned(), "excluded");
        }
    }

    fn fingerprint(&mut self, value: &[u8]) -> Option<String> {
        (value.len() >= MIN_IDENTIFYING_BYTES).then(|| self.worker.fingerprint(value))
    }
}
