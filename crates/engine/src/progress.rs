//! How the engine tells what it is doing.

/// A step of the pipeline.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A new stage began.
    Stage(&'static str),
    /// Inputs were found.
    Discovered {
        /// Work items.
        items: usize,
        /// Their bytes on disk.
        bytes: u64,
    },
    /// One work item was read and scanned.
    ItemDone {
        /// Bytes on disk.
        bytes: u64,
    },
    /// The current stage ended.
    StageDone,
}

/// Receives events, from several threads.
pub trait Progress: Sync {
    /// Takes one event; must be quick.
    fn event(&self, event: Event);
}

/// Ignores all events.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quiet;

impl Progress for Quiet {
    fn event(&self, _event: Event) {}
}
