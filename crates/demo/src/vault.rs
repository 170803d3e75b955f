//! The organisation's secrets, made from parts at run time: none of them ever
//! existed, each has the form and checksum its provider publishes.

use crate::random::{BASE62, DIGITS, Random, URL_SAFE};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

/// AWS account of the organisation.
pub(crate) const ACCOUNT: u64 = 471_129_384_650;

/// A secret and what it is.
#[derive(Clone, Debug)]
pub(crate) struct Secret {
    /// Kind as detectors name it.
    pub(crate) kind: &'static str,
    pub(crate) value: String,
}

/// The value stored under a name.
///
/// # Panics
/// For names that no secret has: a mistake in this crate.
pub(crate) fn secret(name: &str) -> Secret {
    let mut random = Random::of(name);
    let (kind, value) = match name {
        "RELEASE_PAT" | "AGENT_PAT" => ("github_pat", github_classic("ghp_", &mut random)),
        "AUTOMATION_PAT" => ("github_fine_grained_pat", github_fine_grained(&mut random)),
        "JOB_TOKEN" => ("github_token", github_classic("ghs_", &mut random)),
        "PIPELINE_KEY_ID" | "LEGACY_KEY_ID" | "BACKUP_KEY_ID" => {
            ("aws_access_key_id", aws_key_id(&mut random))
        }
        "PIPELINE_SECRET" | "LEGACY_SECRET" | "BACKUP_SECRET" => {
            ("aws_secret_access_key", STANDARD.encode(random.bytes(30)))
        }
        "NPM_TOKEN" => ("npm_token", github_classic("npm_", &mut random)),
        "SLACK_BOT_TOKEN" => ("slack_token", {
            let (team, bot) = (random.text(DIGITS, 12), random.text(DIGITS, 13));
            format!("xoxb-{team}-{bot}-{}", random.text(BASE62, 24))
        }),
        "STRIPE_KEY" => ("stripe_key", format!("sk_live_51{}", random.text(BASE62, 97))),
        "OPENAI_API_KEY" => ("openai_key", {
            let (head, tail) = (random.text(BASE62, 74), random.text(BASE62, 74));
            format!("sk-proj-{head}T3BlbkFJ{tail}")
        }),
        "ANTHROPIC_API_KEY" => ("anthropic_key", format!("sk-ant-api03-{}AA", random.text(URL_SAFE, 93))),
        "HF_TOKEN" => {
            ("huggingface_token", format!("hf_{}", random.text(BASE62.get(10..).unwrap_or(BASE62), 34)))
        }
        "SENDGRID_KEY" => {
            ("sendgrid_key", format!("SG.{}.{}", random.text(URL_SAFE, 22), random.text(URL_SAFE, 43)))
        }
        "DOCKER_PAT" | "REGISTRY_PAT" => ("docker_pat", format!("dckr_pat_{}", random.text(URL_SAFE, 27))),
        "MIRROR_TOKEN" => ("gitlab_pat", format!("glpat-{}", random.text(URL_SAFE, 20))),
        "DO_TOKEN" => ("digitalocean_token", format!("dop_v1_{}", random.hex(64))),
        "PULUMI_TOKEN" => ("pulumi_token", format!("pul-{}", random.hex(40))),
        "DATABRICKS_TOKEN" => ("databricks_token", format!("dapi{}", random.hex(32))),
        "DB_PASSWORD" => ("uri_credential", random.text(BASE62, 24)),
        "ADMIN_PASSWORD" => ("generic_secret", random.text(BASE62, 28)),
        "DEPLOY_KEY" => ("private_key", pem(&mut random)),
        "GCP_KEY" => ("private_key", pem(&mut random)),
        "CLUSTER_TOKEN" => (
            "jwt",
            jwt(
                "https://kubernetes.default.svc.cluster.local",
                "system:serviceaccount:payments:deployer",
                None,
                &mut random,
            ),
        ),
        "OIDC_TOKEN" => (
            "jwt",
            jwt(
                "https://token.actions.githubusercontent.com",
                "repo:northwind-labs/infra-terraform:ref:refs/heads/main",
                Some(1_791_300_000),
                &mut random,
            ),
        ),
        other => unreachable!("no secret is named {other}"),
    };
    Secret { kind, value }
}

/// Prefix, 30 letters and their CRC-32 in base 62
/// (GitHub, "Behind GitHub's new authentication token formats", 2021; npm uses the same).
fn github_classic(prefix: &str, random: &mut Random) -> String {
    let body = random.text(BASE62, 30);
    let mut sum = crc32fast::hash(body.as_bytes());
    let mut digits = [b'0'; 6];
    for digit in digits.iter_mut().rev() {
        *digit = BASE62.get((sum % 62) as usize).copied().unwrap_or(b'0');
        sum /= 62;
    }
    format!("{prefix}{body}{}", String::from_utf8_lossy(&digits))
}

