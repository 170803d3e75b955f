//! The scanner that a configuration asks for.

use crate::{Config, Error};
use leakgraph_model::{Timestamp, hex};
use leakgraph_scan::known::{FingerprintList, Format, Import, KnownSecrets};
use leakgraph_scan::{Allow, FingerprintKey, RuleSet, Scanner, Worker};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::io::Read;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// What is looked for, and what is excused: `[scan]` of `leakgraph.toml`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScanConfig {
    /// Rule files, ours or of gitleaks.
    pub rules: Vec<PathBuf>,
    /// Lists of fingerprints that are no findings.
    pub allow: Vec<PathBuf>,
    /// Whether comments on a line excuse what it holds. Whoever can print to a log can then hide a leak in it.
    pub allow_comments: bool,
    /// Exports of vaults (dotenv, JSON, CSV or one raw value; `-` is stdin) whose values to look for.
    pub known: Vec<PathBuf>,
    /// Looks for known secrets only, not for rules.
    pub known_only: bool,
}

/// A scanner, and what takes secrets out of texts bound for tables.
pub struct Detection {
    scanner: Scanner,
    /// The embedded rules, where the scanner goes without them.
    embedded: Option<Scanner>,
    id: String,
}

impl Detection {
    /// Reads the rules, the exceptions and the known secrets of a configuration. Parts of
    /// the files that are not honoured and values that are not looked for are warned of.
    ///
    /// # Errors
    /// A file cannot be read or used, or the fingerprint key cannot; nothing was scanned then.
    pub fn load(config: &Config) -> Result<Self, Error> {
        Self::with_key(config, FingerprintKey::load_or_create(&config.key_path())?)
    }

    /// As [`load`](Self::load), for commands that write nothing: without a key file,
    /// fingerprints are made under a key that nobody keeps.
    ///
    /// # Errors
    /// As for `load`.
    pub fn load_detached(config: &Config) -> Result<Self, Error> {
        if config.key_path().exists() {
            return Self::load(config);
        }
        Self::with_key(config, FingerprintKey::temporary()?)
    }

    fn with_key(config: &Config, key: FingerprintKey) -> Result<Self, Error> {
        let wanted = &config.scan;
        let (rules, mut remarks) = if wanted.known_only {
            (RuleSet::empty(), Vec::new())
        } else {
            let (rules, remarks) = RuleSet::builtin()?.extended(&wanted.rules)?;
            (rules, remarks.iter().map(ToString::to_string).collect())
        };
        let embedded = match rules.holds_embedded() {
            true => None,
            false => Some(Scanner::new(RuleSet::builtin()?, key.clone())?),
        };
        let mut id = Sha256::new();
        id.update(rules.hash());
        id.update(key.key_id());
        let known = known(&wanted.known)?;
        id.update(known.digest(&key));
        remarks.extend(refusals(&known));
        let (allow, more) = allow(wanted, &mut id)?;
        remarks.extend(more);
        for remark in remarks {
            tracing::warn!("{remark}");
        }
        let mut scanner = Scanner::new(rules, key)?.with_allow(allow)?;
        if !known.is_empty() {
            scanner = scanner.with_known(known);
        }
        Ok(Self { scanner, embedded, id: hex(&id.finalize()) })
    }

    /// The scanner.
    pub fn scanner(&self) -> &Scanner {
        &self.scanner
    }

    /// Workers that find secrets in a text bound for a table: whatever is looked for in
    /// logs, the embedded rules apply to what is written.
    pub fn redactors(&self) -> Vec<Worker<'_>> {
        std::iter::once(&self.scanner).chain(&self.embedded).map(Scanner::worker).collect()
    }

    /// Names rules, key, known secrets and exceptions: what was scanned under another id is scanned again.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Takes over the lines that earlier runs found clean. Without them scans only cost more.
    pub(crate) fn recall_clean_lines(&self, config: &Config) {
        if let Ok(bytes) = std::fs::read(clean_lines_path(config))
            && !self.scanner.import_memo(&bytes)
        {
            tracing::debug!("clean lines of other rules or of another key are forgotten");
        }
    }

    /// Keeps the lines found clean for later runs: keyed hashes, no text.
    pub(crate) fn store_clean_lines(&self, config: &Config) {
        let path = clean_lines_path(config);
        let fresh = path.with_extension("new");
        let stored =
            std::fs::write(&fresh, self.scanner.export_memo()).and_then(|()| std::fs::rename(&fresh, &path));
        if let Err(error) = stored {
            tracing::debug!("clean lines are not kept: {error}");
        }
    }
}

