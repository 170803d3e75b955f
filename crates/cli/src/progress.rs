//! Progress bars on a terminal, nothing elsewhere.

use indicatif::{ProgressBar, ProgressStyle};
use leakgraph_engine::{Event, Progress};
use std::io::IsTerminal;

/// Shows engine events on stderr, if that is a terminal.
pub(crate) struct Bars {
    bar: ProgressBar,
}

impl Bars {
    pub(crate) fn new() -> Self {
        let bar = if std::io::stderr().is_terminal() { ProgressBar::new(0) } else { ProgressBar::hidden() };
        if let Ok(style) =
            ProgressStyle::with_template("{msg:<18} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec}")
        {
            bar.set_style(style);
        }
        Self { bar }
    }
}

impl Progress for Bars {
    fn event(&self, event: Event) {
        match event {
            Event::Stage(stage) => self.bar.set_message(stage),
            Event::Discovered { bytes, .. } => self.bar.set_length(bytes),
            Event::ItemDone { bytes } => self.bar.inc(bytes),
            Event::StageDone => self.bar.finish_and_clear(),
            _ => {}
        }
    }
}
