//! Offline checks: checksums and structure the providers publish.
use crate::{Confidence, Resolved, Verification};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use leakgraph_model::Timestamp;
use memchr::memmem;
use regex_automata::Span;
use sha2::{Digest, Sha256};

/// What a check found.
pub(crate) struct Checked {
    pub(crate) confidence: Confidence,
    pub(crate) verification: Verification,
    pub(crate) resolved: Option<Resolved>,
    pub(crate) expires_at: Option<Timestamp>,
}
fn plain(confidence: Confidence, verification: Verification) -> Checked {
    Checked { confidence, verification, resolved: None, expires_at: None }
}
fn checksum(fits: bool) -> Checked {
    if fits {
        plain(Confidence::VerifiedStructure, Verification::ChecksumValid)
    } else {
        plain(Confidence::Possible, Verification::Unverified)
    }
}
fn base62(text: &[u8]) -> Option<u64> {
    text.iter().try_fold(0u64, |sum, b| {
        let digit = match b {
            b'0'..=b'9' => b - b'0',
            b'A'..=b'Z' => b - b'A' + 10,
            b'a'..=b'z' => b - b'a' + 36,
            _ => return None,
        };
        Some(sum * 62 + u64::from(digit))
    })
}
fn base32(text: &[u8]) -> Option<u64> {
    text.iter().try_fold(0u64, |sum, b| {
        let digit = match b {
            b'A'..=b'Z' => b - b'A',
            b'2'..=b'7' => b - b'2' + 26,
            _ => return None,
        };
        Some((sum << 5) | u64::from(digit))
    })
}
fn crc62(value: &[u8]) -> Option<bool> {
    let (body, sum) = value.get(4..)?.split_last_chunk::<6>()?;
    Some(base62(sum)? == u64::from(crc32fast::hash(body)))
}
fn hex_tail(value: &[u8], body_from: usize, cut: usize, swap: bool) -> Option<bool> {
    let (head, sum) = value.split_last_chunk::<8>()?;
    let body = head.get(body_from..head.len().checked_sub(cut)?)?;
    let crc = crc32fast::hash(body);
    let want = u32::from_str_radix(std::str::from_utf8(sum).ok()?, 16).ok()?;
    Some(want == if swap { crc.swap_bytes() } else { crc })
}
fn fine_grained(value: &[u8]) -> Option<bool> {
    let digest = Sha256::digest(value.get(..77)?);
    let top = digest.iter().take(5).fold(0u64, |n, b| (n << 8) | u64::from(*b));
    Some(base32(value.get(77..85)?)? == top)
}
/// Account number = bits 7..46 of the first 48 bits of the base32 body.
fn aws(value: &[u8]) -> Option<Checked> {
    let bits = base32(value.get(4..14)?)? >> 2;
    let mut checked = plain(Confidence::Likely, Verification::Unverified);
    if value.ends_with(b"EXAMPLE") {
        checked.confidence = Confidence::Possible;
    } else if !matches!(value.get(4)?, b'I' | b'J') {
        let subject = format!("account {:012}", (bits & 0x7fff_ffff_ff80) >> 7);
        checked.resolved =
            Some(Resolved { by: "aws_access_key".into(), platform: "aws".into(), native_id: None, subject });
    }
    Some(checked)
}
fn jwt(value: &[u8]) -> Option<Checked> {
    let mut parts = value.split(|b| *b == b'.');
    let mut part = || {
        let raw = URL_SAFE_NO_PAD.decode(parts.next()?).ok()?;
        serde_json::from_slice::<serde_json::Value>(&raw).ok()
    };
    let (header, claims) = (part()?, part()?);
    header.get("alg")?.as_str()?;
    let mut checked = plain(Confidence::VerifiedStructure, Verification::StructureValid);
    checked.expires_at = claims.get("exp").and_then(serde_json::Value::as_i64).map(Timestamp::from_seconds);
    let claim = |name: &str| claims.get(name).and_then(|v| v.as_str()).map(str::to_owned);
    if let Some(sub) = claim("sub") {
        let subject = format!("iss={} sub={sub}", claim("iss").unwrap_or_default());
        checked.resolved =
            Some(Resolved { by: "jwt_subject".into(), platform: "oidc".into(), native_id: None, subject });
    }
    Some(checked)
}
/// PEM (RFC 7468): the body is base 64 of a DER sequence, or of an OpenSSH key.
fn pem(value: &[u8]) -> Option<Checked> {
    let body = value.get(memmem::find(value, b"KEY-----")? + 8..)?;
    let body = body.get(..memmem::find(body, b"-----END")?)?;
    // Headers of encrypted PKCS #1 keys end with an empty line.
    let body = memmem::find(body, b"\n\n").and_then(|at| body.get(at..)).unwrap_or(body);
    let letters: Vec<u8> = body.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let der = zeroize::Zeroizing::new(STANDARD.decode(&letters).ok()?);
    let is_der = der.first() == Some(&0x30) && der.len() >= 40;
    (is_der || der.starts_with(b"openssh-key-v1\0"))
        .then(|| plain(Confidence::VerifiedStructure, Verification::StructureValid))
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
/// Checks `value`, which stands at `span` of `text`.
pub(crate) fn run(name: Option<&str>, value: &[u8], text: &[u8], span: Span) -> Checked {
    match name {
        Some("github_crc32" | "npm_crc32") => checksum(crc62(value) == Some(true)),
        Some("github_fine") => checksum(fine_grained(value) == Some(true)),
        Some("atlassian_crc32") => checksum(hex_tail(value, 0, 0, false) == Some(true)),
        Some("grafana_crc32") => checksum(hex_tail(value, 0, 1, true) == Some(true)),
        Some("zuplo_crc32") => checksum(hex_tail(value, 5, 1, false) == Some(true)),
        Some("aws_account") => aws(value).unwrap_or_else(|| checksum(false)),
        Some("jwt") => jwt(value).unwrap_or_else(|| checksum(false)),
        Some("pem") => {
            let mut checked = pem(value).unwrap_or_else(|| checksum(false));
            checked.resolved = service_account(text, span);
            checked
        }
        _ => plain(Confidence::Likely, Verification::Unverified),
    }
}
