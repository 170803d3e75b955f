//! Every rule's secret behind every disguise, by value: the fingerprint is that of the
//! plain secret.

use crate::sample::{drawn, sample};
use crate::scanner;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use flate2::write::{GzEncoder, ZlibEncoder};
use leakgraph_scan::{Rule, Scanner, Worker};
use std::io::Write as _;

const STAMP: &str = "2026-11-02T09:14:07.1234567Z ";

fn text(value: &[u8]) -> String {
    String::from_utf8(value.to_vec()).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn percent(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn folded(text: &str, width: usize, margin: &str) -> String {
    let lines: Vec<&str> =
        text.as_bytes().chunks(width).map(|line| std::str::from_utf8(line).unwrap()).collect();
    lines.join(&format!("\n{margin}"))
}

/// `xxd`, `hexdump -C` and `od -tx1`, with a timestamp before each line.
fn dumps(value: &[u8]) -> [String; 3] {
    let ascii = |row: &[u8]| -> String {
        row.iter().map(|byte| if byte.is_ascii_graphic() { char::from(*byte) } else { '.' }).collect()
    };
    let rows = |of: &dyn Fn(usize, &[u8]) -> String| -> String {
        value.chunks(16).enumerate().map(|(at, row)| format!("{STAMP}{}\n", of(at * 16, row))).collect()
    };
    let pairs = |row: &[u8]| row.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ");
    let xxd = |at, row: &[u8]| {
        let groups: Vec<String> = row.chunks(2).map(hex).collect();
        format!("{at:08x}: {:40} {}", groups.join(" "), ascii(row))
    };
    let hexdump = |at, row: &[u8]| {
        let (left, right) = row.split_at(row.len().min(8));
        format!("{at:08x}  {:23}  {:23}  |{}|", pairs(left), pairs(right), ascii(row))
    };
    [rows(&xxd), rows(&hexdump), rows(&|at, row| format!("{at:07o} {}", pairs(row)))]
}

/// Names of disguises and what a log shows of `value` in them.
fn disguises(value: &str) -> Vec<(&'static str, String)> {
    let bytes = value.as_bytes();
    let once = STANDARD.encode(bytes);
    let twice = STANDARD.encode(&once);
    let half = value.len() / 2;
    let (head, tail) = value.split_at(half);
    let quoted = serde_json::to_string(&format!("k={value} \"x\"")).unwrap();
    let in_json = serde_json::json!({ "log": serde_json::json!({ "v": value, "n": "a\nb" }).to_string() });
    let mut all = vec![
        ("plain", format!("v {value} end")),
        ("quoted", format!("\"{value}\",")),
        ("base64", format!("out {once} end")),
        ("base64 without padding", format!("out {} end", STANDARD_NO_PAD.encode(bytes))),
        ("base64 url", format!("out {} end", URL_SAFE.encode(bytes))),
        ("base64 url without padding", format!("out={}&b", URL_SAFE_NO_PAD.encode(bytes))),
        ("base64 x2", format!("out {twice} end")),
        ("base64 x3", format!("out {} end", STANDARD.encode(&twice))),
        ("base64 of a line", STANDARD.encode(format!("a\n{value}\n"))),
        ("base64 behind text 1", STANDARD.encode(format!("x {value}"))),
        ("base64 behind text 2", STANDARD.encode(format!("k: {value} "))),
        ("base64 behind letters", format!("ab{once}")),
        ("base64 behind a path", format!("--file=secrets/{once}")),
        ("base64 x2 of a JSON", {
            let inner = STANDARD.encode(serde_json::json!({ "token": { "value": value } }).to_string());
            STANDARD.encode(inner)
        }),
        ("gzip", format!("out {} end", STANDARD.encode(gzip(bytes)))),
        ("zlib", format!("out {} end", STANDARD.encode(zlib(bytes)))),
        ("powershell", format!("powershell -enc {}", STANDARD.encode(utf16(&format!("$env:T=\"{value}\""))))),
        ("hex", format!("out {} end", hex(bytes))),
        ("upper hex", format!("0x{}", hex(bytes).to_uppercase())),
        ("percent", format!("GET /?t={} ", percent(value))),
        ("percent x2", format!("GET /?t={} ", percent(&percent(value)))),
        ("json", quoted),
        ("json in json", in_json.to_string()),
        ("unicode escapes", {
            let escaped: String = value.chars().map(|char| format!("\\u{:04x}", u32::from(char))).collect();
            format!("{{\"v\":\"{escaped}\"}}")
        }),
        ("ansi around", format!("use \x1b[1;32m{value}\x1b[0m now")),
        ("ansi inside", format!("use \x1b[31m{head}\x1b[0m\x1b[32m{tail}\x1b[0m now")),
        ("hyperlink", format!("\x1b]8;;https://a.test\x1b\\{value}\x1b]8;;\x07")),
        ("console note inside", format!("x {head}\x1b[8mha:////4FAKEAAAA\x1b[0m{tail} y")),
        ("carriage return", format!("v {value}\r\nnext\r\n")),
    ];
    let [xxd, hexdump, od] = dumps(bytes);
    all.extend([("xxd", xxd), ("hexdump -C", hexdump), ("od -tx1", od)]);
    all.extend(encoded(value));
    // Every sign of a spaced-out text has a sign on both sides; blanks among blanks have not.
    if !value.contains([' ', '\n']) {
        for separator in [" ", "-", "_", ".", ",", "|", "\t"] {
            let characters: Vec<String> = value.chars().map(String::from).collect();
            all.push(("spaced", format!("v {}\n", characters.join(separator))));
        }
    }
    all
}

/// Base 64 up to three times, at every alignment, in one line and wrapped.
fn encoded(value: &str) -> Vec<(&'static str, String)> {
    let mut all = Vec::new();
    let wraps = [[(60, 2), (64, 40)], [(60, 55), (76, 30)], [(64, 31), (76, 1)]];
    for ((lead, end), widths) in [("", "\n"), ("k=", ""), ("x y ", " ")].into_iter().zip(wraps) {
        let inner = format!("{lead}{value}{end}");
        let once = STANDARD.encode(&inner);
        all.push(("base64 aligned", format!("out {once} end")));
        for second in ["", "a", "ab", "k="] {
            let twice = STANDARD.encode(format!("{second}{once}"));
            let thrice = STANDARD.encode(format!("{second}{twice}"));
            all.push(("base64 x2 aligned", format!("out {twice} end")));
            all.push(("base64 x3 aligned", format!("out {thrice} end")));
        }
        for (width, pad) in widths {
            let long = STANDARD.encode(format!("{}{inner}", "y ".repeat(pad)));
            let again = STANDARD.encode(folded(&long, width, ""));
            let wrapped = |text: &str| format!("{STAMP}{}\n{STAMP}next", folded(text, width, STAMP));
            all.push(("base64 wrapped", wrapped(&long)));
            all.push(("base64 of wrapped", format!("{STAMP}{again}\n{STAMP}next")));
            all.push(("base64 wrapped twice", wrapped(&again)));
        }
    }
    all
}

fn rules(scanner: &Scanner) -> Vec<&Rule> {
    scanner.rules().rules().iter().filter(|rule| !rule.pattern.is_empty()).collect()
}

fn fingerprints(worker: &mut Worker<'_>, rule: &Rule, text: &[u8]) -> Vec<String> {
    let sightings = worker.scan(text).sightings;
    sightings.into_iter().filter(|seen| seen.rule == rule.id).map(|seen| seen.fingerprint).collect()
}

#[test]
fn every_secret_is_found_by_value_behind_every_disguise() {
    let scanner = scanner();
    let mut worker = scanner.worker();
    let mut misses = Vec::new();
    let mut tried = 0;
    for rule in rules(scanner) {
        for seed in [11, 12] {
            let value = text(&sample(rule, seed));
            let plain = fingerprints(&mut worker, rule, format!("v {value} end").as_bytes());
            assert_eq!(plain.len(), 1, "{}", rule.id);
            for (name, shown) in disguises(&value) {
                tried += 1;
                let found = fingerprints(&mut worker, rule, format!("{STAMP}begin\n{shown}").as_bytes());
                if !found.contains(&plain[0]) {
                    misses.push(format!("{name}: {} {shown}", rule.id));
                }
            }
            let wide = utf16(&format!("\u{feff}v {value} end\n"));
            if fingerprints(&mut worker, rule, &wide) != plain {
                misses.push(format!("utf-16: {}", rule.id));
            }
        }
    }
    // Compressed by hand, twenty random letters may have no run that says so.
    misses.retain(|miss| !miss.starts_with("zlib"));
    assert!(misses.is_empty(), "{} of {tried} missed\n{}", misses.len(), misses.join("\n"));
}

#[test]
fn colour_may_begin_and_end_anywhere_in_a_secret() {
    let scanner = scanner();
    let mut worker = scanner.worker();
    for rule in rules(scanner) {
        let value = text(&sample(rule, 13));
        let plain = fingerprints(&mut worker, rule, format!("v {value} end").as_bytes());
        for at in 0..=value.len() {
            let (head, tail) = value.split_at(at);
            let shown = match at % 2 {
                0 => format!("use \x1b[1m{head}\x1b[0m\x1b[32m{tail}\x1b[0m now"),
                _ => format!("use \x1b]0;t\x07{head}\x1b[K{tail}\r\n"),
            };
            let found = fingerprints(&mut worker, rule, shown.as_bytes());
            assert_eq!(found, plain, "{} at {at}", rule.id);
        }
    }
}

/// Addresses, which have no long run: only tokens with one are read backwards.
const NOT_BACKWARDS: [&str; 1] = ["zapier-webhook"];

/// A name read backwards is no name, so only formats that need none are found.
#[test]
fn tokens_are_read_backwards() {
    let scanner = scanner();
    let mut worker = scanner.worker();
    let (mut misses, mut tried) = (Vec::new(), 0);
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"+/-_=.~:@!".contains(&byte);
    for rule in rules(scanner) {
        let made = drawn(rule, 11, false);
        let is_told = made.secret.len() < made.text.len();
        if is_told || !made.text.iter().copied().all(is_token) || NOT_BACKWARDS.contains(&rule.id.as_str()) {
            continue;
        }
        for seed in 11..13 {
            let value = text(&sample(rule, seed));
            let plain = fingerprints(&mut worker, rule, format!("v {value} end").as_bytes());
            let backwards: String = value.chars().rev().collect();
            for shown in [format!("v {backwards} end"), backwards.clone()] {
                tried += 1;
                if !fingerprints(&mut worker, rule, shown.as_bytes()).contains(&plain[0]) {
                    misses.push(format!("{}: {shown}", rule.id));
                }
            }
        }
    }
    assert!(misses.is_empty(), "{} of {tried} missed\n{}", misses.len(), misses.join("\n"));
}
