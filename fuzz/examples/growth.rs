//! Where time grows faster than the text: repeated units, long and four times as long.
//!
//! Prints `BYTES SECONDS GROWTH PARSER UNIT` for what is slow (below 2 MB/s) or grows
//! more than eightfold; units are the words of the dictionaries and what structures are made of.

#![forbid(unsafe_code)]

use leakgraph_fuzz::{key, scanner, scratch};
use leakgraph_ingest::{Limits, TextContext, TextSink, WorkItem, WorkKind, read};
use leakgraph_scan::known::{Format, Import};
use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};

const BYTES: usize = 64 << 10;
const SLOW_BYTES_PER_SECOND: f64 = 2e6;
const GROWTH: f64 = 8.0;

struct Nowhere;

impl TextSink for Nowhere {
    fn text(&mut self, _context: &TextContext, _bytes: &[u8]) {}

    fn fingerprint(&mut self, _value: &[u8]) -> Option<String> {
        None
    }
}

fn ingest(name: &str, text: &[u8]) {
    let path = scratch("growth");
    fs::write(&path, text).expect("a scratch file");
    let item = WorkItem { path, display: name.to_owned(), kind: WorkKind::File, bytes: text.len() as u64 };
    read(&item, &Limits::default(), &mut Nowhere);
}

fn import(format: Format, text: &[u8]) {
    let known =
        Import::read(format, "source", text).map(|import| leakgraph_scan::known::KnownSecrets::new([import]));
    if let Ok(known) = known {
        known.scan(&key(), text);
    }
}

type Parser = (&'static str, &'static str, fn(&[u8]));

/// Name, its dictionary, and what it does.
const PARSERS: [Parser; 8] = [
    ("scan", "scan_text", |text| {
        scanner().worker().scan(text);
    }),
    ("redact", "scan_text", |text| {
        scanner().worker().redact(&String::from_utf8_lossy(text));
    }),
    ("log", "ingest_bytes", |text| {
        let head = b"2026-10-01T10:00:00.0000000Z Complete job name: a\n2026-10-01T10:00:00.0000000Z ##[group]Run x\n";
        ingest("0_a.txt", &[head.as_slice(), text].concat());
    }),
    ("json", "ingest_bytes", |text| ingest("a.json", &[b"{\"a\":[".as_slice(), text].concat())),
    ("yaml", "ingest_bytes", |text| ingest("a.yml", text)),
    ("dotenv", "known_import", |text| import(Format::Dotenv, text)),
    ("known json", "known_import", |text| import(Format::Json, text)),
    ("csv", "known_import", |text| import(Format::Csv, text)),
];

/// The words of a dictionary, and what structures are made of.
fn units(dictionary: &str) -> BTreeSet<Vec<u8>> {
    let path = format!("{}/dictionaries/{dictionary}.dict", env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(path).expect("dictionaries: run the example `seeds` first");
    let word = |line: &str| -> Vec<u8> {
        let digits = line.trim_matches('"').split("\\x").skip(1);
        digits.filter_map(|digits| u8::from_str_radix(digits, 16).ok()).collect()
    };
    let mut units: BTreeSet<Vec<u8>> = text.lines().map(word).collect();
    for unit in [
        "a",
        "A",
        "0",
        " ",
        "\n",
        "[",
        "]",
        "{",
        "}",
        "(",
        "[a,",
        "{a: ",
        "- ",
        "- - ",
        "? ",
        "&a ",
        "*a ",
        "!a ",
        "a: b\n",
        "a:\n",
        "a: ",
        "\"",
        "'",
        "\\",
        "%",
        "=",
        "a=",
        "a=b ",
        "a=\"b\" ",
        "--a ",
        "-",
        ".",
        ":",
        "/",
        "://",
        "@",
        ",",
        "|",
        "|\n",
        ">",
        "#",
        "# a\n",
        "\r",
        "\r\n",
        "\t",
        "\0",
        "\u{1b}",
        "\u{1b}[",
        "\u{1b}[0m",
        "é",
        "a\n",
        "\n\n",
        "a b ",
        "aB1+",
        "YWJj",
        "4142",
        "%41",
        "\\u0041",
        "\"a\":",
        "\"a\",",
        "[\"a\",",
        "{\"a\":",
        "%25",
        "\\\\",
        "://a:b@",
        "a:b@",
        "-----",
        "=\n",
        "YWJj\n",
        "YWJjZGVmZ2hpamts=\n",
        "4 1 ",
        "a\\\n",
        "<<: *a\n",
        "a: &a\n",
        "YWJjZGVmZ2hpamts ",
        "6162636465666768696a6b6c6d6e6f707172 ",
        "00000000: 4142 4344\n",
        "a, ",
        "'a' ",
        "x_",
    ] {
        units.insert(unit.as_bytes().to_vec());
    }
    units
}

fn time(parse: fn(&[u8]), text: &[u8]) -> Duration {
    let start = Instant::now();
    parse(text);
    start.elapsed()
}

fn main() {
    let only = std::env::args().nth(1);
    scanner();
    for (name, dictionary, parse) in PARSERS {
        if only.as_deref().is_some_and(|only| only != name) {
            continue;
        }
        let units = units(dictionary);
        for unit in units.iter().filter(|unit| !unit.is_empty()) {
            for (ends_lines, separator) in [(false, &b""[..]), (true, b"\n"), (false, b" "), (false, b"\"")] {
                if ends_lines && unit.ends_with(b"\n") {
                    continue;
                }
                let unit = [unit.as_slice(), separator].concat();
                let text = |bytes: usize| unit.repeat(bytes / unit.len() + 1);
                let short = time(parse, &text(BYTES)).as_secs_f64();
                let long = time(parse, &text(4 * BYTES)).as_secs_f64();
                let speed = 4.0 * BYTES as f64 / long;
                if speed < SLOW_BYTES_PER_SECOND || long / short > GROWTH && long > 0.02 {
                    let unit = unit.escape_ascii();
                    println!("{} {long:.3} {:.1} {name} {unit}", 4 * BYTES, long / short);
                }
            }
        }
    }
}
