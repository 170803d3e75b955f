//! Alphabets of token bodies. Decoded bytes may be secret, so they zeroize.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

const EITHER_PADDING: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, EITHER_PADDING);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, EITHER_PADDING);

pub(crate) type Bytes = Zeroizing<Vec<u8>>;

/// Base 64 (RFC 4648 §4), padded or not.
pub(crate) fn base64(text: &[u8]) -> Option<Bytes> {
    STANDARD.decode(text).ok().map(Zeroizing::new)
}

/// Base 64 in its URL-safe alphabet (RFC 4648 §5), padded or not.
pub(crate) fn base64_url(text: &[u8]) -> Option<Bytes> {
    URL_SAFE.decode(text).ok().map(Zeroizing::new)
}

/// Base 64 of JSON.
pub(crate) fn base64_json(text: &[u8]) -> Option<serde_json::Value> {
    serde_json::from_slice(&base64(text).or_else(|| base64_url(text))?).ok()
}

/// The number that `text` writes in base 62 (`0-9A-Za-z`), of at most ten digits.
pub(crate) fn base62(text: &[u8]) -> Option<u64> {
    number(text, 62, |byte| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'A'..=b'Z' => Some(byte - b'A' + 10),
        b'a'..=b'z' => Some(byte - b'a' + 36),
        _ => None,
    })
}

/// The number that `text` writes in base 36 (`0-9a-z`).
pub(crate) fn base36(text: &[u8]) -> Option<u64> {
    number(text, 36, |byte| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'z' => Some(byte - b'a' + 10),
        _ => None,
    })
}

fn number(text: &[u8], base: u64, digit: impl Fn(u8) -> Option<u8>) -> Option<u64> {
    text.iter().try_fold(0_u64, |sum, byte| sum.checked_mul(base)?.checked_add(u64::from(digit(*byte)?)))
}

fn digit32(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a'),
        b'2'..=b'7' => Some(byte - b'2' + 26),
        _ => None,
    }
}

/// The number that `text` writes in base 32 (RFC 4648 §6), of at most twelve digits.
pub(crate) fn base32(text: &[u8]) -> Option<u64> {
    number(text, 32, digit32)
}

/// Whole bytes of base 32 (RFC 4648 §6) in either case; bits left over are dropped.
pub(crate) fn base32_bytes(text: &[u8]) -> Option<Bytes> {
    let mut out = Zeroizing::new(Vec::with_capacity(text.len()));
    let (mut bits, mut held) = (0_u32, 0);
    for byte in text {
        bits = (bits << 5 | u32::from(digit32(*byte)?)) & 0xfff;
        held += 5;
        if held >= 8 {
            held -= 8;
            out.push(u8::try_from(bits >> held & 0xff).ok()?);
        }
    }
    Some(out)
}

/// Bytes of base 58 (Bitcoin's alphabet).
pub(crate) fn base58(text: &[u8]) -> Option<Bytes> {
    const LETTERS: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    // Least significant byte first while it grows.
    let mut out = Zeroizing::new(Vec::with_capacity(text.len()));
    for byte in text {
        let mut carry = LETTERS.iter().position(|letter| letter == byte)?;
        for place in out.iter_mut() {
            carry += usize::from(*place) * 58;
            *place = (carry & 0xff).try_into().ok()?;
            carry >>= 8;
        }
        while carry > 0 {
            out.push((carry & 0xff).try_into().ok()?);
            carry >>= 8;
        }
    }
    out.extend(text.iter().take_while(|byte| **byte == b'1').map(|_| 0));
    out.reverse();
    Some(out)
}

/// Whether a Bech32 or Bech32m string carries the checksum of its bytes (BIP-173, BIP-350).
pub(crate) fn is_bech32(text: &[u8]) -> Option<bool> {
    const LETTERS: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    let text = text.to_ascii_lowercase();
    let cut = text.iter().rposition(|byte| *byte == b'1')?;
    let (prefix, data) = (text.get(..cut)?, text.get(cut + 1..)?);
    let mut values: Vec<u32> = prefix.iter().map(|byte| u32::from(byte >> 5)).collect();
    values.push(0);
    values.extend(prefix.iter().map(|byte| u32::from(byte & 31)));
    for byte in data {
        values.push(u32::try_from(LETTERS.iter().position(|letter| letter == byte)?).ok()?);
    }
    let sum = values.iter().fold(1_u32, |sum, value| {
        const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
        let top = sum >> 25;
        let rest = (sum & 0x1ff_ffff) << 5 ^ value;
        GENERATOR.iter().enumerate().fold(
            rest,
            |rest, (bit, term)| {
                if top >> bit & 1 == 1 { rest ^ term } else { rest }
            },
        )
    });
    Some(sum == 1 || sum == 0x2bc8_30a3)
}

/// CRC-16/XMODEM.
pub(crate) fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |sum, byte| {
        (0..8).fold(
            sum ^ u16::from(*byte) << 8,
            |sum, _| {
                if sum & 0x8000 == 0 { sum << 1 } else { sum << 1 ^ 0x1021 }
            },
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_vectors_decode() {
        // RFC 4648 §10; BIP-173 and BIP-350 valid strings; the CRC catalogue's check value.
        assert_eq!(base32_bytes(b"MZXW6YTB").as_deref().map(Vec::as_slice), Some(&b"fooba"[..]));
        assert_eq!(base64(b"Zm9vYg").as_deref().map(Vec::as_slice), Some(&b"foob"[..]));
        assert_eq!(is_bech32(b"A12UEL5L"), Some(true));
        assert_eq!(is_bech32(b"a1lqfn3a"), Some(true));
        assert_eq!(is_bech32(b"A12UEL5M"), Some(false));
        assert_eq!(crc16(b"123456789"), 0x31c3);
        assert_eq!(base58(b"2NEpo7TZRRrLZSi2U").as_deref().map(Vec::as_slice), Some(&b"Hello World!"[..]));
        assert_eq!((base62(b"10"), base36(b"10"), base32(b"BA")), (Some(62), Some(36), Some(32)));
    }
}
