//! Azure keys that carry a Marvin checksum (github.com/microsoft/security-utilities:
//! `IdentifiableMetadata`, `IdentifiableSecrets`, `LegacyCommonAnnotatedSecurityKey`).

use super::codec::{self, base64, base64_url};
use super::{Checked, checksum, likely, percent_decoded};
use crate::Resolved;
use leakgraph_model::Timestamp;
use memchr::memmem;
use regex_automata::Span;

/// Signature, its offset, and what may have seeded the checksum, with the key's role.
type Family = (&'static [u8], usize, &'static [(u64, &'static str)]);

const MESSAGING: &[(u64, &str)] =
    &[(0x5365_6e64_3030_3030, "send"), (0x4d61_6e61_6765_3030, "manage"), (0x4c69_7374_656e_3030, "listen")];
/// The seed of storage keys, and of common annotated keys.
const DEFAULT: u64 = 0x4465_6661_756c_7430;
const FAMILIES: [Family; 15] = [
    (b"+ASt", 76, &[(DEFAULT, "account")]),
    (
        b"ACDb",
        76,
        &[
            (0x4d61_7374_5257_3030, "read-write"),
            (0x4d61_7374_524f_3030, "read-only"),
            (0x5265_736f_7572_3030, "resource"),
        ],
    ),
    (b"+ABa", 76, &[(0x4162_4163_6374_3030, "account")]),
    (b"+AMC", 76, &[(0x436c_6173_7369_6330, "web service")]),
    (
        b"APIM",
        76,
        &[
            (0x5465_6e61_6e74_3030, "tenant"),
            (0x496f_5448_7562_3030, "subscription"),
            (0x4761_7465_7779_3030, "gateway"),
            (0x4769_744b_6579_3030, "repository"),
        ],
    ),
    (
        b"AIoT",
        33,
        &[
            (0x496f_5448_7562_3030, "hub"),
            (0x4470_734b_6579_3030, "provisioning"),
            (0x4465_7669_6365_3030, "device"),
        ],
    ),
    (b"+ASb", 33, MESSAGING),
    (b"+AEh", 33, MESSAGING),
    (b"+ARm", 33, MESSAGING),
    (b"AZEG", 33, &[(0x5365_6e64_5265_6376, "topic")]),
    (b"AzCa", 33, &[(0x4163_6365_7373_3030, "access")]),
    (b"AzSe", 42, &[(0x5175_6572_7930_3030, "query"), (0x5041_646d_696e_3030, "admin")]),
    (b"+ACR", 42, &[(0x4143_5244_666c_7430, "registry")]),
    (
        b"AzFu",
        44,
        &[
            (0x4675_6e63_7469_3030, "function"),
            (0x4d61_7374_6572_3030, "host master"),
            (0x5379_7374_656d_3030, "system"),
        ],
    ),
    (b"+SQL", 76, &[(0x5573_7250_7764_3030, "user")]),
];

/// Marvin32 as .NET computes it, its halves joined by xor.
fn marvin(bytes: &[u8], seed: u64) -> u32 {
    let mut state = ((seed & 0xffff_ffff) as u32, (seed >> 32) as u32);
    let mix = |(mut low, mut high): (u32, u32), word: u32| {
        low = low.wrapping_add(word);
        high ^= low;
        low = low.rotate_left(20).wrapping_add(high);
        high = high.rotate_left(9) ^ low;
        low = low.rotate_left(27).wrapping_add(high);
        (low, high.rotate_left(19))
    };
    let words = bytes.chunks_exact(4);
    let rest = words.remainder();
    for word in words {
        state = mix(state, word.iter().rev().fold(0, |sum, byte| sum << 8 | u32::from(*byte)));
    }
    let last = rest.iter().rev().fold(0x80, |sum, byte| sum << 8 | u32::from(*byte));
    state = mix(mix(state, last), 0);
    state.0 ^ state.1
}

/// Storage, Cosmos, Service Bus, …: the last four decoded bytes are the checksum of the
/// others. The seed that fits tells the role of the key.
pub(super) fn identifiable(value: &[u8]) -> Checked {
    fitting(value).map_or_else(
        || checksum(false),
        |role| {
            let mut checked = checksum(true);
            checked.resolved = Some(Resolved {
                by: "azure_key".into(),
                platform: "azure".into(),
                native_id: None,
                subject: format!("{role} key"),
            });
            checked
        },
    )
}

fn fitting(value: &[u8]) -> Option<&'static str> {
    let bytes = base64(value).or_else(|| base64_url(value))?;
    let (body, sum) = bytes.split_last_chunk::<4>()?;
    let sum = u32::from_le_bytes(*sum);
    let (.., seeds) = FAMILIES
        .iter()
        .find(|(signature, at, _)| value.get(*at..).is_some_and(|rest| rest.starts_with(signature)))?;
    seeds.iter().find(|(seed, _)| marvin(body, *seed) == sum).map(|(_, role)| *role)
}

/// Common annotated keys: 60 bytes, then the first letters of their checksum in base 62,
/// or in base 64. The letters at 58 tell year and month of creation.
pub(super) fn annotated(value: &[u8]) -> Checked {
    let Some((body, tail)) = value.split_last_chunk::<4>() else { return checksum(false) };
    let Some(bytes) = base64(body) else { return checksum(false) };
    let sum = marvin(&bytes, DEFAULT).to_le_bytes();
    let fits = base62(&sum).starts_with(tail) || base64(tail).is_some_and(|three| sum.starts_with(&three));
    let mut checked = checksum(fits);
    if let (true, Some([year, month])) = (fits, value.get(58..60)) {
        let created = format!(
            "created {}-{:02}",
            2024 + u32::from(year.saturating_sub(b'A')),
            u32::from(month.saturating_sub(b'A')) + 1
        );
        checked.resolved = Some(Resolved {
            by: "azure_key".into(),
            platform: "azure".into(),
            native_id: None,
            subject: created,
        });
    }
    checked
}

/// Four bytes in base 62, most significant first, leading zero bytes as zeros.
fn base62(bytes: &[u8; 4]) -> Vec<u8> {
    const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut number = u32::from_be_bytes(*bytes);
    let zeros = bytes.iter().take(3).take_while(|byte| **byte == 0).count();
    let mut out = Vec::new();
    while number > 0 || out.is_empty() {
        out.extend(LETTERS.get((number % 62) as usize));
        number /= 62;
    }
    out.extend(std::iter::repeat_n(b'0', zeros));
    out.reverse();
    out
}

/// Entra client secrets end with three letters of the checksum of the 37 before.
pub(super) fn entra(value: &[u8]) -> Checked {
    const LETTERS: &[u8; 66] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ1234567890.-_~";
    let fits = value.split_last_chunk::<3>().is_some_and(|(body, tail)| {
        let sum = marvin(body, 0x4161_6450_7764_3030);
        // Six digits, of which the first three are kept.
        let digit = |place: u32| LETTERS.get((sum / 66_u32.pow(place) % 66) as usize);
        [5, 4, 3].map(digit).iter().zip(tail).all(|(have, want)| *have == Some(want))
    });
    checksum(fits)
}

/// Old Azure DevOps tokens: 32 bytes of base 32, four of which are a CRC-32 of the others.
/// No other mark tells them from any word, so a wrong sum means another thing.
pub(super) fn devops(value: &[u8]) -> Option<Checked> {
    let bytes = codec::base32_bytes(value)?;
    let at = |place: usize| bytes.get(place).copied();
    let sum = u32::from_le_bytes([at(22)?, at(8)?, at(7)?, at(2)?]);
    let body: zeroize::Zeroizing<Vec<u8>> = zeroize::Zeroizing::new(
        bytes
            .iter()
            .enumerate()
            .filter(|(place, _)| ![22, 8, 7, 2].contains(place))
            .map(|(_, byte)| *byte)
            .collect(),
    );
    let crc = crc32fast::hash(&body);
    [0xe0b9_692d, 0x1019_f92e].contains(&(crc ^ sum)).then(|| checksum(true))
}

/// A shared access signature is an HMAC of 32 bytes; `se` beside it says until when.
pub(super) fn shared_access(value: &[u8], text: &[u8], span: Span) -> Option<Checked> {
    let signature = percent_decoded(value);
    let bytes = base64(&signature).or_else(|| base64_url(&signature))?;
    if bytes.len() != 32 {
        return None;
    }
    let near = text.get(span.start.saturating_sub(700)..text.len().min(span.end + 300))?;
    let mut checked = likely();
    checked.expires_at = [&b"&se="[..], b"?se="].iter().find_map(|name| {
        let value = near.get(memmem::find(near, name)? + name.len()..)?;
        let length = value.iter().position(|byte| !(byte.is_ascii_alphanumeric() || b"%:-+.".contains(byte)));
        let time = percent_decoded(value.get(..length.unwrap_or(value.len()))?);
        Timestamp::parse(std::str::from_utf8(&time).ok()?)
    });
    Some(checked)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Confidence;

    #[test]
    fn the_published_entra_sample_fits() {
        // security-utilities: AadClientAppIdentifiableCredentialsCurrent.
        let sample = format!("zzz8Q~{}blP", "z".repeat(31));
        assert_eq!(entra(sample.as_bytes()).confidence, Confidence::VerifiedStructure);
        assert_eq!(entra(sample.replace('P', "Q").as_bytes()).confidence, Confidence::Possible);
    }

    #[test]
    fn base62_keeps_leading_zero_bytes() {
        assert_eq!(base62(&[0, 0, 0, 61]), b"000z");
        assert_eq!(base62(&[0, 0, 0, 0]), b"0000");
        assert_eq!(base62(&u32::MAX.to_be_bytes()), b"4gfFC3");
    }
}
