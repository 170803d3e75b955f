//! Checksums and inner structure of made-up secrets, written from the providers'
//! descriptions and apart from the scanner's own code.

use crate::sample::Random;
use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::json;
use sha2::{Digest, Sha256};

/// Drawn letters may set bits that the last byte has no room for.
const FORGIVING: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);
const BASE62: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const BASE32: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// `drawn` with the sum of its check, or another value where the text encodes fields.
pub(crate) fn sealed(check: Option<&str>, drawn: &[u8], random: &mut Random) -> Vec<u8> {
    let mut value = drawn.to_vec();
    let length = value.len();
    match check.unwrap_or_default() {
        "github_crc32" | "npm_crc32" => {
            let sum = digits(u64::from(crc32fast::hash(&value[4..length - 6])), BASE62, 6);
            value[length - 6..].copy_from_slice(&sum);
        }
        "github_crc32_truncated" => {
            let sum = digits(u64::from(crc32fast::hash(&value[4..length - 5])), BASE62, 6);
            value[length - 5..].copy_from_slice(&sum[..5]);
        }
        "github_fine" => {
            let digest = Sha256::digest(&value[..77]);
            value[77..85].copy_from_slice(&base32(&digest[..5]));
        }
        "gitlab_routable" if length > 13 && value[length - 13] == b'.' => {
            let sum = u64::from(crc32fast::hash(&value[..length - 7]));
            value[length - 7..].copy_from_slice(&digits(sum, b"0123456789abcdefghijklmnopqrstuvwxyz", 7));
        }
        "atlassian_crc32" => hex_tail(&mut value, 0, 0, false),
        "grafana_crc32" => hex_tail(&mut value, 0, 1, true),
        "zuplo_crc32" => hex_tail(&mut value, 5, 1, false),
        "confluent_crc32" => {
            let sum = crc32fast::hash(&value[4..length - 6]).to_le_bytes();
            value[length - 6..].copy_from_slice(STANDARD_NO_PAD.encode(sum).as_bytes());
        }
        "azure_marvin" => return azure(&value),
        "azure_cask" => {
            let bytes = STANDARD.decode(&value[..80]).unwrap();
            let sum = marvin(&bytes, 0x4465_6661_756c_7430).to_le_bytes();
            // As many digits as the number needs, after a zero for each leading zero byte.
            let zeros = sum.iter().take_while(|byte| **byte == 0).count();
            let number = digits(u64::from(u32::from_be_bytes(sum)), BASE62, 6);
            let first = number.iter().position(|digit| *digit != b'0').unwrap_or(5);
            let text = [&b"0000"[..zeros], &number[first..], b"AAAA"].concat();
            value[80..].copy_from_slice(&text[..4]);
        }
        "entra_marvin" => {
            let sum = u64::from(marvin(&value[..37], 0x4161_6450_7764_3030));
            let letters = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ1234567890.-_~";
            value[37..].copy_from_slice(&digits(sum, letters, 6)[..3]);
        }
        "ado_crc32" => return devops(&value),
        "bech32" => bech32(&mut value),
        "nats_crc16" | "stellar_crc16" => {
            let mut bytes = unbase32(&value);
            let body = bytes.len() - 2;
            let sum = crc16(&bytes[..body]);
            bytes[body..].copy_from_slice(&sum.to_le_bytes());
            return base32(&bytes);
        }
        "atlassian_dc" if value.starts_with(b"BBDC-") => {
            return [b"BBDC-".to_vec(), fields("atlassian_dc", random).unwrap()].concat();
        }
        "pypi_macaroon" => return pypi(&value, random),
        "base58check" => return base58check(&value, random),
        "jwt" => return jwt(random),
        "pem" => return pem(random),
        other => return fields(other, random).unwrap_or(value),
    }
    value
}

/// Values whose text is an encoding of fields.
fn fields(check: &str, random: &mut Random) -> Option<Vec<u8>> {
    let text = match check {
        "aws_bedrock" => {
            format!(
                "ABSK{}",
                STANDARD.encode(format!(
                    "BedrockAPIKey-{}-at-123456789012:{}",
                    random.word(4),
                    random.word(44)
                ))
            )
        }
        "sentry" => {
            let claims = json!({"iat": 1_700_000_000.5, "url": "https://sentry.io", "org": random.word(9)});
            format!("sntrys_{}_{}", STANDARD.encode(claims.to_string()), random.word(43))
        }
        "onepassword" => {
            let claims = json!({"signInAddress": "x.1password.com", "email": "a@b.test", "secretKey": random.word(40), "k": random.word(80)});
            format!("ops_{}", URL_SAFE_NO_PAD.encode(claims.to_string()))
        }
        "grafana_cloud" => {
            let inner = format!(
                "{{\"o\":\"12345\",\"n\":\"n\",\"k\":\"{}\",\"m\":{{\"r\":\"eu\"}}}}",
                random.word(24)
            );
            format!("glc_{}", STANDARD.encode(inner))
        }
        "grafana_legacy" => {
            STANDARD.encode(format!("{{\"k\":\"{}\",\"n\":\"key\",\"id\":1}}", random.word(32)))
        }
        "jfrog_reference" => STANDARD.encode(format!("reftkn:01:1893456000:{}", random.word(27))),
        "atlassian_dc" => {
            let mut bytes = format!("{}:", 100_000_000_000 + random.below(1 << 30)).into_bytes();
            bytes.extend(random.bytes(20));
            STANDARD.encode(bytes)
        }
        "intercom" => STANDARD.encode(format!("tok:{}", random.word(41))),
        "discord" => {
            let id = 100_000_000_000_000_000 + random.below(1 << 50);
            format!("{}.{}.{}", URL_SAFE_NO_PAD.encode(id.to_string()), random.word(6), random.word(38))
        }
        "elastic_key" => STANDARD.encode(format!("{}:{}", random.word(20), random.word(22))),
        "basic_pair" => STANDARD.encode(format!("robot:{}", random.word(30))),
        "azure_sas" => STANDARD.encode(random.bytes(32)),
        _ => return None,
    };
    Some(text.into_bytes())
}

