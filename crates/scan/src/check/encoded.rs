//! Tokens whose text encodes fields: the fields must parse, and tell whose they are.

use super::codec::{base64, base64_json, base64_url};
use super::{Checked, checksum, crc, likely, plain, resolved, structure};
use crate::{Confidence, Verification};
use leakgraph_model::Timestamp;
use serde_json::Value;

fn text_of(value: &Value, name: &str) -> Option<String> {
    match value.get(name)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Header and claims of a JWT (RFC 7519 §7.2), unverified: the issuer's key is not here.
fn jwt_parts(value: &[u8]) -> Option<(Value, Value)> {
    let mut parts = value.split(|byte| *byte == b'.');
    let mut part = || serde_json::from_slice::<Value>(&base64_url(parts.next()?)?).ok();
    let (header, claims) = (part()?, part()?);
    header.get("alg")?.as_str()?;
    claims.is_object().then_some((header, claims))
}

fn expiry(claims: &Value) -> Option<Timestamp> {
    claims.get("exp").and_then(Value::as_f64).map(|seconds| Timestamp::from_seconds(seconds as i64))
}

pub(super) fn jwt(value: &[u8]) -> Option<Checked> {
    let (_, claims) = jwt_parts(value)?;
    let mut checked = structure(true);
    checked.expires_at = expiry(&claims);
    // Supabase and Entra tokens name their bearer by other claims.
    let bearer = ["sub", "appid", "azp", "client_id", "ref"].iter().find_map(|name| {
        let bearer = text_of(&claims, name)?;
        Some(if *name == "sub" { format!("sub={bearer}") } else { format!("{name}={bearer}") })
    });
    if let Some(bearer) = bearer {
        let subject = format!("iss={} {bearer}", text_of(&claims, "iss").unwrap_or_default());
        checked.resolved = resolved("jwt_subject", "oidc", None, subject);
    }
    Some(checked)
}

/// `ghs_<app id>_<JWT>`; the older form has 36 letters and perhaps a CRC-32.
pub(super) fn github_installation(value: &[u8]) -> Checked {
    let body = value.get(4..).unwrap_or_default();
    let cut = body.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(0);
    let (app, rest) = body.split_at(cut);
    let token = rest.strip_prefix(b"_").filter(|rest| !app.is_empty() && rest.starts_with(b"eyJ"));
    let Some(token) = token else {
        // No sample of an issuer proves the checksum of this form: it may raise, not reject.
        return if value.len() == 40 && crc::base62_tail(value, 4) { checksum(true) } else { likely() };
    };
    let Some((_, claims)) = jwt_parts(token) else { return likely() };
    let mut checked = structure(true);
    checked.expires_at = expiry(&claims);
    checked.resolved =
        resolved("github_app", "github", None, format!("app id {}", String::from_utf8_lossy(app)));
    checked
}

/// `ABSK` + base 64 of `BedrockAPIKey-<id>-at-<account>:<secret>`.
pub(super) fn aws_bedrock(value: &[u8]) -> Checked {
    let Some(bytes) = value.get(4..).and_then(base64) else { return structure(false) };
    let name = bytes.split(|byte| *byte == b':').next().unwrap_or_default();
    let mut checked = structure(name.starts_with(b"BedrockAPIKey-"));
    let account = name
        .split_last_chunk::<12>()
        .filter(|(before, account)| before.ends_with(b"-at-") && account.iter().all(u8::is_ascii_digit));
    if let Some((_, account)) = account.filter(|_| checked.confidence > Confidence::Possible) {
        let subject = format!("account {}", String::from_utf8_lossy(account));
        checked.resolved = resolved("aws_bedrock_key", "aws", None, subject);
    }
    checked
}

/// A macaroon of version 2: location, identifier, caveats, and 32 bytes of signature.
pub(super) fn pypi(value: &[u8]) -> Checked {
    let Some(bytes) = value.get(5..).and_then(base64_url) else { return structure(false) };
    let Some(packets) = packets(&bytes) else { return structure(false) };
    let of = |wanted: u8| packets.iter().filter(move |(kind, _)| *kind == wanted).map(|(_, body)| *body);
    let is_signed = packets.last().is_some_and(|(kind, body)| *kind == 6 && body.len() == 32);
    let is_here = of(1).next().is_some_and(|place| place.ends_with(b"pypi.org"));
    let mut checked = structure(is_signed && is_here);
    if checked.confidence == Confidence::Possible {
        return checked;
    }
    let mut identifiers = of(2);
    let id = identifiers.next().and_then(|id| std::str::from_utf8(id).ok());
    checked.resolved = id
        .filter(|id| id.len() <= 64 && id.bytes().all(|byte| byte.is_ascii_graphic()))
        .and_then(|id| resolved("pypi_token", "pypi", None, format!("token {id}")));
    // A caveat `[0, expires, not before]` limits the time of use.
    checked.expires_at = identifiers.find_map(|caveat| {
        let caveat: Value = serde_json::from_slice(caveat).ok()?;
        (caveat.get(0)?.as_i64()? == 0).then(|| caveat.get(1)?.as_i64().map(Timestamp::from_seconds))?
    });
    checked
}

/// Type and body of each packet; a zero ends a section.
fn packets(bytes: &[u8]) -> Option<Vec<(u8, &[u8])>> {
    let mut rest = bytes.strip_prefix(&[2])?;
    let mut found = Vec::new();
    while let Some((kind, after)) = rest.split_first() {
        rest = after;
        if *kind == 0 {
            continue;
        }
        let (mut length, mut shift) = (0_usize, 0);
        loop {
            let (byte, after) = rest.split_first()?;
            rest = after;
            length |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
            if shift > 14 {
                return None;
            }
        }
        found.push((*kind, rest.get(..length)?));
        rest = rest.get(length..)?;
    }
    Some(found)
}

/// `sntrys_` + base 64 of JSON + `_` + secret.
pub(super) fn sentry(value: &[u8]) -> Checked {
    let body = value.get(7..).unwrap_or_default();
    let end = memchr::memrchr(b'_', body).unwrap_or(body.len());
    let Some(claims) = body.get(..end).and_then(base64_json) else { return structure(false) };
    let mut checked = structure(claims.get("iat").is_some());
    if let Some(org) = text_of(&claims, "org") {
        let subject = format!("organization {org} at {}", text_of(&claims, "url").unwrap_or_default());
        checked.resolved = resolved("sentry_org", "sentry", None, subject);
    }
    checked
}

/// `ops_` + base 64 of JSON with the account's credentials.
pub(super) fn onepassword(value: &[u8]) -> Checked {
    let Some(fields) = value.get(4..).and_then(base64_json) else { return structure(false) };
    let mut checked = structure(fields.get("signInAddress").is_some());
    if let Some(mail) = text_of(&fields, "email") {
        let subject = format!("{mail} at {}", text_of(&fields, "signInAddress").unwrap_or_default());
        checked.resolved = resolved("onepassword_account", "1password", None, subject);
    }
    checked
}

/// Base 64 of JSON: `o n k m` of Grafana Cloud, `n k id` of the older keys.
pub(super) fn grafana(value: &[u8]) -> Checked {
    let Some(fields) = base64_json(value) else { return structure(false) };
    let mut checked = structure(fields.get("k").is_some() && fields.get("n").is_some());
    let org = text_of(&fields, "o").or_else(|| text_of(&fields, "id"));
    if let Some(org) = org.filter(|_| checked.confidence > Confidence::Possible) {
        let subject = format!("organization {org} token {}", text_of(&fields, "n").unwrap_or_default());
        checked.resolved = resolved("grafana_org", "grafana", None, subject);
    }
    checked
}

/// Base 64 of `reftkn:01:<epoch of expiry>:…`; expiry 0 means never.
pub(super) fn jfrog_reference(value: &[u8]) -> Checked {
    let Some(bytes) = base64(value) else { return structure(false) };
    let mut fields = bytes.split(|byte| *byte == b':');
    let mut checked = structure(fields.next() == Some(b"reftkn") && fields.next().is_some());
    let expiry = fields.next().and_then(|text| std::str::from_utf8(text).ok()?.parse::<i64>().ok());
    checked.expires_at = expiry.filter(|seconds| *seconds > 0).map(Timestamp::from_seconds);
    checked
}

/// Base 64 of `<number>:<random>`; without the number it is any base 64.
pub(super) fn atlassian_datacenter(value: &[u8]) -> Option<Checked> {
    let bytes = base64(value.strip_prefix(b"BBDC-").unwrap_or(value))?;
    let cut = memchr::memchr(b':', &bytes)?;
    let number: u64 = std::str::from_utf8(bytes.get(..cut)?).ok()?.parse().ok()?;
    (number >= 1000).then(|| structure(true))
}

/// Base 64 of `tok:…`.
pub(super) fn intercom(value: &[u8]) -> Checked {
    structure(base64(value).is_some_and(|bytes| bytes.starts_with(b"tok:")))
}

/// `base 64 of the bot's id . time . HMAC`; without the id it is any dotted name.
pub(super) fn discord(value: &[u8]) -> Option<Checked> {
    let bytes = base64_url(value.split(|byte| *byte == b'.').next()?)?;
    let id = std::str::from_utf8(&bytes).ok()?;
    let is_snowflake = (17..=20).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_digit());
    let mut checked = structure(true);
    checked.resolved = resolved("discord_bot", "discord", Some(id.to_owned()), format!("bot {id}"));
    is_snowflake.then_some(checked)
}

