//! Artifacts from the job that uploads them to the jobs that download them.

use leakgraph_model::tables::Handoff;
use leakgraph_model::{Evidence, Key};
use std::collections::{HashMap, HashSet};

/// An artifact that a job uploaded.
struct Upload<'e> {
    handoff: Key,
    job: Option<Key>,
    name: &'e str,
}

/// Gives downloads the job that uploaded, by run and name: a name is that of one artifact
/// in a run. Uploads that were found again are then part of the download's row.
pub(super) fn link(evidence: &mut Evidence) {
    let mut names: HashMap<Key, &str> = HashMap::new();
    for input in &evidence.handoff_inputs {
        names.insert(input.handoff_key, &input.name);
    }
    let is_artifact = |handoff: &&Handoff| handoff.mechanism == "artifact";
    let mut uploads: HashMap<Key, Vec<Upload<'_>>> = HashMap::new();
    for upload in evidence.handoffs.iter().filter(is_artifact).filter(|row| row.child_job_key.is_none()) {
        if let (Some(run), Some(name)) = (upload.parent_run_key, names.get(&upload.handoff_key)) {
            let upload = Upload { handoff: upload.handoff_key, job: upload.parent_job_key, name };
            uploads.entry(run).or_default().push(upload);
        }
    }
    let mut found: HashSet<Key> = HashSet::new();
    for download in evidence.handoffs.iter_mut().filter(|row| row.mechanism == "artifact") {
        let Some(run) = download.parent_run_key.or(download.child_run_key) else { continue };
        if download.child_job_key.is_none() || download.parent_job_key.is_some() {
            continue;
        }
        let name = names.get(&download.handoff_key);
        let fits = |upload: &str| name.is_none_or(|name| is_like(name, upload));
        let of_run = uploads.get(&run).map(Vec::as_slice).unwrap_or_default();
        let fitting: Vec<_> = of_run.iter().filter(|upload| fits(upload.name)).collect();
        // Of several jobs, one would be a guess.
        let jobs: HashSet<_> = fitting.iter().map(|upload| upload.job).collect();
        if let ([first, ..], 1) = (fitting.as_slice(), jobs.len()) {
            download.parent_run_key = Some(run);
            download.parent_job_key = first.job;
            "explicit_id".clone_into(&mut download.link_method);
            download.confidence = 1.0;
            found.extend(fitting.iter().map(|upload| upload.handoff));
        }
    }
    evidence.handoffs.retain(|handoff| !found.contains(&handoff.handoff_key));
    evidence.handoff_inputs.retain(|input| !found.contains(&input.handoff_key));
}

/// Whether a name fits a name or a pattern with one `*`, as `logs-*`.
fn is_like(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        Some((start, end)) => {
            name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end)
        }
        None => pattern == name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use leakgraph_model::tables::HandoffInput;

    #[test]
    fn a_download_has_the_job_that_uploaded() {
        let key = |name: &str| Key::of("test", &[name]);
        let upload = |name: &str| Handoff {
            handoff_key: key(name),
            mechanism: "artifact".to_owned(),
            parent_run_key: Some(key("run")),
            parent_job_key: Some(key(&format!("job of {name}"))),
            ..Handoff::default()
        };
        let download = |name: &str| Handoff {
            handoff_key: key(&format!("get {name}")),
            mechanism: "artifact".to_owned(),
            child_run_key: Some(key("run")),
            child_job_key: Some(key("getter")),
            ..Handoff::default()
        };
        let named = |handoff: &Handoff, name: &str| HandoffInput {
            handoff_key: handoff.handoff_key,
            name: name.to_owned(),
            ..HandoffInput::default()
        };
        let (dist, logs) = (upload("dist"), upload("logs-1"));
        let (get, all, other) = (download("dist"), download("everything"), download("other"));
        let mut evidence = Evidence {
            handoff_inputs: vec![
                named(&dist, "dist"),
                named(&logs, "logs-1"),
                named(&get, "di*t"),
                named(&other, "other"),
            ],
            handoffs: vec![dist.clone(), logs.clone(), get.clone(), all.clone(), other.clone()],
            ..Evidence::default()
        };
        link(&mut evidence);
        let row = |of: &Handoff| evidence.handoffs.iter().find(|row| row.handoff_key == of.handoff_key);
        assert_eq!(row(&get).unwrap().parent_job_key, dist.parent_job_key);
        assert_eq!(row(&all).unwrap().parent_job_key, None, "it got them from two jobs");
        assert_eq!(row(&other).unwrap().parent_job_key, None);
        assert!(row(&dist).is_none() && row(&logs).is_some());
    }
}
