//! The demo organisation: a month of northwind-labs, the same at every run.
//!
//! Run logs with planted secrets, what the API says of the runs, webhook deliveries,
//! and inventories that make the joins happen: leak → identity → unused privilege →
//! reach. No secret in it was ever valid, none is in this source in one piece.

mod auditlog;
mod aws;
mod clock;
mod documents;
mod incidents;
mod inventory;
mod joblog;
mod organisation;
mod people;
mod random;
mod runs;
mod shape;
mod vault;
mod workflows;

use organisation::{LEAKS, REPOSITORIES};
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use workflows::all;

/// A planted secret: what and where, never its value.
#[derive(Clone, Debug, Serialize)]
pub struct Planted {
    /// Archive, relative to the folder.
    pub file: String,
    /// Job whose log shows it.
    pub job: String,
    /// Name in the organisation's vault.
    pub secret: String,
    /// Kind, as detectors name it.
    pub kind: String,
    /// Encodings around it, outermost first.
    pub encodings: Vec<String>,
}

/// A step that prints masks.
#[derive(Clone, Debug, Serialize)]
pub struct MaskedLines {
    /// Archive, relative to the folder.
    pub file: String,
    /// Job whose log shows them.
    pub job: String,
    /// What is odd about them (`mask_anomalies.kind`); `None` if nothing is.
    pub kind: Option<String>,
}

/// A dispatch between two runs.
#[derive(Clone, Debug, Serialize)]
pub struct Handoff {
    /// Run that sent it.
    pub parent: u64,
    /// Run it started; `None` where that lies outside the demo.
    pub child: Option<u64>,
    /// Inputs that carry a secret.
    pub forwarded: Vec<String>,
}

/// What was written, and what a reader should find in it.
#[derive(Clone, Debug, Serialize)]
pub struct Manifest {
    /// Repositories.
    pub repositories: usize,
    /// Workflows.
    pub workflows: usize,
    /// Runs with logs.
    pub runs: usize,
    /// Jobs in all runs.
    pub jobs: usize,
    /// Secrets in logs.
    pub planted: Vec<Planted>,
    /// Masks in logs that tell something, and some that do not.
    pub masks: Vec<MaskedLines>,
    /// Dispatches.
    pub handoffs: Vec<Handoff>,
    #[serde(skip)]
    secrets: Vec<Vec<u8>>,
}

impl Manifest {
    /// The planted values, for tests that no byte of them is written anywhere.
    /// Key *ids* are not among them: they are public.
    pub fn secret_values(&self) -> Vec<Vec<u8>> {
        self.secrets.clone()
    }
}

/// Writes the organisation below `folder`, which is created if absent.
///
/// # Errors
/// A file cannot be written.
pub fn generate(folder: &Path) -> io::Result<Manifest> {
    let (runs, sent) = runs::schedule();
    let by_parent: BTreeMap<u64, &runs::Sent> = sent.iter().map(|sent| (sent.parent, sent)).collect();
    let mut manifest = Manifest {
        repositories: REPOSITORIES.len(),
        workflows: all().count(),
        runs: runs.len(),
        jobs: 0,
        planted: Vec::new(),
        masks: Vec::new(),
        handoffs: sent.iter().map(handoff).collect(),
        secrets: values(),
    };
    for run in &runs {
        write_run(folder, run, by_parent.get(&run.id).copied(), &mut manifest)?;
        if let Some(again) = run.again() {
            write_run(folder, &again, None, &mut manifest)?;
        }
    }
    for sent in &sent {
        write_json(&folder.join(format!("webhooks/{}.json", sent.parent)), &documents::delivery(sent))?;
    }
    write_inventories(folder, &runs)?;
    Ok(manifest)
}

fn handoff(sent: &runs::Sent) -> Handoff {
    let forwarded = sent
        .dispatch
        .inputs
        .iter()
        .filter(|(_, value)| value.starts_with("secret:"))
        .map(|(name, _)| (*name).to_owned());
    Handoff { parent: sent.parent, child: sent.child, forwarded: forwarded.collect() }
}

fn values() -> Vec<Vec<u8>> {
    let names: BTreeSet<&str> = LEAKS.iter().map(|leak| leak.secret).chain(["NPM_TOKEN"]).collect();
    names.into_iter().map(|name| vault::secret(name).value.into_bytes()).collect()
}

