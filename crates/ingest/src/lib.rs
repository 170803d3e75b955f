//! Bytes in, canonical rows and problems out.
//!
//! Architecture invariant: importers never fail. They return rows; a bad input is
//! a row of `problems` with path, offset, code and reason.
//!
//! Architecture invariant: this crate does not know the scanner. It hands text to a
//! [`TextSink`], with the place of every byte.

mod activity;
mod answers;
mod archive;
mod discover;
mod documents;
mod fetch;
mod identity;
mod importer;
mod limits;
mod link;
mod percent;
mod reader;
mod shapes;
mod texts;
mod unread;
mod value;
mod workflow;

pub use discover::{WorkItem, WorkKind, discover};
pub use fetch::Fetched;
pub use limits::Limits;
pub use link::link;
pub use reader::{Recognition, explain, read, read_fetched};
pub use texts::texts;

use leakgraph_model::{Key, Timestamp};
use std::io::{self, Read};

/// Raised when importers change what they extract: sources are then read again.
pub const IMPORTER_VERSION: u32 = 7;

/// Receives the text that importers come upon.
pub trait TextSink {
    /// Takes one text, once; `context` says where every byte belongs.
    fn text(&mut self, context: &TextContext, bytes: &[u8]);
    /// Takes one text that may be larger than memory.
    ///
    /// # Errors
    /// Those of `reader`.
    fn stream(&mut self, context: &TextContext, reader: &mut dyn Read) -> io::Result<()> {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes)?;
        self.text(context, &bytes);
        Ok(())
    }
    /// Keyed fingerprint of a value; `None` if it is too short to identify anything.
    fn fingerprint(&mut self, value: &[u8]) -> Option<String>;
}

/// Where a text comes from.
#[derive(Clone, Debug)]
pub struct TextContext {
    /// The source file.
    pub source_key: Key,
    /// Its path, members after `!/`.
    pub path: String,
    /// The run it belongs to.
    pub run_key: Option<Key>,
    /// The job it belongs to.
    pub job_key: Option<Key>,
    /// The handoff whose input it is.
    pub handoff_key: Option<Key>,
    /// Place where no mark holds: log, system, handoff_input, webhook, json, yaml, xml.
    pub place: &'static str,
    /// Name of the input or field.
    pub name: Option<String>,
    /// Changes of place, sorted by offset.
    pub marks: Vec<Mark>,
    /// Time of the line at an offset of the text, where lines tell it and marks do not.
    pub clock: Option<Clock>,
}

/// Reads the time of the line at an offset of a text.
pub type Clock = fn(&[u8], usize) -> Option<Timestamp>;

impl TextContext {
    /// A text of a source, of no run, job or handoff.
    pub fn of(path: &str, source_key: Key, place: &'static str) -> Self {
        Self {
            source_key,
            path: path.to_owned(),
            run_key: None,
            job_key: None,
            handoff_key: None,
            place,
            name: None,
            marks: Vec::new(),
            clock: None,
        }
    }
}

/// The part of a path that is inside an archive: unlike the rest, the same wherever
/// the archive lies. Empty for a file of its own.
pub fn member(path: &str) -> &str {
    path.split_once("!/").map_or("", |(_, member)| member)
}

/// The job whose whole log a path is: `build` of `logs.zip!/0_build.txt`.
pub fn whole_job(path: &str) -> Option<&str> {
    let (_, job) = workflow::github::numbered(member(path))?;
    (!job.contains('/')).then_some(job)
}

/// From `offset` to the next mark, bytes belong to this place.
#[derive(Clone, Debug)]
pub struct Mark {
    /// Byte offset in the text: where a line begins, or a part of one behind a carriage return.
    pub offset: usize,
    /// The step.
    pub step_key: Option<Key>,
    /// log, script_echo, env_binding, with_binding, system.
    pub place: &'static str,
    /// Name of the variable, for bindings.
    pub name: Option<String>,
    /// Time of the line; `None` where the clock of the text knows.
    pub at: Option<Timestamp>,
}

/// A parsed file on its way to an importer.
#[derive(Clone, Copy)]
pub struct Document<'a> {
    /// Its path, members after `!/`.
    pub path: &'a str,
    /// Key of its content.
    pub source_key: Key,
    /// Which of its values this is, where it has several (JSON Lines); from 0.
    pub part: usize,
    /// Its bytes.
    pub bytes: &'a [u8],
}