/// `github_pat_`, 22 + `_` + 59 letters; of the latter 44 to 51 are base 32 of the
/// SHA-256 of everything before.
fn github_fine_grained(random: &mut Random) -> String {
    let head = format!("github_pat_{}_{}", random.text(BASE62, 22), random.text(BASE62, 43));
    let digest = Sha256::digest(head.as_bytes());
    format!("{head}{}{}", base32(digest.get(..5).unwrap_or_default()), random.text(BASE62, 8))
}

/// RFC 4648 base 32 without padding; input in multiples of five bytes.
fn base32(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    bytes
        .chunks(5)
        .flat_map(|chunk| {
            let bits = chunk.iter().fold(0_u64, |bits, byte| (bits << 8) | u64::from(*byte));
            (0..8).rev().map(move |at| char::from(LETTERS[((bits >> (at * 5)) & 31) as usize]))
        })
        .collect()
}

/// The account number sits in bits 7 to 46 of the first six bytes of the base-32 body.
fn aws_key_id(random: &mut Random) -> String {
    let bits = (1_u64 << 47) | (ACCOUNT << 7) | random.below(128);
    let mut bytes: Vec<u8> = bits.to_be_bytes().into_iter().skip(2).collect();
    bytes.extend(random.bytes(4));
    format!("AKIA{}", base32(&bytes))
}

/// A PKCS #1 RSA private key of random numbers: the modulus is the product of its
/// factors, which are no primes.
fn pem(random: &mut Random) -> String {
    let mut body = vec![0x02, 0x01, 0x00];
    let factor = |random: &mut Random| {
        let mut bytes = random.bytes(128);
        bytes[0] = bytes[0] & 0x7f | 0x40;
        bytes
    };
    let (p, q) = (factor(random), factor(random));
    for number in [product(&p, &q), vec![1, 0, 1], random.bytes(256), p, q] {
        integer(&mut body, &number);
    }
    for _ in 0..3 {
        integer(&mut body, &random.bytes(128));
    }
    let mut der = vec![0x30, 0x82];
    der.extend(u16::try_from(body.len()).unwrap_or(0).to_be_bytes());
    der.extend(body);
    let text = STANDARD.encode(der);
    let lines: Vec<String> =
        text.as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line).into_owned()).collect();
    let label = "RSA PRIVATE KEY";
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----", lines.join("\n"))
}

/// Product of two big-endian numbers of equal length.
fn product(a: &[u8], b: &[u8]) -> Vec<u8> {
    let mut sum = vec![0_u8; a.len() + b.len()];
    for (i, x) in a.iter().rev().enumerate() {
        let mut carry = 0_u16;
        for (j, y) in b.iter().rev().chain([&0]).enumerate() {
            let total = u16::from(sum[i + j]) + u16::from(*x) * u16::from(*y) + carry;
            sum[i + j] = total.to_le_bytes()[0];
            carry = total >> 8;
        }
    }
    sum.reverse();
    sum
}

/// DER INTEGER, kept positive by a cleared top bit.
fn integer(out: &mut Vec<u8>, number: &[u8]) {
    out.push(0x02);
    if number.len() >= 128 {
        out.push(0x82);
        out.extend(u16::try_from(number.len()).unwrap_or(0).to_be_bytes());
    } else {
        out.push(u8::try_from(number.len()).unwrap_or(0));
    }
    out.extend(number.iter().enumerate().map(|(at, byte)| if at == 0 { byte & 0x7f } else { *byte }));
}

fn jwt(issuer: &str, subject: &str, expires: Option<u64>, random: &mut Random) -> String {
    let mut claims = serde_json::json!({"iss": issuer, "sub": subject, "aud": "sts.amazonaws.com"});
    if let (Some(expires), Some(members)) = (expires, claims.as_object_mut()) {
        members.insert("exp".to_owned(), expires.into());
    }
    let header = serde_json::json!({"alg": "RS256", "typ": "JWT", "kid": random.hex(16)});
    let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{}", part(&header), part(&claims), URL_SAFE_NO_PAD.encode(random.bytes(256)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_stable_and_have_their_form() {
        let token = secret("RELEASE_PAT").value;
        assert_eq!(token, secret("RELEASE_PAT").value);
        assert_eq!(token.len(), 40);
        assert_eq!(secret("AUTOMATION_PAT").value.len(), 93);
        assert_eq!(secret("PIPELINE_KEY_ID").value.len(), 20);
        assert_eq!(secret("PIPELINE_SECRET").value.len(), 40);
        assert_ne!(secret("LEGACY_KEY_ID").value, secret("PIPELINE_KEY_ID").value);
        assert_eq!(secret("OIDC_TOKEN").value.split('.').count(), 3);
    }
}
