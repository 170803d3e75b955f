//! The texts of an item as they are, for those who want no evidence.

use crate::archive::{self, Budget, Member};
use crate::limits::Limits;
use crate::{TextContext, TextSink, WorkItem, WorkKind};
use leakgraph_model::Key;
use leakgraph_model::tables::Problem;
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek};
use std::path::Path;

/// Hands every file and archive member of an item to `sink` as a stream, in the order of the
/// archive (archives inside it last), binary or not: nothing is recognised, and nothing is
/// told apart. Problems say what
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
        let result = File::open(file).and_then(|mut file| {
            let head = head(&mut file)?;
            if archive::is_zip(&head) {
                file.rewind()?;
                self.zip(path, BufReader::new(file));
                return Ok(());
            }
            // Of plain texts nobody asks for the size.
            let bytes = if archive::is_gzip(&head) { file.metadata()?.len() } else { 0 };
            self.reader(path, &head, bytes, &mut head.as_slice().chain(file))
        });
        if let Err(error) = result {
            self.unreadable(path, &error);
        }
    }

    fn unreadable(&mut self, path: &str, error: &io::Error) {
        self.problems.push(Problem {
            path: path.to_owned(),
            offset: None,
            code: "unreadable".to_owned(),
            reason: error.kind().to_string(),
            lossy: true,
        });
    }

    /// A stream that is no zip, of which `head` is the beginning; `bytes` is its size, if it
    /// is gzip.
    fn reader(&mut self, path: &str, head: &[u8], bytes: u64, reader: &mut dyn Read) -> io::Result<()> {
        if !archive::is_gzip(head) {
            return text(self.sink, path, reader);
        }
        let mut inflated = archive::gunzip(reader, bytes, self.limits, &mut self.budget);
        let result = text(self.sink, path, &mut inflated);
        self.problems.extend(inflated.problem(path));
        result
    }

    /// The members of a zip: texts as they are inflated, archives when they are whole.
    fn zip(&mut self, path: &str, packed: impl Read + Seek) {
        let (mut archives, mut failed) = (Vec::new(), Vec::new());
        let Self { sink, limits, budget, .. } = self;
        let problems = archive::members(path, packed, limits, budget, |name, member| {
            let path = format!("{path}!/{name}");
            let member = match member {
                Member::Whole(bytes) if archive::is_zip(bytes) || archive::is_gzip(bytes) => {
                    return archives.push((path, bytes.to_vec()));
                }
                Member::Whole(bytes) => return sink.text(&context(&path), bytes),
                Member::Stream(member) => member,
            };
            let result = head(member).and_then(|head| {
                let mut rest = head.as_slice().chain(member);
                if archive::is_zip(&head) || archive::is_gzip(&head) {
                    let mut bytes = Vec::new();
                    rest.read_to_end(&mut bytes)?;
                    archives.push((path.clone(), bytes));
                    return Ok(());
                }
                text(*sink, &path, &mut rest)
            });
            failed.extend(result.err().map(|error| (path, error)));
        });
        self.problems.extend(problems);
        failed.iter().for_each(|(path, error)| self.unreadable(path, error));
        let depth = self.budget.depth;
        self.budget.depth = depth.saturating_sub(1);
        for (path, bytes) in archives {
            if archive::is_zip(&bytes) {
                self.zip(&path, Cursor::new(bytes));
            } else if let Err(error) = self.reader(&path, &bytes, bytes.len() as u64, &mut bytes.as_slice()) {
                self.unreadable(&path, &error);
            }
        }
        self.budget.depth = depth;
    }
}

fn text(sink: &mut dyn TextSink, path: &str, reader: &mut dyn Read) -> io::Result<()> {
    sink.stream(&context(path), reader)
}

fn context(path: &str) -> TextContext {
    TextContext::of(path, Key::default(), "log")
}

/// Enough bytes to know an archive by.
fn head(reader: &mut dyn Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    reader.take(4).read_to_end(&mut head)?;
    Ok(head)
}