fn digits(mut number: u64, letters: &[u8], count: usize) -> Vec<u8> {
    let base = letters.len() as u64;
    let mut out = vec![letters[0]; count];
    for digit in out.iter_mut().rev() {
        *digit = letters[usize::try_from(number % base).unwrap()];
        number /= base;
    }
    out
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

/// Bits of `letters` in base 32, whole bytes only.
fn unbase32(letters: &[u8]) -> Vec<u8> {
    let bits: Vec<usize> = letters
        .iter()
        .map(|letter| BASE32.iter().position(|known| known.eq_ignore_ascii_case(letter)).unwrap())
        .flat_map(|digit| (0..5).rev().map(move |bit| digit >> bit & 1))
        .collect();
    bits.chunks_exact(8)
        .map(|byte| u8::try_from(byte.iter().fold(0, |sum, bit| sum << 1 | bit)).unwrap())
        .collect()
}

fn base32(bytes: &[u8]) -> Vec<u8> {
    let bits: Vec<u8> = bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1)).collect();
    bits.chunks(5)
        .map(|five| (0..5).fold(0, |sum, at| sum << 1 | usize::from(five.get(at).copied().unwrap_or(0))))
        .map(|digit| BASE32[digit])
        .collect()
}

/// Marvin32: words are added and mixed, then the rest with a closing 0x80, then once more.
fn marvin(bytes: &[u8], seed: u64) -> u32 {
    let mut padded = bytes.to_vec();
    padded.push(0x80);
    while !padded.len().is_multiple_of(4) {
        padded.push(0);
    }
    padded.extend([0; 4]);
    let (mut low, mut high) =
        (u32::try_from(seed & 0xffff_ffff).unwrap(), u32::try_from(seed >> 32).unwrap());
    for word in padded.chunks_exact(4) {
        low = low.wrapping_add(u32::from_le_bytes(word.try_into().unwrap()));
        high ^= low;
        low = low.rotate_left(20).wrapping_add(high);
        high = high.rotate_left(9) ^ low;
        low = low.rotate_left(27).wrapping_add(high);
        high = high.rotate_left(19);
    }
    low ^ high
}

/// The first seed of each family.
fn azure(value: &[u8]) -> Vec<u8> {
    let seeds: [(&str, usize, u64); 14] = [
        ("+ASt", 76, 0x4465_6661_756c_7430),
        ("ACDb", 76, 0x4d61_7374_524f_3030),
        ("+ABa", 76, 0x4162_4163_6374_3030),
        ("+AMC", 76, 0x436c_6173_7369_6330),
        ("APIM", 76, 0x4761_7465_7779_3030),
        ("AIoT", 33, 0x496f_5448_7562_3030),
        ("+ASb", 33, 0x5365_6e64_3030_3030),
        ("+AEh", 33, 0x4c69_7374_656e_3030),
        ("+ARm", 33, 0x4d61_6e61_6765_3030),
        ("AZEG", 33, 0x5365_6e64_5265_6376),
        ("AzCa", 33, 0x4163_6365_7373_3030),
        ("AzSe", 42, 0x5175_6572_7930_3030),
        ("+ACR", 42, 0x4143_5244_666c_7430),
        ("AzFu", 44, 0x4675_6e63_7469_3030),
    ];
    let (.., seed) = seeds
        .iter()
        .find(|(name, at, _)| value.get(*at..).is_some_and(|rest| rest.starts_with(name.as_bytes())))
        .expect("a family");
    let text = String::from_utf8(value.to_vec()).unwrap().replace('-', "+").replace('_', "/");
    let mut bytes = FORGIVING.decode(text.trim_end_matches('=')).unwrap();
    let body = bytes.len() - 4;
    let sum = marvin(&bytes[..body], *seed);
    bytes[body..].copy_from_slice(&sum.to_le_bytes());
    let text = STANDARD.encode(bytes);
    let is_url = value[44..].starts_with(b"AzFu");
    if is_url { text.replace('+', "-").replace('/', "_") } else { text }.into_bytes()
}

