//! Checksums inside token text.

use super::codec::{base32, base36, base62, base64, base64_url};
use super::{Checked, checksum, likely, plain, resolved};
use crate::{Confidence, Verification};
use memchr::memmem;
use regex_automata::Span;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// The last six letters are the CRC-32 of what stands between the prefix and them.
/// Compared as numbers: issuers disagree on padding.
pub(super) fn base62_tail(value: &[u8], prefix: usize) -> bool {
    let parts = value.get(prefix..).and_then(|rest| rest.split_last_chunk::<6>());
    parts.is_some_and(|(body, sum)| base62(sum) == Some(u64::from(crc32fast::hash(body))))
}

/// A token whose last letter was cut off, with that letter, if the five before it are those
/// of its checksum.
pub(super) fn completed(value: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let (body, sum) = value.get(4..)?.split_last_chunk::<5>()?;
    let crc = crc32fast::hash(body);
    let last = LETTERS.get((crc % 62) as usize)?;
    (base62(sum) == Some(u64::from(crc / 62))).then(|| Zeroizing::new([value, &[*last]].concat()))
}

/// The last eight letters are a CRC-32 in hex, of what stands from `from` to `cut` before.
pub(super) fn hex_tail(value: &[u8], from: usize, cut: usize, swap: bool) -> bool {
    let fits = || {
        let (head, sum) = value.split_last_chunk::<8>()?;
        let crc = crc32fast::hash(head.get(from..head.len().checked_sub(cut)?)?);
        let want = u32::from_str_radix(std::str::from_utf8(sum).ok()?, 16).ok()?;
        Some(want == if swap { crc.swap_bytes() } else { crc })
    };
    fits() == Some(true)
}

/// Fine-grained tokens: 40 bits of the SHA-256 of everything before, prefix included.
pub(super) fn github_fine(value: &[u8]) -> Checked {
    let fits = || {
        let digest = Sha256::digest(value.get(..77)?);
        let top = digest.iter().take(5).fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
        Some(base32(value.get(77..85)?)? == top)
    };
    let mut checked = checksum(fits() == Some(true));
    // `11`, then the owner's number as 32 bits of base 32. Inferred, not documented.
    let owner = value.get(11..13).filter(|start| *start == b"11").and_then(|_| base32(value.get(13..20)?));
    if let Some(bits) = owner.filter(|bits| bits & 7 == 0 && checked.confidence > Confidence::Possible) {
        checked.resolved =
            resolved("github_user", "github", None, format!("user id {} (inferred)", bits >> 3));
    }
    checked
}

/// Routable tokens say in clear where they belong: `payload.version length crc`.
pub(super) fn gitlab(value: &[u8]) -> Checked {
    let tail = value.len().checked_sub(13).and_then(|at| value.get(at..));
    let Some([b'.', _, _, b'.', ..]) = tail else { return likely() };
    let fits = value
        .split_last_chunk::<7>()
        .is_some_and(|(body, sum)| base36(sum) == Some(u64::from(crc32fast::hash(body))));
    let mut checked = checksum(fits);
    let routing = || {
        let dash = memchr::memchr(b'-', value)?;
        let payload = value.get(dash + 1..value.len() - 13)?;
        // Runner tokens put their kind before the payload: `t1_`.
        let payload =
            payload.strip_prefix(b"t1_").or_else(|| payload.strip_prefix(b"t3_")).unwrap_or(payload);
        let bytes = base64_url(payload)?;
        let named = [(&b"o:"[..], "organization"), (b"u:", "user"), (b"g:", "group"), (b"p:", "project")];
        let mut parts = Vec::new();
        for line in bytes.split(|byte| *byte == b'\n') {
            let Some((_, name)) = named.iter().find(|(letter, _)| line.starts_with(letter)) else { continue };
            if let Some(number) = line.get(2..).and_then(base36) {
                parts.push(format!("{name} {number}"));
            }
        }
        (!parts.is_empty()).then(|| parts.join(" "))
    };
    if fits {
        checked.resolved = routing().and_then(|subject| resolved("gitlab_token", "gitlab", None, subject));
    }
    checked
}

/// `cflt`, 54 letters, and six of the base 64 of their CRC-32, little-endian.
pub(super) fn confluent(value: &[u8]) -> bool {
    let fits = || {
        let (body, sum) = value.get(4..)?.split_last_chunk::<6>()?;
        Some(base64(sum)?.as_slice() == crc32fast::hash(body).to_le_bytes())
    };
    fits() == Some(true)
}

/// Account number = bits 7..46 of the first 48 bits of the base-32 body.
pub(super) fn aws_account(value: &[u8], text: &[u8], span: Span) -> Checked {
    let Some(bits) = value.get(4..14).and_then(base32) else { return checksum(false) };
    let mut checked = likely();
    // The id in a signed URL says who signed and is no credential.
    let before = text.get(span.start.saturating_sub(24)..span.start).unwrap_or_default();
    let is_signature = [&b"X-Amz-Credential="[..], b"AWSAccessKeyId="]
        .iter()
        .any(|name| memmem::find(before, name).is_some());
    if value.ends_with(b"EXAMPLE") || is_signature {
        return plain(Confidence::Possible, Verification::Unverified);
    }
    // Ids from before accounts were put into them.
    if !matches!(value.get(4), Some(b'I' | b'J')) {
        let account = (bits >> 2 & 0x7fff_ffff_ff80) >> 7;
        checked.resolved = resolved("aws_access_key", "aws", None, format!("account {account:012}"));
    }
    checked
}