/// Reads known secrets into memory; `-` is stdin.
///
/// # Errors
/// A file cannot be read or is not of its format. Values are never part of the error.
pub fn known(paths: &[PathBuf]) -> Result<KnownSecrets, Error> {
    let mut imports = Vec::new();
    for path in paths {
        let name = if path == Path::new("-") { "stdin".to_owned() } else { path.display().to_string() };
        let bytes = read(path, &name)?;
        let import = Import::read(Format::detect(&name, &bytes), &name, &bytes);
        imports.push(import.map_err(|error| Error::Known(error.to_string()))?);
    }
    Ok(KnownSecrets::new(imports))
}

fn read(path: &Path, name: &str) -> Result<Zeroizing<Vec<u8>>, Error> {
    let mut bytes = Zeroizing::new(Vec::new());
    let result = match path.to_str() {
        Some("-") => std::io::stdin().lock().read_to_end(&mut bytes),
        _ => std::fs::File::open(path).and_then(|mut file| file.read_to_end(&mut bytes)),
    };
    result.map_err(|source| Error::Read { path: name.to_owned(), source })?;
    Ok(bytes)
}

fn refusals(known: &KnownSecrets) -> Vec<String> {
    known
        .refused_counts()
        .iter()
        .map(|(reason, count)| format!("{count} known values are not looked for: {reason}"))
        .collect()
}

fn allow(wanted: &ScanConfig, id: &mut Sha256) -> Result<(Allow, Vec<String>), Error> {
    let mut allow = if wanted.allow_comments { Allow::new().with_comments() } else { Allow::new() };
    id.update([u8::from(wanted.allow_comments)]);
    let mut remarks = Vec::new();
    for path in &wanted.allow {
        let name = path.display().to_string();
        let text =
            std::fs::read_to_string(path).map_err(|source| Error::Read { path: name.clone(), source })?;
        remarks
            .extend(allow.add_fingerprints(&name, &text, Timestamp::now())?.iter().map(ToString::to_string));
        id.update(text);
    }
    Ok((allow, remarks))
}

/// The names of known secrets that the lake remembers, by keyed fingerprint. Values are never kept.
///
/// # Errors
/// The file is there and cannot be read.
pub fn remembered(config: &Config) -> Result<Option<FingerprintList>, Error> {
    let path = remembered_path(config);
    match std::fs::read_to_string(&path) {
        Ok(text) => FingerprintList::from_json(&text)
            .map(Some)
            .map_err(|error| Error::Known(format!("{}: {error}", path.display()))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::Read { path: path.display().to_string(), source }),
    }
}

/// Remembers the fingerprints and names of `known` beside those remembered before; says how many there are.
///
/// # Errors
/// The key or the file cannot be read or written.
pub fn remember(config: &Config, known: &KnownSecrets) -> Result<usize, Error> {
    let key = FingerprintKey::load_or_create(&config.key_path())?;
    let mut list = known.export(&key);
    if let Some(old) = remembered(config)?.filter(|old| old.key_id == list.key_id) {
        let fresh: std::collections::HashSet<&String> =
            list.secrets.iter().map(|secret| &secret.fingerprint).collect();
        let kept: Vec<_> =
            old.secrets.into_iter().filter(|secret| !fresh.contains(&secret.fingerprint)).collect();
        list.secrets.extend(kept);
        list.secrets.sort_by(|a, b| a.fingerprint.cmp(&b.fingerprint));
    }
    let path = remembered_path(config);
    let write = || -> std::io::Result<()> {
        let fresh = path.with_extension("json.new");
        std::fs::write(&fresh, list.to_json())?;
        std::fs::File::open(&fresh)?.sync_all()?;
        std::fs::rename(&fresh, &path)
    };
    write().map_err(|source| Error::Read { path: path.display().to_string(), source })?;
    Ok(list.secrets.len())
}

fn clean_lines_path(config: &Config) -> PathBuf {
    config.lake.join("clean-lines.memo")
}

fn remembered_path(config: &Config) -> PathBuf {
    config.lake.join("known-fingerprints.json")
}
