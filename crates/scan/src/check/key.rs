//! Private keys: their containers must close and their parts must agree.

use super::codec::{self, base64};
use super::{Checked, likely, plain, structure};
use crate::{Confidence, Resolved, Verification};
use memchr::memmem;
use regex_automata::Span;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 2;
const OCTETS: u8 = 4;

/// PEM (RFC 7468): base 64 of a DER sequence, of an OpenSSH key, or of an encrypted body.
pub(super) fn pem(value: &[u8], text: &[u8], span: Span) -> Checked {
    let mut checked = body(value).unwrap_or_else(|| structure(false));
    checked.resolved = service_account(text, span);
    checked
}

fn body(value: &[u8]) -> Option<Checked> {
    let rest = value.get(memmem::find(value, b"KEY-----")? + 8..)?;
    let rest = rest.get(..memmem::find(rest, b"-----END")?)?;
    // Headers of encrypted PKCS #1 keys (RFC 1421) name cipher and salt before the body.
    let header = memmem::find(rest, b"DEK-Info:").and_then(|at| {
        let line = rest.get(at..)?.iter().position(|byte| *byte == b'\n')?;
        Some(at + line)
    });
    let rest = rest.get(header.unwrap_or(0)..)?;
    let letters: Zeroizing<Vec<u8>> =
        Zeroizing::new(rest.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect());
    let bytes = base64(&letters)?;
    if header.is_some() {
        // Ciphertext: whole blocks are all that can be seen of it.
        return (bytes.len() % 8 == 0).then(|| plain(Confidence::Likely, Verification::StructureValid));
    }
    if let Some(key) = bytes.strip_prefix(b"openssh-key-v1\0") {
        return Some(structure(openssh(key) != Some(false)));
    }
    let (tag, inner, after) = der(&bytes)?;
    if tag != SEQUENCE || bytes.len() < 40 {
        return None;
    }
    // PKCS #1, PKCS #8 and SEC 1 begin with a version, encrypted PKCS #8 with a sequence.
    let starts = der(inner).filter(|(tag, body, _)| match *tag {
        INTEGER => matches!(body, [0..=2]),
        tag => tag == SEQUENCE,
    });
    if !after.is_empty() || starts.is_none() {
        return Some(likely());
    }
    Some(structure(rsa_fits(inner) != Some(false)))
}

/// Tag, body and what follows of one DER element (X.690 §8.1).
fn der(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = bytes.split_first()?;
    let (first, mut rest) = rest.split_first()?;
    let mut length = usize::from(*first);
    if length & 0x80 != 0 {
        let count = length & 0x7f;
        if count == 0 || count > 4 {
            return None;
        }
        length = rest.get(..count)?.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        rest = rest.get(count..)?;
    }
    Some((*tag, rest.get(..length)?, rest.get(length..)?))
}

/// Whether the modulus of an RSA key is the product of its primes, in the low 64 bits
/// (RFC 8017 §A.1.2). Nothing for other keys.
fn rsa_fits(inner: &[u8]) -> Option<bool> {
    let (_, _, rest) = der(inner)?;
    let (tag, first, after) = der(rest)?;
    if tag == SEQUENCE {
        // PKCS #8: an algorithm, then the key as octets.
        let (tag, key, _) = der(after)?;
        let (inside, key, _) = der(key)?;
        return if tag == OCTETS && inside == SEQUENCE { rsa_fits(key) } else { None };
    }
    let low = |number: &[u8]| {
        number.iter().rev().take(8).rev().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte))
    };
    if tag != INTEGER {
        return None;
    }
    let modulus = low(first);
    let mut rest = after;
    let mut primes = Vec::new();
    for place in 0..4 {
        let (tag, number, after) = der(rest)?;
        if tag != INTEGER {
            return None;
        }
        // Exponents come first, then the primes.
        if place >= 2 {
            primes.push(low(number));
        }
        rest = after;
    }
    Some(primes.into_iter().fold(1_u64, u64::wrapping_mul) == modulus)
}

/// Whether the two check numbers of an unencrypted OpenSSH key agree
/// (openssh `PROTOCOL.key`). Nothing for encrypted keys.
fn openssh(key: &[u8]) -> Option<bool> {
    fn field(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        Some((rest.get(..length)?, rest.get(length..)?))
    }
    let parts = || {
        let (cipher, rest) = field(key)?;
        let (_, rest) = field(rest)?;
        let (_, rest) = field(rest)?;
        let (_, rest) = field(rest.get(4..)?)?;
        Some((cipher, field(rest)?.0))
    };
    let Some((cipher, private)) = parts() else { return Some(false) };
    (cipher == b"none").then(|| private.get(..4).is_some_and(|check| private.get(4..8) == Some(check)))
}

/// A Google service account names itself beside its key.
fn service_account(text: &[u8], span: Span) -> Option<Resolved> {
    let near = text.get(span.start.saturating_sub(4096)..text.len().min(span.end + 4096))?;
    let after = near.get(memmem::find(near, b"client_email")? + 12..)?;
    let start = after.iter().position(u8::is_ascii_alphanumeric)?;
    let value = after.get(start..)?;
    let end = value.iter().position(|byte| !(byte.is_ascii_alphanumeric() || b"@.-_".contains(byte)))?;
    let email = std::str::from_utf8(value.get(..end)?).ok()?.to_owned();
    email.ends_with(".gserviceaccount.com").then(|| Resolved {
        by: "gcp_service_account".into(),
        platform: "gcp".into(),
        native_id: Some(email.clone()),
        subject: email,
    })
}

/// Base 58 whose last four bytes are those of SHA-256 twice (Bitcoin's Base58Check).
pub(super) fn is_base58check(value: &[u8]) -> bool {
    codec::base58(value).is_some_and(|bytes| {
        bytes
            .split_last_chunk::<4>()
            .is_some_and(|(body, sum)| Sha256::digest(Sha256::digest(body)).starts_with(sum))
    })
}

/// Base 32 whose last two bytes are the CRC-16 of the others, little-endian: NATS seeds
/// (nats-io/nkeys) and Stellar keys (SEP-23).
pub(super) fn is_crc16_seed(value: &[u8]) -> bool {
    codec::base32_bytes(value).is_some_and(|bytes| {
        bytes
            .split_last_chunk::<2>()
            .is_some_and(|(body, sum)| codec::crc16(body) == u16::from_le_bytes(*sum))
    })
}
