//! The texts of an item as they are, for those who want no evidence.

use crate::archive::{self, Budget};
use crate::limits::Limits;
use crate::{TextContext, TextSink, WorkItem, WorkKind};
use leakgraph_model::Key;
use leakgraph_model::tables::Problem;
use std::path::Path;

/// Hands every file and archive member of an item to `sink`, in the order of the archive,
/// binary or not: nothing is recognised, and nothing is told apart. Problems say what
/// could not be read. Contexts hold the path only.
pub fn texts(item: &WorkItem, limits: &Limits, sink: &mut dyn TextSink) -> Vec<Problem> {
    let mut texts = Texts { limits, sink, problems: Vec::new(), budget: Budget::new(limits) };
    match &item.kind {
        WorkKind::File => texts.file(&item.display, &item.path),
        WorkKind::LogFolder(files) => {
            for file in files {
                let name = file.strip_prefix(&item.path).unwrap_or(file);
                texts.file(&format!("{}!/{}", item.display, name.display()), file);
            }
        }
    }
    texts.problems
}

struct Texts<'a> {
    limits: &'a Limits,
    sink: &'a mut dyn TextSink,
    problems: Vec<Problem>,
    budget: Budget,
}

impl Texts<'_> {
    fn file(&mut self, path: &str, file: &Path) {
        match std::fs::read(file) {
            Ok(bytes) => self.bytes(path, &bytes),
            Err(error) => self.problems.push(Problem {
                path: path.to_owned(),
                offset: None,
                code: "unreadable".to_owned(),
                reason: error.kind().to_string(),
                lossy: true,
            }),
        }
    }

    fn bytes(&mut self, path: &str, bytes: &[u8]) {
        if archive::is_zip(bytes) {
            let (entries, problems) = archive::unzip(path, bytes, self.limits, &mut self.budget);
            self.problems.extend(problems);
            let depth = self.budget.depth;
            self.budget.depth = depth.saturating_sub(1);
            for entry in entries {
                self.bytes(&format!("{path}!/{}", entry.name), &entry.bytes);
            }
            self.budget.depth = depth;
        } else if archive::is_gzip(bytes) {
            let (inflated, problem) = archive::gunzip(path, bytes, self.limits, &mut self.budget);
            self.problems.extend(problem);
            self.text(path, &inflated);
        } else {
            self.text(path, bytes);
        }
    }

    fn text(&mut self, path: &str, bytes: &[u8]) {
        self.sink.text(&TextContext::of(path, Key::default(), "log"), bytes);
    }
}
