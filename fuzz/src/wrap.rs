//! Encodings around a text, as logs have them.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use std::io::Write as _;

/// Wrapping stops at texts of this size: instrumented scans are ten times slower.
const MAX_BYTES: usize = 256 << 10;
/// How many wrappers there are.
pub const WRAPPERS: u8 = 17;

/// `text` in the encoding of a number.
pub fn wrap(text: &[u8], wrapper: u8) -> Vec<u8> {
    if text.len() > MAX_BYTES {
        return text.to_vec();
    }
    match wrapper % WRAPPERS {
        0 => STANDARD.encode(text).into_bytes(),
        1 => URL_SAFE_NO_PAD.encode(text).into_bytes(),
        2 => STANDARD.encode(text).as_bytes().chunks(76).collect::<Vec<_>>().join(&b'\n'),
        3 => text.iter().flat_map(|byte| format!("{byte:02x}").into_bytes()).collect(),
        4 => text.iter().flat_map(|byte| format!("%{byte:02X}").into_bytes()).collect(),
        5 => text.iter().flat_map(|byte| format!("\\u{byte:04x}").into_bytes()).collect(),
        6 => serde_json::to_vec(&String::from_utf8_lossy(text)).expect("text is JSON"),
        7 => STANDARD.encode(gzip(text)).into_bytes(),
        8 => STANDARD.encode(zlib(text)).into_bytes(),
        9 => STANDARD.encode(utf16(text, u16::to_le_bytes)).into_bytes(),
        10 => [b"\xff\xfe".as_slice(), &utf16(text, u16::to_le_bytes)].concat(),
        11 => [b"\xfe\xff".as_slice(), &utf16(text, u16::to_be_bytes)].concat(),
        12 => text.iter().rev().copied().collect(),
        13 => text.iter().flat_map(|byte| [*byte, b' ']).collect(),
        14 => text.repeat((text.len() % 61 + 2).min(1 + MAX_BYTES / text.len().max(1))),
        15 => dump(text),
        _ => stamped(text),
    }
}

pub fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).expect("memory");
    encoder.finish().expect("memory")
}

fn zlib(text: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).expect("memory");
    encoder.finish().expect("memory")
}

fn utf16(text: &[u8], bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.iter().flat_map(|byte| bytes(u16::from(*byte))).collect()
}

/// As `xxd` prints it.
fn dump(text: &[u8]) -> Vec<u8> {
    let line = |(index, sixteen): (usize, &[u8])| {
        let hex: Vec<String> =
            sixteen.chunks(2).map(|pair| pair.iter().map(|byte| format!("{byte:02x}")).collect()).collect();
        let shown: String = sixteen
            .iter()
            .map(|byte| if byte.is_ascii_graphic() { char::from(*byte) } else { '.' })
            .collect();
        format!("{:08x}: {:<39}  {shown}\n", index * 16, hex.join(" ")).into_bytes()
    };
    text.chunks(16).enumerate().flat_map(line).collect()
}

/// With a runner's timestamp before every line.
fn stamped(text: &[u8]) -> Vec<u8> {
    let line = |line: &[u8]| [b"2026-11-02T09:14:07.1234567Z ".as_slice(), line].concat();
    text.split(|byte| *byte == b'\n').map(line).collect::<Vec<_>>().join(&b'\n')
}
