//! Any bytes under any name become rows and problems, the same each time.
//!
//! Input: how it is packed, a name, and the bytes, of several members where a mark parts them.

#![no_main]

use leakgraph_fuzz::{choice, scratch, wrap::gzip};
use leakgraph_ingest::{Limits, TextContext, TextSink, WorkItem, WorkKind, explain, link, texts};
use leakgraph_model::Evidence;
use libfuzzer_sys::fuzz_target;
use std::io::{Cursor, Write as _};
use std::path::PathBuf;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

const LIMITS: Limits = Limits {
    max_entry_bytes: 512 << 10,
    max_archive_bytes: 1 << 20,
    max_ratio: 200,
    max_entries: 40,
    max_depth: 3,
    max_line_bytes: 4 << 10,
    max_json_bytes: 256 << 10,
};
const NAMES: [&str; 12] = [
    "any.txt",
    "0_build.txt",
    "build/1_Set up job.txt",
    "build/system.txt",
    "build/2_Run make.txt",
    "any.json",
    "any.yml",
    "any.zip",
    "any.log",
    "run_123456.json",
    "o/r/123456/jobs.json",
    "../1_Set up job.txt",
];
/// Parts members.
const MARK: &[u8] = b"\0\x01";

/// Checks what it is handed.
#[derive(Default)]
struct Sink(Vec<(String, Vec<u8>)>);

impl TextSink for Sink {
    fn text(&mut self, context: &TextContext, bytes: &[u8]) {
        assert!(bytes.len() as u64 <= LIMITS.max_archive_bytes);
        let mut last = 0;
        for mark in &context.marks {
            assert!(mark.offset >= last && mark.offset <= bytes.len(), "{mark:?} of {}", bytes.len());
            // Runners of GitLab put several parts into one line, with returns between.
            let before = &bytes[..mark.offset];
            let begins = [&b"\n"[..], b"\r", b"\x1b[0K"].iter().any(|end| before.ends_with(end));
            assert!(before.is_empty() || begins, "{mark:?} is inside a line");
            last = mark.offset;
        }
        self.0.push((context.path.clone(), bytes.to_vec()));
    }

    fn fingerprint(&mut self, value: &[u8]) -> Option<String> {
        (value.len() >= 8).then(|| "0".repeat(32))
    }
}

fn members(name: usize, bytes: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut members: Vec<(&str, Vec<u8>)> = Vec::new();
    let mut rest = bytes;
    loop {
        let end = rest.windows(MARK.len()).position(|two| two == MARK).unwrap_or(rest.len());
        let (part, after) = rest.split_at(end);
        let name = NAMES[(name + members.len()) % NAMES.len()];
        if members.iter().all(|(known, _)| *known != name) {
            members.push((name, part.to_vec()));
        }
        match after.get(MARK.len()..) {
            Some(after) => rest = after,
            None => return members,
        }
    }
}

fn zipped(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        let method =
            if bytes.len() % 2 == 0 { CompressionMethod::Stored } else { CompressionMethod::Deflated };
        let options = SimpleFileOptions::default().compression_method(method);
        writer.start_file(*name, options).expect("memory");
        writer.write_all(bytes).expect("memory");
    }
    writer.finish().expect("memory").into_inner()
}

fn file(name: &str, bytes: &[u8]) -> WorkItem {
    let path = scratch("file");
    std::fs::write(&path, bytes).expect("a scratch file");
    WorkItem { path, display: format!("in/{name}"), kind: WorkKind::File, bytes: bytes.len() as u64 }
}

fn folder(members: &[(&str, Vec<u8>)]) -> WorkItem {
    let root = scratch("folder");
    let paths: Vec<PathBuf> = members
        .iter()
        .map(|(name, bytes)| {
            let path = root.join(name.trim_start_matches("../"));
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            std::fs::write(&path, bytes).expect("a scratch file");
            path
        })
        .collect();
    let bytes = members.iter().map(|(_, bytes)| bytes.len() as u64).sum();
    WorkItem { path: root, display: "in/folder".to_owned(), kind: WorkKind::LogFolder(paths), bytes }
}

fn linked(mut evidence: Evidence) -> Evidence {
    link(&mut evidence);
    evidence
}

fuzz_target!(|data: &[u8]| {
    let Some((mode, rest)) = choice(data) else { return };
    let Some((name, bytes)) = choice(rest) else { return };
    let file_name = NAMES[name % NAMES.len()];
    let item = match mode % 5 {
        0 => file(file_name, bytes),
        1 => file("any.gz", &gzip(bytes)),
        2 => file("any.zip", &zipped(&members(name, bytes))),
        3 => file("any.zip", &zipped(&[("a.zip", zipped(&members(name, bytes))), (file_name, gzip(bytes))])),
        _ => folder(&members(name, bytes)),
    };
    let (mut first, mut second, mut plain) = (Sink::default(), Sink::default(), Sink::default());
    let (parts, evidence) = explain(&item, &LIMITS, &mut first);
    let (_, again) = explain(&item, &LIMITS, &mut second);
    assert!(first.0 == second.0, "texts differ from time to time");
    assert_eq!(evidence, again, "rows differ from time to time");
    let rows = evidence.problems.len() + evidence.source_files.len();
    assert!(parts.iter().all(|part| !part.path.is_empty()));
    for problem in &evidence.problems {
        assert!(!problem.code.is_empty() && !problem.reason.is_empty(), "{problem:?}");
        assert!(problem.offset.is_none_or(|offset| offset >= 0), "{problem:?}");
    }
    for binding in &evidence.bindings {
        assert!(evidence.steps.iter().any(|step| step.step_key == binding.step_key));
    }
    assert_eq!(linked(evidence), linked(again), "links differ from time to time");
    texts(&item, &LIMITS, &mut plain);
    assert!(plain.0.iter().all(|(_, bytes)| bytes.is_empty()) || rows > 0, "lost in silence");
});
