//! A made-up secret for every rule: random text that its pattern matches, with the
//! checksum the provider publishes. Nothing here was ever issued.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use leakgraph_scan::Rule;
use regex_syntax::hir::{Class, Hir, HirKind};
use sha2::{Digest, Sha256};

/// Xorshift: tests are the same every time.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound.max(1)
    }
}

/// A value that the rule finds.
pub(crate) fn sample(rule: &Rule, seed: u64) -> Vec<u8> {
    let mut random = Random::new(seed + rule.id.bytes().map(u64::from).sum::<u64>());
    match rule.check.as_deref() {
        Some("jwt") => return jwt(&mut random),
        Some("pem") => return pem(&mut random),
        _ => {}
    }
    let hir =
        regex_syntax::ParserBuilder::new().unicode(false).utf8(false).build().parse(&rule.pattern).unwrap();
    let mut value = Vec::new();
    write(&hir, &mut random, &mut value);
    seal(rule.check.as_deref(), &mut value);
    value
}

fn write(hir: &Hir, random: &mut Random, out: &mut Vec<u8>) {
    match hir.kind() {
        HirKind::Literal(literal) => out.extend_from_slice(&literal.0),
        HirKind::Class(Class::Bytes(class)) => {
            let bytes: Vec<u8> = class
                .ranges()
                .iter()
                .flat_map(|range| range.start()..=range.end())
                .filter(|byte| byte.is_ascii_graphic() || class.ranges().len() == 1)
                .collect();
            let plain: Vec<u8> = bytes.iter().copied().filter(u8::is_ascii_alphanumeric).collect();
            let from = if plain.is_empty() { &bytes } else { &plain };
            out.push(from[usize::try_from(random.below(from.len() as u64)).unwrap()]);
        }
        HirKind::Class(Class::Unicode(_)) | HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Repetition(repetition) => {
            let most = repetition.max.unwrap_or(repetition.min + 8).min(repetition.min + 24);
            let least = repetition.min.max(most.min(20));
            let times = u64::from(least) + random.below(u64::from(most - least) + 1);
            (0..times).for_each(|_| write(&repetition.sub, random, out));
        }
        HirKind::Capture(capture) => write(&capture.sub, random, out),
        HirKind::Concat(parts) => parts.iter().for_each(|part| write(part, random, out)),
        HirKind::Alternation(parts) => {
            let at = usize::try_from(random.below(parts.len() as u64)).unwrap();
            write(&parts[at], random, out);
        }
    }
}

/// Replaces the last characters by the checksum of the others.
fn seal(check: Option<&str>, value: &mut [u8]) {
    let length = value.len();
    match check {
        Some("github_crc32" | "npm_crc32") => {
            let sum = base62(crc32fast::hash(&value[4..length - 6]));
            value[length - 6..].copy_from_slice(&sum);
        }
        Some("github_fine") => {
            let digest = Sha256::digest(&value[..77]);
            value[77..85].copy_from_slice(&base32(&digest[..5]));
        }
        Some("atlassian_crc32") => hex_tail(value, 0, 0, false),
        Some("grafana_crc32") => hex_tail(value, 0, 1, true),
        Some("zuplo_crc32") => hex_tail(value, 5, 1, false),
        _ => {}
    }
}

fn hex_tail(value: &mut [u8], from: usize, cut: usize, swap: bool) {
    let length = value.len();
    let crc = crc32fast::hash(&value[from..length - 8 - cut]);
    let crc = if swap { crc.swap_bytes() } else { crc };
    // Both letter cases occur; keep the one that the sample has.
    let upper = value[length - 8..].iter().any(u8::is_ascii_uppercase);
    let text = if upper { format!("{crc:08X}") } else { format!("{crc:08x}") };
    value[length - 8..].copy_from_slice(text.as_bytes());
}

fn base62(mut number: u32) -> [u8; 6] {
    const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut digits = [b'0'; 6];
    for digit in digits.iter_mut().rev() {
        *digit = LETTERS[(number % 62) as usize];
        number /= 62;
    }
    digits
}

fn base32(five: &[u8]) -> [u8; 8] {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let bits = five.iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
    let mut digits = [0; 8];
    for (at, digit) in digits.iter_mut().enumerate() {
        *digit = LETTERS[(bits >> (35 - 5 * at) & 31) as usize];
    }
    digits
}

fn bytes(count: usize, random: &mut Random) -> Vec<u8> {
    (0..count).map(|_| u8::try_from(random.below(256)).unwrap()).collect()
}

fn jwt(random: &mut Random) -> Vec<u8> {
    let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header = part(serde_json::json!({"alg": "RS256", "typ": "JWT"}));
    let claims = part(
        serde_json::json!({"iss": "https://issuer.test", "sub": format!("s{}", random.below(1 << 40)), "exp": 1_900_000_000}),
    );
    format!("{header}.{claims}.{}", URL_SAFE_NO_PAD.encode(bytes(64, random))).into_bytes()
}

fn pem(random: &mut Random) -> Vec<u8> {
    let mut der = vec![0x30, 0x82, 0x01, 0x00];
    der.extend(bytes(256, random));
    let body = STANDARD.encode(der);
    let lines: Vec<&str> =
        body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    let label = ["PRIVATE", "KEY"].join(" ");
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----", lines.join("\n")).into_bytes()
}
