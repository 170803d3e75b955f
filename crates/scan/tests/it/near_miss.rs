//! What is almost a secret is none: every rule, with each of its bounds overstepped, and
//! the random text that logs are full of.

use crate::sample::{Random, Sample, drawn, hir};
use crate::scanner;
use leakgraph_scan::{Confidence, Rule, Worker};

fn with_pattern() -> impl Iterator<Item = &'static Rule> {
    scanner().rules().rules().iter().filter(|rule| !rule.pattern.is_empty())
}

/// The best confidence with which a rule is seen in a text.
fn seen(worker: &mut Worker, rule: &Rule, parts: &[&[u8]]) -> Option<Confidence> {
    let text = [b"v ", parts.concat().as_slice(), b" \n"].concat();
    let sightings = worker.scan(&text).sightings;
    sightings.iter().filter(|seen| seen.rule == rule.id).map(|seen| seen.confidence).max()
}

/// Text before, in and behind the secret.
fn split(sample: &Sample) -> (&[u8], &[u8], &[u8]) {
    let (start, end) = (sample.secret.start, sample.secret.end);
    (&sample.text[..start], &sample.text[start..end], &sample.text[end..])
}

/// Rules whose values may have any length from a word's on, or hold blanks.
fn is_loose(rule: &Rule) -> bool {
    let hir = hir(rule);
    let spaced = ["pem", "pgp", "putty", "openvpn", "sigstore"].contains(&rule.provider.as_str());
    let length = hir.properties().minimum_len().unwrap_or(0);
    rule.shape || spaced || length < 8
}

#[test]
fn one_character_too_few_is_not_found() {
    let mut worker = scanner().worker();
    let (mut tried, mut wrong) = (0, Vec::new());
    for rule in with_pattern().filter(|rule| !is_loose(rule)) {
        let shortest = drawn(rule, 21, true);
        let (before, secret, after) = split(&shortest);
        let least = hir(rule).properties().minimum_len().unwrap_or(0);
        let name = if rule.context.is_empty() { 0 } else { before.len() };
        // Values that encode fields are longer than their pattern asks for.
        if shortest.text.len() - name > least {
            continue;
        }
        let cut = &secret[..secret.len() - 1];
        if seen(&mut worker, rule, &[before, cut, after]).is_some_and(|seen| seen >= Confidence::Likely) {
            wrong.push(&rule.id);
        }
        tried += 1;
    }
    assert!(wrong.is_empty(), "found although cut: {wrong:?}");
    assert!(tried >= 600, "{tried}");
}

#[test]
fn another_alphabet_is_not_found() {
    let mut worker = scanner().worker();
    let (mut tried, mut wrong) = (0, Vec::new());
    for rule in with_pattern().filter(|rule| !is_loose(rule)) {
        let shortest = drawn(rule, 22, true);
        let (before, secret, after) = split(&shortest);
        for stranger in [&b"~"[..], b"\xc3\xa4", b" "] {
            let (left, right) = secret.split_at(secret.len() / 2);
            let text = [before, left, stranger, &right[1..], after];
            let found = seen(&mut worker, rule, &text).is_some_and(|seen| seen >= Confidence::Likely);
            if found && !(stranger == b"~" && rule.pattern.contains('~')) {
                wrong.push((&rule.id, stranger));
            }
        }
        tried += 1;
    }
    assert!(wrong.is_empty(), "found although broken: {wrong:?}");
    assert!(tried >= 600, "{tried}");
}

#[test]
fn parts_of_longer_words_are_not_found() {
    let mut worker = scanner().worker();
    let (mut tried, mut wrong) = (0, Vec::new());
    for rule in with_pattern().filter(|rule| !is_loose(rule)) {
        let hir = hir(rule);
        let properties = hir.properties();
        let is_fixed = properties.minimum_len() == properties.maximum_len();
        let sample = drawn(rule, 23, false);
        let (before, secret, after) = split(&sample);
        let is_named = !before.is_empty();
        let starts_wordy = secret[0].is_ascii_alphanumeric();
        if !is_named && starts_wordy && seen(&mut worker, rule, &[b"xQ7_", secret, after]).is_some() {
            wrong.push((&rule.id, "before"));
        }
        let ends_wordy = secret.last().is_some_and(u8::is_ascii_alphanumeric);
        if is_fixed
            && after.is_empty()
            && ends_wordy
            && seen(&mut worker, rule, &[before, secret, b"Q7"]).is_some()
        {
            wrong.push((&rule.id, "behind"));
        }
        tried += 1;
    }
    assert!(wrong.is_empty(), "found inside a word: {wrong:?}");
    assert!(tried >= 600, "{tried}");
}

