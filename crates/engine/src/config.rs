//! The configuration: `leakgraph.toml`, then `LEAKGRAPH_*`, then flags.

use crate::ScanConfig;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Effective configuration. Every key may stand in `leakgraph.toml`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Folder of the lake.
    pub lake: PathBuf,
    /// File of the fingerprint key; by default `fingerprint.key` in the lake.
    pub key: Option<PathBuf>,
    /// Weights of the scores; by default the built-in ones.
    pub weights: Option<PathBuf>,
    /// Folder of additional audits.
    pub audits: Option<PathBuf>,
    /// Least severity that gives exit code 3: info … critical, or none.
    pub fail_on: String,
    /// Worker threads; 0 takes all cores.
    pub threads: usize,
    /// What is looked for, and what is excused.
    pub scan: ScanConfig,
    /// Limits on hostile input.
    pub limits: Limits,
}

/// Limits on what one input may cost. See SECURITY.md.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Bytes one archive member may inflate to.
    pub max_entry_bytes: u64,
    /// Bytes one archive may inflate to.
    pub max_archive_bytes: u64,
    /// Inflation ratio after the first MiB.
    pub max_ratio: u64,
    /// Members of one archive.
    pub max_entries: usize,
    /// Archives inside archives.
    pub max_depth: usize,
    /// Bytes of a JSON document.
    pub max_json_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        let limits = leakgraph_ingest::Limits::default();
        Self {
            max_entry_bytes: limits.max_entry_bytes,
            max_archive_bytes: limits.max_archive_bytes,
            max_ratio: limits.max_ratio,
            max_entries: limits.max_entries,
            max_depth: limits.max_depth,
            max_json_bytes: limits.max_json_bytes,
        }
    }
}

impl From<&Limits> for leakgraph_ingest::Limits {
    fn from(limits: &Limits) -> Self {
        Self {
            max_entry_bytes: limits.max_entry_bytes,
            max_archive_bytes: limits.max_archive_bytes,
            max_ratio: limits.max_ratio,
            max_entries: limits.max_entries,
            max_depth: limits.max_depth,
            max_json_bytes: limits.max_json_bytes,
            ..Self::default()
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            lake: PathBuf::from("lake"),
            key: None,
            weights: None,
            audits: None,
            fail_on: "none".to_owned(),
            threads: 0,
            scan: ScanConfig::default(),
            limits: Limits::default(),
        }
    }
}

/// The configuration file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It is not valid.
    #[error("{path}: {message}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// What is wrong and where.
        message: String,
    },
}

impl Config {
    /// Reads a configuration file; relative paths in it stay relative to the
    /// working directory.
    ///
    /// # Errors
    /// The file cannot be read, or has unknown keys or wrong types.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        toml::from_str(&text)
            .map_err(|error| ConfigError::Parse { path: path.to_owned(), message: error.to_string() })
    }

    /// Where the fingerprint key lies.
    pub fn key_path(&self) -> PathBuf {
        self.key.clone().unwrap_or_else(|| self.lake.join("fingerprint.key"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_keys_are_refused() {
        assert!(toml::from_str::<Config>("lakes = 'x'").is_err());
        let config: Config = toml::from_str("lake = 'x'\n[limits]\nmax_depth = 1").unwrap();
        assert_eq!(config.limits.max_depth, 1);
        assert_eq!(config.key_path(), Path::new("x/fingerprint.key"));
    }
}
