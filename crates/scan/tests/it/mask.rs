//! What a masker would have done with what the scanner finds.
//!
//! Expected answers are those of a simulation of the runner's encoders written apart from
//! this code (actions/runner `ValueEncoders`), form by form.

use crate::sample::sample;
use crate::scanner;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use leakgraph_scan::{MaskOutcome, MaskSimulation, MaskSimulations};
use proptest::prelude::*;

const STAMP: &str = "2026-11-02T09:14:07.1234567Z ";

fn of(rule: &str, seed: u64) -> String {
    let rule = scanner().rules().rules().iter().find(|one| one.id == rule).unwrap();
    String::from_utf8(sample(rule, seed)).unwrap()
}

/// The answers for `value` in a log that shows `shown`.
fn answers(value: &str, shown: &str) -> MaskSimulations {
    let mut worker = scanner().worker();
    let fingerprint = worker.fingerprint(value.as_bytes());
    let text = format!("{STAMP}first line\n{STAMP}{shown}\n{STAMP}last line\n");
    let scan = worker.scan(text.as_bytes());
    let seen = scan.sightings.iter().find(|seen| seen.fingerprint == fingerprint);
    seen.unwrap_or_else(|| panic!("not found: {:?}", scan.sightings)).masks
}

fn github(value: &str, shown: &str) -> (MaskOutcome, &'static str) {
    let MaskSimulation { outcome, form } = answers(value, shown).on("github");
    (outcome, form)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_runner_masks_and_misses_what_its_encoders_say() {
    use MaskOutcome::{Masked, Missed};
    // 40 characters: not a multiple of three.
    let token = of("github-classic", 3);
    let b64 = |text: &str| STANDARD.encode(text);
    let gzip = {
        use std::io::Write as _;
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        out.write_all(token.as_bytes()).unwrap();
        b64_of(&out.finish().unwrap())
    };
    let utf16: Vec<u8> = format!("$env:T=\"{token}\"").encode_utf16().flat_map(u16::to_le_bytes).collect();
    let (head, tail) = token.split_at(20);
    let spaced: Vec<String> = token.chars().map(String::from).collect();
    let cases = [
        (format!("token {token} end"), Masked, "literal"),
        (format!("v={}", b64(&token)), Masked, "base64"),
        (format!("v={}", STANDARD_NO_PAD.encode(&token)), Missed, "base64_unpadded"),
        (format!("> authorization: Basic {}", b64(&format!("robot:{token}"))), Masked, "base64"),
        (format!("> authorization: Basic {}", b64(&format!("user:{token}"))), Masked, "base64_shift_1"),
        (format!("> authorization: Basic {}", b64(&format!("bot:{token}"))), Masked, "base64_shift_2"),
        (format!("v={}", b64(&format!("{token}\n"))), Missed, "base64_unaligned"),
        (format!("v={}", b64(&format!("{{\"k\":\"{token}\"}}"))), Missed, "base64_unaligned"),
        (format!("v={}", b64(&b64(&token))), Missed, "base64_twice"),
        (format!("v={}", b64(&b64(&b64(&token)))), Missed, "base64_twice"),
        (hex(token.as_bytes()), Missed, "hex"),
        (gzip, Missed, "compressed"),
        (format!("powershell -enc {}", b64_of(&utf16)), Missed, "utf16"),
        (token.chars().rev().collect(), Missed, "reversed"),
        (spaced.join(" "), Missed, "spaced"),
        (format!("use \x1b[31m{head}\x1b[0m\x1b[32m{tail}\x1b[0m"), Missed, "ansi"),
        (format!("part1={head}\n{STAMP}part2={tail}"), Missed, "split"),
        (format!("use \x1b[31m{token}\x1b[0m now"), Masked, "literal"),
    ];
    for (shown, outcome, form) in cases {
        assert_eq!(github(&token, &shown), (outcome, form), "{shown}");
    }
}

fn b64_of(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// `echo "$SECRET" | base64` shows a secret unless three divides its length.
#[test]
fn a_newline_uncovers_what_three_does_not_divide() {
    for rule in ["github-classic", "npm", "github-fine-grained", "gitlab-pat", "slack-webhook"] {
        let value = of(rule, 5);
        let expected = if value.len().is_multiple_of(3) { MaskOutcome::Masked } else { MaskOutcome::Missed };
        let shown = format!("v={}", STANDARD.encode(format!("{value}\n")));
        assert_eq!(github(&value, &shown).0, expected, "{rule}: {} bytes", value.len());
    }
}

#[test]
fn a_percent_encoded_secret_is_masked_in_upper_case_only() {
    let secret = ["q8Zr2Lk0Vn5Tw7BxHc3M", "d9Fj1Gs6Ye4Ua+PiKo/T"].concat();
    let upper = secret.replace('+', "%2B").replace('/', "%2F");
    let shown = |spelled: &str| format!("aws_secret_access_key={spelled}");
    assert_eq!(github(&secret, &shown(&upper)), (MaskOutcome::Masked, "uri"));
    let lower = (MaskOutcome::Missed, "percent_lower_case");
    assert_eq!(github(&secret, &shown(&upper.replace("%2B", "%2b").replace("%2F", "%2f"))), lower);
    let twice = upper.replace('%', "%25");
    assert_eq!(github(&secret, &shown(&twice)), (MaskOutcome::Missed, "percent_twice"));
}

#[test]
fn a_key_of_many_lines_is_masked_where_lines_are_registered() {
    let pem = of("pem-private-key", 7);
    let lines = pem.trim_end().replace('\n', &format!("\n{STAMP}"));
    let plain = answers(&pem, &lines);
    let outcomes = ["github", "azure", "gitlab", "jenkins", "circleci"].map(|name| plain.on(name));
    assert_eq!(
        outcomes.map(|said| (said.outcome, said.form)),
        [
            (MaskOutcome::Masked, "literal"),
            (MaskOutcome::Masked, "literal"),
            (MaskOutcome::Missed, "multi_line"),
            (MaskOutcome::Missed, "multi_line"),
            (MaskOutcome::Unknown, ""),
        ]
    );
    let escaped = format!("{{\"private_key\":\"{}\"}}", pem.trim_end().replace('\n', "\\n"));
    assert_eq!(github(&pem, &escaped), (MaskOutcome::Masked, "json"));
    let wrapped: Vec<String> = STANDARD
        .encode(&pem)
        .as_bytes()
        .chunks(76)
        .map(|line| String::from_utf8_lossy(line).into_owned())
        .collect();
    assert_eq!(github(&pem, &wrapped.join(&format!("\n{STAMP}"))), (MaskOutcome::Missed, "wrapped"));
}

#[test]
fn platforms_differ() {
    let token = of("github-classic", 9);
    let once = format!("v={}", STANDARD.encode(format!("{token}\n")));
    let said = answers(&token, &once);
    // Jenkins registers the letters that depend on the value alone.
    assert_eq!(said.on("jenkins"), MaskSimulation { outcome: MaskOutcome::Masked, form: "base64" });
    for (platform, form) in [("github", "base64_unaligned"), ("gitlab", "base64"), ("azure", "base64")] {
        assert_eq!(said.on(platform), MaskSimulation { outcome: MaskOutcome::Missed, form }, "{platform}");
    }
    let gitlab = answers(&of("gitlab-pat", 2), &format!("TOKEN: {}", of("gitlab-pat", 2))).on("gitlab");
    assert_eq!(gitlab, MaskSimulation { outcome: MaskOutcome::Masked, form: "token_prefix" });
    assert_eq!(said.on("travis"), MaskSimulation::UNKNOWN);
    assert_eq!(MaskSimulations::platforms().count(), 5);
}

proptest! {
    /// Whatever stands around a value in base 64, the answer is that of a text search for
    /// the three registered forms.
    #[test]
    fn base64_at_any_alignment_is_judged_as_the_runner_would(
        seed in 0_u64..400,
        before in "[a-z ]{0,7}",
        after in "[a-z\n ]{0,4}",
    ) {
        let token = of("github-classic", seed);
        let blob = STANDARD.encode(format!("{before} {token} {after}"));
        let registered = (0..3).map(|shift| STANDARD.encode(&token.as_bytes()[shift..]));
        let is_masked = registered.into_iter().any(|form| blob.contains(&form));
        let (outcome, form) = github(&token, &format!("v={blob}"));
        prop_assert_eq!(outcome == MaskOutcome::Masked, is_masked, "{}", form);
        prop_assert!(!form.is_empty());
    }

    /// A value in clear is masked by whoever can register it, wherever it stands.
    #[test]
    fn plain_values_are_masked(seed in 0_u64..400, before in "[ -~]{0,30}", after in "[ -~]{0,30}") {
        let token = of("github-classic", seed);
        let mut worker = scanner().worker();
        let fingerprint = worker.fingerprint(token.as_bytes());
        let text = format!("{STAMP}{before} {token} {after}");
        for seen in worker.scan(text.as_bytes()).sightings {
            if seen.fingerprint == fingerprint && seen.encodings.is_empty() {
                for platform in MaskSimulations::platforms() {
                    prop_assert_eq!(seen.masks.on(platform).outcome, MaskOutcome::Masked);
                }
            }
        }
    }
}
