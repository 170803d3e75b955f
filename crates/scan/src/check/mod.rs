//! Offline checks: checksums and structure the providers publish.
//!
//! | check | what must hold | source |
//! |---|---|---|
//! | `github_crc32`, `npm_crc32` | last 6 = base 62 of CRC-32 of the body | github.blog "Behind GitHub's new authentication token formats" |
//! | `github_crc32_truncated` | the same without the last letter, which follows | as above |
//! | `github_fine` | 8 letters = base 32 of SHA-256 of the 77 before | measured on published samples |
//! | `github_installation` | the ES256 token inside parses | github.blog changelog 2026-04-24 |
//! | `gitlab_routable` | last 7 = base 36 of CRC-32 of all before | GitLab handbook, routable tokens |
//! | `atlassian_crc32` | last 8 = CRC-32 of all before | measured on published samples |
//! | `atlassian_dc` | base 64 of `id:random` | Atlassian Data Center tokens |
//! | `grafana_crc32`, `grafana_cloud`, `grafana_legacy` | CRC-32; JSON inside | grafana `pkg/components/satokengen`, `apikeygen` |
//! | `zuplo_crc32`, `confluent_crc32` | CRC-32 of the body | providers' documentation |
//! | `aws_account`, `aws_bedrock` | account number in the key id; name in the key | AWS key id layout; Bedrock API keys |
//! | `azure_marvin`, `azure_cask`, `entra_marvin`, `ado_crc32` | see [`azure`] | microsoft/security-utilities |
//! | `azure_sas` | 32 bytes of HMAC | Azure Storage SAS |
//! | `jwt` | header and claims are JSON | RFC 7519 |
//! | `pypi_macaroon` | macaroon v2 packets, 32-byte signature | pypitoken, libmacaroons format |
//! | `pem`, `bech32`, `base58check`, `nats_crc16`, `stellar_crc16` | see [`key`] | RFC 7468, 8017; BIP-173, 58check; nkeys; SEP-23 |
//! | `sentry`, `onepassword`, `jfrog_reference`, `jfrog_base58`, `intercom`, `discord`, `elastic_key`, `basic_pair` | see [`encoded`] | providers' documentation |
//! | `slack`, `slack_app`, `slack_webhook`, `openai` | fields of fixed form | providers' documentation |

mod azure;
mod codec;
pub(crate) mod context;
mod crc;
mod encoded;
mod key;
pub(crate) mod manifest;

use crate::{Confidence, Resolved, Verification};
use leakgraph_model::Timestamp;
use regex_automata::Span;
use zeroize::Zeroizing;

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

/// The provider's shape, and nothing more to check.
pub(crate) fn likely() -> Checked {
    plain(Confidence::Likely, Verification::Unverified)
}

fn checksum(fits: bool) -> Checked {
    if fits {
        plain(Confidence::VerifiedStructure, Verification::ChecksumValid)
    } else {
        plain(Confidence::Possible, Verification::Unverified)
    }
}

fn structure(fits: bool) -> Checked {
    if fits {
        plain(Confidence::VerifiedStructure, Verification::StructureValid)
    } else {
        plain(Confidence::Possible, Verification::Unverified)
    }
}

fn resolved(by: &str, platform: &str, native_id: Option<String>, subject: String) -> Option<Resolved> {
    Some(Resolved { by: by.to_owned(), platform: platform.to_owned(), native_id, subject })
}

/// Text with `%hh` undone.
fn percent_decoded(text: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        let escape = rest.get(1..3).and_then(|digits| std::str::from_utf8(digits).ok());
        match escape.filter(|_| *first == b'%').and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                rest = rest.get(3..).unwrap_or_default();
            }
            None => {
                out.push(*first);
                rest = after;
            }
        }
    }
    out
}

/// Checks `value`, which stands at `span` of `text`. Nothing, if the value cannot be such
/// a secret and has no other mark of one.
pub(crate) fn run(name: Option<&str>, value: &[u8], text: &[u8], span: Span) -> Option<Checked> {
    let checked = match name {
        Some("github_crc32" | "npm_crc32") => checksum(crc::base62_tail(value, 4)),
        Some("github_crc32_truncated") => return crc::completed(value).map(|_| checksum(true)),
        Some("github_fine") => crc::github_fine(value),
        Some("github_installation") => encoded::github_installation(value),
        Some("gitlab_routable") => crc::gitlab(value),
        Some("atlassian_crc32") => checksum(crc::hex_tail(value, 0, 0, false)),
        Some("grafana_crc32") => checksum(crc::hex_tail(value, 0, 1, true)),
        Some("zuplo_crc32") => checksum(crc::hex_tail(value, 5, 1, false)),
        Some("confluent_crc32") => checksum(crc::confluent(value)),
        Some("aws_account") => crc::aws_account(value, text, span),
        Some("aws_bedrock") => encoded::aws_bedrock(value),
        Some("azure_marvin") => azure::identifiable(value),
        Some("azure_cask") => azure::annotated(value),
        Some("entra_marvin") => azure::entra(value),
        Some("ado_crc32") => return azure::devops(value),
        Some("azure_sas") => return azure::shared_access(value, text, span),
        Some("jwt") => encoded::jwt(value).unwrap_or_else(|| checksum(false)),
        Some("pypi_macaroon") => encoded::pypi(value),
        Some("pem") => key::pem(value, text, span),
        Some("bech32") => checksum(codec::is_bech32(value) == Some(true)),
        Some("base58check") => checksum(key::is_base58check(value)),
        Some("nats_crc16") => checksum(key::is_crc16_seed(value)),
        Some("stellar_crc16") => checksum(key::is_crc16_seed(value)),
        Some("sentry") => encoded::sentry(value),
        Some("onepassword") => encoded::onepassword(value),
        Some("grafana_cloud") => encoded::grafana(value.get(4..)?),
        Some("grafana_legacy") => encoded::grafana(value),
        Some("jfrog_reference") => encoded::jfrog_reference(value),
        Some("jfrog_base58") => structure(codec::base58(value).is_some_and(|bytes| bytes.len() == 54)),
        Some("atlassian_dc") => return encoded::atlassian_datacenter(value),
        Some("intercom") => encoded::intercom(value),
        Some("discord") => return encoded::discord(value),
        Some("elastic_key") => return encoded::elastic(value),
        Some("basic_pair") => return encoded::basic_pair(value),
        Some("slack" | "slack_app" | "slack_webhook") => encoded::slack(value),
        Some("openai") => encoded::openai(value),
        _ => likely(),
    };
    Some(checked)
}

/// The secret that `value` is a part of, where its check tells what is missing.
pub(crate) fn completed(name: Option<&str>, value: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    (name == Some("github_crc32_truncated")).then(|| crc::completed(value)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_escapes_are_undone_once() {
        assert_eq!(percent_decoded(b"a%2Fb%3D%zz%").as_slice(), b"a/b=%zz%");
    }
}