fn write_run(
    folder: &Path,
    run: &runs::Run,
    sent: Option<&runs::Sent>,
    manifest: &mut Manifest,
) -> io::Result<()> {
    let attempt = format!("github/{}/runs/{}/attempts/{}", run.repo(), run.id, run.attempt);
    let logs = runs::jobs(run, sent);
    let ended = logs.last().map_or(run.started, joblog::JobLog::now);
    let waited = run.cancelled().map(|row| row.after).max().unwrap_or(0);
    let ended = ended.plus(waited);
    let archive = format!("{attempt}/logs.zip");
    write(&folder.join(&archive), &joblog::archive(&logs, run.has_step_files())?)?;
    write_json(&folder.join(format!("{attempt}/run.json")), &documents::run(run, &ended.seconds()))?;
    write_json(&folder.join(format!("{attempt}/jobs.json")), &documents::jobs(run, &logs))?;
    if let Some(approvals) = documents::approvals(run) {
        write_json(&folder.join(format!("{attempt}/approvals.json")), &approvals)?;
    }
    manifest.jobs += logs.len();
    manifest.masks.extend(run.masks().map(|masks| MaskedLines {
        file: archive.clone(),
        job: run.main_job(),
        kind: masks.kind.map(str::to_owned),
    }));
    manifest.planted.extend(run.leaks().map(|leak| Planted {
        file: archive.clone(),
        job: run.main_job(),
        secret: leak.secret.to_owned(),
        kind: vault::secret(leak.secret).kind.to_owned(),
        encodings: shape::encodings(leak.shape).iter().map(|name| (*name).to_owned()).collect(),
    }));
    Ok(())
}

fn write_inventories(folder: &Path, runs: &[runs::Run]) -> io::Result<()> {
    let aws = folder.join("inventory/aws");
    write_json(&aws.join("account-authorization-details.json"), &aws::account())?;
    write_json(&aws.join("access-keys.json"), &aws::access_keys())?;
    write(&aws.join("credential-report.csv"), people::credential_report().as_bytes())?;
    write_json(&folder.join("inventory/github/bundle.json"), &inventory::bundle())?;
    write_json(&folder.join("inventory/github/audit-log.json"), &auditlog::events(runs))?;
    write_json(&folder.join("inventory/entra/users.json"), &people::users())?;
    for (day, records) in aws::trail(runs) {
        let path = aws.join(format!("cloudtrail/2026-10-{:02}.json.gz", day + 1));
        let mut encoder = flate2::GzBuilder::new().mtime(0).write(Vec::new(), flate2::Compression::fast());
        encoder.write_all(records.to_string().as_bytes())?;
        write(&path, &encoder.finish()?)?;
    }
    Ok(())
}

fn write_json(path: &Path, value: &Value) -> io::Result<()> {
    let mut text = serde_json::to_string_pretty(value)?;
    text.push('\n');
    write(path, text.as_bytes())
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(path, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use organisation::MASKS;
    use sha2::{Digest, Sha256};

    /// Every file below a folder with the hash of its bytes.
    fn files(folder: &Path, found: &mut BTreeMap<String, Vec<u8>>, root: &Path) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                files(&path, found, root);
            } else {
                let name = path.strip_prefix(root).unwrap().display().to_string();
                found.insert(name, Sha256::digest(fs::read(&path).unwrap()).to_vec());
            }
        }
    }

    #[test]
    fn the_same_bytes_every_time() {
        let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let manifest = generate(first.path()).unwrap();
        generate(second.path()).unwrap();
        let (mut one, mut two) = (BTreeMap::new(), BTreeMap::new());
        files(first.path(), &mut one, first.path());
        files(second.path(), &mut two, second.path());
        assert_eq!(one, two);
        assert!(manifest.runs >= 390 && manifest.workflows >= 28 && manifest.repositories == 12);
        assert_eq!(manifest.planted.len(), LEAKS.len(), "a leak names a run that never happens");
        assert_eq!(manifest.masks.len(), MASKS.len(), "masks name a run that never happens");
        let archives = one.keys().filter(|name| name.ends_with("logs.zip")).count();
        assert_eq!(archives, manifest.runs + incidents::RERUNS.len());
    }

    #[test]
    fn what_is_committed_is_what_is_generated() {
        let folder = tempfile::tempdir().unwrap();
        let manifest = generate(folder.path()).unwrap();
        // Of this checkout: a path told at build time is another one's where checkouts share a target folder.
        let committed = Path::new("../../datasets/demo");
        let expected = serde_json::to_string_pretty(&manifest).unwrap() + "\n";
        let mut files = vec![("expected.json", expected.clone())];
        for name in ["inventory/aws/account-authorization-details.json", "inventory/github/bundle.json"] {
            files.push((name, fs::read_to_string(folder.path().join(name)).unwrap()));
        }
        for (name, text) in files {
            let path = committed.join(name);
            if std::env::var_os("LEAKGRAPH_BLESS").is_some() {
                write(&path, text.as_bytes()).unwrap();
            }
            assert_eq!(fs::read_to_string(&path).unwrap(), text, "{name}: bless with LEAKGRAPH_BLESS=1");
        }
        let secrets = manifest.secret_values();
        assert!(secrets.len() >= 20);
        assert!(secrets.iter().all(|secret| !expected.contains(&*String::from_utf8_lossy(secret))));
    }
}