fn devops(value: &[u8]) -> Vec<u8> {
    let mut bytes = unbase32(value);
    let body: Vec<u8> =
        (0..32).filter(|place| ![2, 7, 8, 22].contains(place)).map(|place| bytes[place]).collect();
    let sum = (crc32fast::hash(&body) ^ 0xe0b9_692d).to_le_bytes();
    for (place, byte) in [22, 8, 7, 2].into_iter().zip(sum) {
        bytes[place] = byte;
    }
    base32(&bytes).to_ascii_lowercase()
}

fn bech32(value: &mut [u8]) {
    const LETTERS: &[u8] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    let is_upper = value[0].is_ascii_uppercase();
    let lower = value.to_ascii_lowercase();
    let cut = lower.iter().rposition(|byte| *byte == b'1').unwrap();
    let body = lower.len() - 6;
    let mut values: Vec<u32> = lower[..cut].iter().map(|byte| u32::from(byte >> 5)).collect();
    values.push(0);
    values.extend(lower[..cut].iter().map(|byte| u32::from(byte & 31)));
    values.extend(
        lower[cut + 1..body]
            .iter()
            .map(|byte| u32::try_from(LETTERS.iter().position(|known| known == byte).unwrap()).unwrap()),
    );
    values.extend([0; 6]);
    let mut sum = 1_u32;
    for value in values {
        let top = sum >> 25;
        sum = (sum & 0x01ff_ffff) << 5 ^ value;
        for (bit, term) in
            [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3].into_iter().enumerate()
        {
            sum ^= if top >> bit & 1 == 1 { term } else { 0 };
        }
    }
    sum ^= 1;
    for place in 0..6 {
        let letter = LETTERS[(sum >> (5 * (5 - place)) & 31) as usize];
        value[body + place] = if is_upper { letter.to_ascii_uppercase() } else { letter };
    }
}

fn crc16(bytes: &[u8]) -> u16 {
    let mut sum = 0_u16;
    for byte in bytes {
        sum ^= u16::from(*byte) << 8;
        for _ in 0..8 {
            sum = if sum & 0x8000 == 0 { sum << 1 } else { sum << 1 ^ 0x1021 };
        }
    }
    sum
}

/// Version bytes by what the text begins with.
fn base58check(value: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = match value {
        [b'x', ..] => [vec![0x04, 0x88, 0xad, 0xe4], random.bytes(74)].concat(),
        [b'e', ..] => [vec![13, 15, 58, 7], random.bytes(32)].concat(),
        [b'5', ..] => [vec![0x80], random.bytes(32)].concat(),
        _ => [vec![0x80], random.bytes(32), vec![1]].concat(),
    };
    let sum = Sha256::digest(Sha256::digest(&bytes));
    bytes.extend(&sum[..4]);
    const LETTERS: &[u8] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    let mut out: Vec<usize> = Vec::new();
    for byte in bytes {
        let mut carry = usize::from(byte);
        for place in &mut out {
            carry += *place << 8;
            *place = carry % 58;
            carry /= 58;
        }
        while carry > 0 {
            out.push(carry % 58);
            carry /= 58;
        }
    }
    out.iter().rev().map(|digit| LETTERS[*digit]).collect()
}

fn pypi(value: &[u8], random: &mut Random) -> Vec<u8> {
    let place: &[u8] = if value.starts_with(b"pypi-AgEN") { b"test.pypi.org" } else { b"pypi.org" };
    let packet = |kind: u8, body: &[u8]| [&[kind, u8::try_from(body.len()).unwrap()], body].concat();
    let signature = random.bytes(32);
    let id = format!("{}-{}", random.word(18), random.word(17));
    let mut bytes = vec![2];
    bytes.extend(packet(1, place));
    bytes.extend(packet(2, id.as_bytes()));
    bytes.push(0);
    bytes.extend(packet(2, b"[0,1900000000,1700000000]"));
    bytes.extend([0, 0]);
    bytes.extend(packet(6, &signature));
    format!("pypi-{}", URL_SAFE_NO_PAD.encode(bytes)).into_bytes()
}

fn jwt(random: &mut Random) -> Vec<u8> {
    let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header = part(json!({"alg": "RS256", "typ": "JWT"}));
    let claims = part(
        json!({"iss": "https://issuer.test", "sub": format!("s{}", random.below(1 << 40)), "exp": 1_900_000_000}),
    );
    format!("{header}.{claims}.{}", URL_SAFE_NO_PAD.encode(random.bytes(64))).into_bytes()
}

fn pem(random: &mut Random) -> Vec<u8> {
    // A SEC 1 key: version 1, then octets.
    let mut der = vec![0x30, 0x82, 0x01, 0x03, 0x02, 0x01, 0x01];
    der.extend(random.bytes(256));
    let body = STANDARD.encode(der);
    let lines: Vec<&str> =
        body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    let label = ["PRIVATE", "KEY"].join(" ");
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----", lines.join("\n")).into_bytes()
}
