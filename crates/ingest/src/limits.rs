//! What one input may cost. Every limit that is hit is a problem, never silence.

/// Limits on hostile input; see SECURITY.md for the table.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes one archive member (or gzip stream) may inflate to.
    pub max_entry_bytes: u64,
    /// Bytes one archive may inflate to, members of members included.
    pub max_archive_bytes: u64,
    /// Inflation ratio, judged after the first MiB.
    pub max_ratio: u64,
    /// Members of one archive.
    pub max_entries: usize,
    /// Archives inside archives.
    pub max_depth: usize,
    /// Bytes of a line that a parser looks at.
    pub max_line_bytes: usize,
    /// Bytes of a JSON document.
    pub max_json_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_entry_bytes: 512 << 20,
            max_archive_bytes: 4 << 30,
            max_ratio: 200,
            max_entries: 10_000,
            max_depth: 3,
            max_line_bytes: 1 << 20,
            max_json_bytes: 256 << 20,
        }
    }
}