/// Base 64 of `id:key`.
pub(super) fn elastic(value: &[u8]) -> Option<Checked> {
    let bytes = base64(value)?;
    let mut fields = bytes.split(|byte| *byte == b':');
    let is_pair = fields.next()?.len() == 20 && fields.next()?.len() == 22 && fields.next().is_none();
    is_pair.then(|| plain(Confidence::Likely, Verification::StructureValid))
}

/// Base 64 of `user:password`, printable.
pub(super) fn basic_pair(value: &[u8]) -> Option<Checked> {
    let bytes = base64(value)?;
    let cut = memchr::memchr(b':', &bytes)?;
    let password = bytes.get(cut + 1..)?;
    let is_pair = cut > 0 && password.len() >= 4 && bytes.iter().all(|byte| (b' '..=b'~').contains(byte));
    let mut checked = plain(Confidence::Likely, Verification::StructureValid);
    if crate::gate::is_placeholder(password) {
        checked.confidence = Confidence::Possible;
    }
    let user = String::from_utf8_lossy(bytes.get(..cut)?).into_owned();
    checked.resolved = resolved("registry_login", "registry", None, format!("user {user}"));
    is_pair.then_some(checked)
}

/// Slack writes team, app and bot numbers into its tokens and addresses.
pub(super) fn slack(value: &[u8]) -> Checked {
    let mut checked = likely();
    let parts: Vec<&str> = std::str::from_utf8(value)
        .map(|text| text.split(['-', '/']).filter(|part| !part.is_empty()).collect())
        .unwrap_or_default();
    let subject = match parts.as_slice() {
        [kind, team, bot, ..] if kind.starts_with("xox") && bot.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some(format!("workspace {team} bot {bot}"))
        }
        [kind, team, ..] if kind.starts_with("xox") => Some(format!("workspace {team}")),
        ["xapp", _, app, ..] => Some(format!("app {app}")),
        [.., "services", team, bot, _] => Some(format!("workspace {team} webhook {bot}")),
        _ => None,
    };
    checked.resolved = subject.and_then(|subject| resolved("slack_app", "slack", None, subject));
    checked
}

/// `T3BlbkFJ` (base 64 of `OpenAI`) stands in the middle of the random part.
pub(super) fn openai(value: &[u8]) -> Checked {
    let Some(at) = memchr::memmem::find(value, b"T3BlbkFJ") else { return structure(false) };
    let tail = value.len() - at - 8;
    let head = value.get(..at).unwrap_or_default();
    let kinds = [&b"sk-proj-"[..], b"sk-svcacct-", b"sk-admin-", b"sk-None-", b"sk-"];
    let prefix = kinds.iter().find(|kind| head.starts_with(kind)).map_or(0, |kind| kind.len());
    if head.len() - prefix == tail { structure(true) } else { likely() }
}