#[test]
fn a_wrong_checksum_is_never_likely() {
    // What the check must refuse; the others raise confidence or only read fields.
    const SUMS: &[&str] = &[
        "github_crc32",
        "npm_crc32",
        "github_fine",
        "atlassian_crc32",
        "grafana_crc32",
        "zuplo_crc32",
        "confluent_crc32",
        "azure_marvin",
        "azure_cask",
        "entra_marvin",
        "ado_crc32",
        "bech32",
        "base58check",
        "nats_crc16",
        "stellar_crc16",
        "jwt",
        "pypi_macaroon",
        "jfrog_reference",
    ];
    let mut worker = scanner().worker();
    let mut tried = std::collections::BTreeSet::new();
    for rule in with_pattern() {
        let Some(check) = rule.check.as_deref().filter(|check| SUMS.contains(check)) else { continue };
        for seed in 30..36 {
            let sample = drawn(rule, seed, false);
            let (before, secret, after) = split(&sample);
            let mut value = secret.to_vec();
            // Other characters of the same kinds, in the part that the checksum covers.
            let at = match check {
                "jwt" | "pypi_macaroon" | "jfrog_reference" => 6,
                "github_fine" => 40,
                _ => value.len() / 2 - 4,
            };
            let turned = |byte: u8| match byte {
                b'a'..=b'e' | b'A'..=b'E' | b'2'..=b'6' => byte + 1,
                b'f' | b'F' | b'7' => byte - 1,
                b'g'..=b'y' | b'G'..=b'Y' => byte + 1,
                other => other,
            };
            // One of these stands in every alphabet in use.
            let place = (at..value.len()).find(|place| {
                let new = turned(value[*place]);
                new != value[*place] && !b"bioBIOlj1".contains(&new)
            });
            let place = place.unwrap_or_else(|| panic!("{}", rule.id));
            value[place] = turned(value[place]);
            let found = seen(&mut worker, rule, &[before, &value, after]);
            assert!(found.is_none_or(|found| found == Confidence::Possible), "{} {place}", rule.id);
        }
        tried.insert(check);
    }
    assert_eq!(tried.len(), SUMS.len(), "{tried:?}");
}

fn hex(random: &mut Random, count: usize) -> String {
    (0..count).map(|_| char::from(*random.pick(b"0123456789abcdef"))).collect()
}

fn uuid(random: &mut Random) -> String {
    [8, 4, 4, 4, 12].map(|count| hex(random, count)).join("-")
}

/// Lines as logs have them, all random parts new.
fn harmless(random: &mut Random) -> Vec<String> {
    use base64::Engine as _;
    let base64 = |bytes: Vec<u8>| base64::engine::general_purpose::STANDARD.encode(bytes);
    let providers = [
        "datadog",
        "codecov",
        "heroku",
        "circleci",
        "sonarqube",
        "okta",
        "twilio",
        "gitea",
        "snyk",
        "vault",
        "vercel",
        "jenkins",
        "nexus",
        "mistral",
        "pinecone",
        "cloudflare",
        "sentry",
        "travis_token_hash",
        "linode",
        "hetzner",
    ];
    let name = *random.pick(&providers);
    vec![
        format!("HEAD is now at {} Merge pull request #{}", hex(random, 40), random.below(9999)),
        format!("Download action repository '{name}/{name}-action@v4' (SHA:{})", hex(random, 40)),
        format!("uses: {name}/{name}-action@{}", hex(random, 40)),
        format!("Digest: sha256:{}", hex(random, 64)),
        format!("docker.io/{name}/{name}-agent@sha256:{} resolved", hex(random, 64)),
        format!("Status: Downloaded newer image for {name}@sha256:{}", hex(random, 64)),
        format!("\"integrity\": \"sha512-{}\",", base64(random.bytes(64))),
        format!(
            "{name}@^1.{}.0: resolved \"https://registry.npmjs.org/{name}/-/{name}-1.2.3.tgz#{}\"",
            random.below(30),
            hex(random, 40)
        ),
        format!("{name}==1.2.{} --hash=sha256:{}", random.below(30), hex(random, 64)),
        format!("Cache restored from key: Linux-{name}-{}", hex(random, 64)),
        format!("Cache key: {name}-{}-{}", hex(random, 64), hex(random, 32)),
        format!("run id {} job {}", uuid(random), uuid(random)),
        format!("{name}_client_id={}", uuid(random)),
        format!("{}_KEY_FINGERPRINT: {}", name.to_ascii_uppercase(), hex(random, 32)),
        format!("{name}_token_sha256: {}", hex(random, 64)),
        format!("{{\"{name}KeyId\": \"{}\", \"traceId\": \"{}\"}}", uuid(random), hex(random, 32)),
        format!("\"private_key_id\": \"{}\",", hex(random, 40)),
        format!("x-request-id: {}", uuid(random)),
        format!("etag: W/\"{}\"", hex(random, 32)),
        format!("Compiling {name}-sdk v0.{}.{}-rc.{}", random.below(40), random.below(40), random.below(9)),
        format!("##[group]Run {name}/setup@v{}", random.below(9)),
        format!("  {}_API_KEY: ***", name.to_ascii_uppercase()),
        format!(
            "  {}_API_TOKEN: ${{{{ secrets.{}_TOKEN }}}}",
            name.to_ascii_uppercase(),
            name.to_ascii_uppercase()
        ),
        format!("Uploading artifact {} ({} bytes)", random.word(22), random.below(1 << 30)),
        format!("tmp/{}.{}/{}", random.word(10), random.word(6), random.word(32)),
        format!("rustc-{}: {}", random.below(99), random.word(40)),
        base64(random.bytes(57)),
        format!("MD5 ({name}.tar.gz) = {}", hex(random, 32)),
        format!("{}  {name}_linux_amd64.zip", hex(random, 64)),
        format!("libssl{}.so => /lib/x86_64-linux-gnu/libssl.so.3 (0x{})", random.below(9), hex(random, 16)),
        format!("node_modules/{name}-auth/dist/{}.js", hex(random, 20)),
    ]
}

#[test]
fn harmless_lines_give_no_provider_sighting() {
    let mut worker = scanner().worker();
    let mut random = Random::new(99);
    let mut lines = 0;
    for _ in 0..400 {
        for line in harmless(&mut random) {
            for seen in worker.scan(line.as_bytes()).sightings {
                assert!(
                    seen.confidence == Confidence::Possible,
                    "{} {:?} in {line}",
                    seen.rule,
                    seen.confidence
                );
            }
            lines += 1;
        }
    }
    assert!(lines >= 10_000);
}
