//! Known secrets: imported from what vaults print, found in every spelling, never by chance.

use crate::{key, scanner};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use leakgraph_scan::known::{FingerprintList, Format, Import, KnownSecrets, Refusal};
use leakgraph_scan::{Confidence, RuleSet, Scanner, Sighting};
use proptest::prelude::*;

fn import(format: Format, text: &str) -> Import {
    Import::read(format, "src", text.as_bytes()).unwrap_or_else(|error| panic!("{error}"))
}

fn known(values: &[&str]) -> KnownSecrets {
    KnownSecrets::new(values.iter().map(|value| import(Format::Bytes, value)))
}

fn seen(known: &KnownSecrets, text: &[u8]) -> Vec<Sighting> {
    known.scan(&key(), text).sightings
}

/// Name and path of all secrets that a text imports, found by their plain values.
fn names(format: Format, text: &str, values: &[&str]) -> Vec<(String, String)> {
    let known = KnownSecrets::new([import(format, text)]);
    assert_eq!(known.len(), values.len(), "{:?}", known.refused());
    let name_of = |value: &&str| {
        let found = seen(&known, value.as_bytes());
        assert_eq!(found.len(), 1, "{value}");
        (found[0].known[0].name.clone(), found[0].known[0].path.clone())
    };
    values.iter().map(name_of).collect()
}

fn pair(name: &str, path: &str) -> (String, String) {
    (name.to_owned(), path.to_owned())
}

/// Spellings by writers other than the one under test.
fn spellings(value: &str, lead: &str, tail: &str) -> Vec<(&'static [&'static str], Vec<u8>)> {
    let inside = format!("{lead}{value}{tail}");
    let hex = |upper: bool| -> String {
        value.bytes().map(|byte| if upper { format!("{byte:02X}") } else { format!("{byte:02x}") }).collect()
    };
    let little: Vec<u8> = inside.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = inside.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let percent = |keep: fn(u8) -> bool, upper: bool| -> String {
        let one = |byte: u8| match (keep(byte), upper) {
            (true, _) => char::from(byte).to_string(),
            (_, true) => format!("%{byte:02X}"),
            _ => format!("%{byte:02x}"),
        };
        value.bytes().map(one).collect()
    };
    let strict = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let json = serde_json::to_string(value).unwrap();
    let twice = serde_json::to_string(&json).unwrap();
    vec![
        (&[], value.to_owned().into_bytes()),
        (&["base64"], STANDARD.encode(&inside).into_bytes()),
        (&["base64"], STANDARD_NO_PAD.encode(&inside).into_bytes()),
        (&["base64"], URL_SAFE.encode(&inside).into_bytes()),
        (&["base64"], URL_SAFE_NO_PAD.encode(&inside).into_bytes()),
        (&["base64"], STANDARD.encode(format!("{value}\n")).into_bytes()),
        (&["base64", "utf16"], STANDARD.encode(little).into_bytes()),
        (&["base64", "utf16"], STANDARD.encode(big).into_bytes()),
        (&["hex"], hex(false).into_bytes()),
        (&["hex"], hex(true).into_bytes()),
        (&["percent"], percent(strict, true).into_bytes()),
        (&["percent"], percent(strict, false).into_bytes()),
        (&["percent"], percent(|_| false, true).into_bytes()),
        (&["percent"], percent(|_| false, false).into_bytes()),
        (&["json"], json.into_bytes()),
        (&["json", "json"], twice.into_bytes()),
        (&["html"], value.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;").into_bytes()),
        (&["shell"], format!("'{}'", value.replace('\'', "'\\''")).into_bytes()),
        (&["reversed"], value.bytes().rev().collect()),
        (&["utf16"], value.encode_utf16().flat_map(u16::to_le_bytes).collect()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn every_spelling_is_found_with_the_plain_fingerprint(
        value in "[a-zA-Z0-9+/_=.~&<\"'$!-]{14,60}",
        other in "[a-z0-9]{24,40}",
        lead in "[a-z:]{0,5}",
        tail in "[a-z:]{0,5}",
        noise in "[ a-z.,\n]{0,200}",
    ) {
        let known = known(&[&value, &other]);
        prop_assume!(known.len() == 2);
        let fingerprint = scanner().worker().fingerprint(value.as_bytes());
        for (encodings, spelled) in spellings(&value, &lead, &tail) {
            let text = [noise.as_bytes(), b"\n[", &spelled, b"]\n", noise.as_bytes()].concat();
            let found = seen(&known, &text);
            prop_assert_eq!(found.len(), 1, "{:?}: {:?}", encodings, &found);
            prop_assert_eq!(&found[0].fingerprint, &fingerprint);
            prop_assert!(found[0].confidence == Confidence::VerifiedStructure);
            prop_assert!(found[0].offset > noise.len() && found[0].offset + found[0].len <= noise.len() + 3 + spelled.len());
            // Equal spellings are named by the first form.
            prop_assert!(found[0].encodings.is_empty() || found[0].encodings.first() == encodings.first().map(|name| (*name).to_owned()).as_ref());
        }
    }

    #[test]
    fn nothing_is_found_by_chance(
        value in "[a-zA-Z0-9]{12,40}",
        text in proptest::collection::vec(any::<u8>(), 0..2000),
        at in 0_usize..12,
    ) {
        let known = known(&[&value]);
        prop_assume!(known.len() == 1);
        prop_assert!(seen(&known, &text).is_empty());
        // One other character is another value, in every spelling.
        let mut near = value.clone().into_bytes();
        near[at] = if near[at] == b'q' { b'r' } else { b'q' };
        let near = String::from_utf8(near).unwrap();
        for (encodings, spelled) in spellings(&near, "", "") {
            prop_assert!(seen(&known, &spelled).is_empty(), "{:?}", encodings);
        }
    }
}

#[test]
fn colours_timestamps_and_lines_do_not_matter() {
    let value = ["q8Zr2Lk0", "Vn5Tw7Bx"].concat();
    let (head, tail) = value.split_at(7);
    let text = format!("first\n2026-10-02T09:14:07.1234567Z pw {head}\x1b[0m\x1b[32m{tail}\r\n");
    let found = seen(&known(&[&value]), text.as_bytes());
    assert_eq!((found.len(), found[0].line, found[0].value_bytes), (1, 2, 16));
    assert_eq!(text.as_bytes()[found[0].offset], b'q');
}

#[test]
fn large_texts_are_searched_without_seams() {
    let short = ["q8Zr2Lk0", "Vn5Tw7Bx"].concat();
    let body: String = (0..400).map(|index| format!("{:x}", index * 7919 + 100_000)).collect();
    let long = format!("kT5mZ8q\n{body}");
    let known = known(&[&short, &long]);
    assert_eq!(known.len(), 2);
    let value_line = format!("{short} {}\n{long}\n", "x".repeat(1500));
    let (lines, count) = (value_line.repeat(1000), 1000);
    // One line end in all: parts cannot end where lines do.
    let one_line = format!("{short} {}", "-".repeat(700)).repeat(5000);
    for (text, short_count, long_count) in [(lines, count, count), (one_line, 5000, 0)] {
        assert!(text.len() > 3 << 20);
        let found = seen(&known, text.as_bytes());
        let of = |bytes: usize| found.iter().filter(|seen| seen.value_bytes == bytes).count();
        assert_eq!((of(short.len()), of(long.len())), (short_count, long_count));
        assert!(found.is_sorted_by_key(|seen| seen.offset));
        assert!(found.iter().all(|seen| {
            text.get(seen.offset..seen.offset + 2).is_some_and(|two| two == "q8" || two == "kT")
        }));
    }
}

#[test]
fn values_with_a_common_beginning_are_told_apart() {
    let values: Vec<String> =
        (0..3000).map(|index| format!("hvs.CAESIAbcdefghijkl{}xyz", index * 7919 + 100_000)).collect();
    let known = known(&values.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(known.len(), 3000);
    for value in values.iter().step_by(97) {
        let found = seen(&known, format!("v {value} ").as_bytes());
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].fingerprint, scanner().worker().fingerprint(value.as_bytes()));
    }
    assert!(seen(&known, b"hvs.CAESIAbcdefghijklmnopqrstuvwxyz").is_empty());
}

#[test]
fn of_values_inside_one_another_the_longest_is_seen() {
    let short = ["kT5mZ8", "qW2rX9"].concat();
    let long = format!("{short}-pL4");
    let known = known(&[&short, &long]);
    let text = format!("{long} {short}");
    let lengths: Vec<usize> = seen(&known, text.as_bytes()).iter().map(|seen| seen.value_bytes).collect();
    assert_eq!(lengths, [16, 12]);
}

#[test]
fn weak_values_are_refused_with_a_count() {
    let known = known(&[
        "short",
        "password",
        "LOCALHOST",
        "aaaaaaaaaaaaaaaa",
        "20261121",
        "production",
        "q8Zr2Lk0Vn5T",
    ]);
    assert_eq!(known.len(), 1);
    let counts = known.refused_counts();
    assert_eq!((counts.get(&Refusal::TooShort), counts.get(&Refusal::Trivial)), (Some(&1), Some(&5)));
    assert!(known.refused().iter().all(|refused| refused.reason.to_string().len() > 20));
    assert!(seen(&known, b"password production localhost").is_empty());
}

#[test]
fn the_formats_of_vaults_are_read() {
    let (a, b) = (["q8Zr2Lk0", "Vn5Tw7"].concat(), ["kT5mZ8qW", "2rX9pL"].concat());
    let values = [a.as_str(), b.as_str()];
    let cases = [
        (
            Format::Json,
            format!(
                r#"{{"request_id":"x","lease_id":"","lease_duration":0,"data":{{"data":{{"one":"{a}","two":{{"in":"{b}"}}}},"metadata":{{"version":3}}}}}}"#
            ),
            [pair("one", "src#one"), pair("in", "src#two.in")],
        ),
        (
            Format::Json,
            format!(r#"{{"lease_duration":2764800,"data":{{"one":"{a}","two":"{b}"}}}}"#),
            [pair("one", "src#one"), pair("two", "src#two")],
        ),
        (
            Format::Json,
            format!(
                r#"{{"ARN":"arn:x","Name":"n","SecretString":"{{\"u\":\"{a}\",\"p\":\"{b}\"}}","CreatedDate":1}}"#
            ),
            [pair("u", "arn:x#u"), pair("p", "arn:x#p")],
        ),
        (
            Format::Json,
            format!(
                r#"{{"SecretValues":[{{"ARN":"arn:x","Name":"n","SecretString":"{a}"}},{{"ARN":"arn:y","Name":"m","SecretBinary":"{}"}}],"Errors":[{{"SecretId":"gone"}}]}}"#,
                STANDARD.encode(&b)
            ),
            [pair("n", "arn:x"), pair("m", "arn:y")],
        ),
        (
            Format::Json,
            format!(
                r#"{{"id":"i","title":"T","vault":{{"id":"v","name":"V"}},"category":"LOGIN","fields":[{{"id":"username","type":"STRING","label":"user","value":"someone-else"}},{{"id":"password","type":"CONCEALED","label":"password","value":"{a}","reference":"op://V/T/password"}},{{"id":"x","type":"CONCEALED","label":"token","value":"{b}"}}]}}"#
            ),
            [pair("password", "op://V/T/password"), pair("token", "op://V/T/token")],
        ),
        (
            Format::Json,
            format!(
                r#"{{"kind":"Secret","metadata":{{"name":"db","namespace":"prod"}},"data":{{"one":"{}"}},"stringData":{{"two":"{b}"}}}}"#,
                STANDARD.encode(&a)
            ),
            [pair("one", "src#prod/db/one"), pair("two", "src#prod/db/two")],
        ),
        (
            Format::Json,
            format!(r#"{{"app":{{"keys":["{a}"]}},"port":5432,"db":"{b}"}}"#),
            [pair("keys", "src#app.keys.0"), pair("db", "src#db")],
        ),
        (
            Format::Csv,
            format!("name,value,path\r\none,{a},kv/one\r\n\"t,wo\",\"{b}\",\r\n"),
            [pair("one", "kv/one"), pair("t,wo", "src#t,wo")],
        ),
        (
            Format::Dotenv,
            format!("# comment\nexport ONE='{a}' # why\n\nTWO = {b} # why\nEMPTY=\n"),
            [pair("ONE", "src#ONE"), pair("TWO", "src#TWO")],
        ),
    ];
    for (format, text, want) in cases {
        if format == Format::Dotenv {
            // The empty value is refused, not lost.
            let known = KnownSecrets::new([import(format, &text)]);
            assert_eq!(known.refused_counts().get(&Refusal::TooShort), Some(&1));
        }
        assert_eq!(names(format, &text, &values), want, "{text}");
    }
}

#[test]
fn dotenv_quotes_span_lines_and_escape() {
    let known = KnownSecrets::new([import(Format::Dotenv, "K=\"-begin9-\\nq8Zr\\\"2Lk0\nVn5T\"\nL=`x`\n")]);
    assert_eq!(known.len(), 1);
    let found = seen(&known, b"out: -begin9-\nq8Zr\"2Lk0\nVn5T end");
    assert_eq!((found.len(), found[0].known[0].name.as_str()), (1, "K"));
}

#[test]
fn lists_without_values_and_broken_files_are_refused_without_showing_them() {
    let read =
        |format: Format, text: &str| Import::read(format, "src", text.as_bytes()).err().unwrap().to_string();
    let github = read(Format::Json, r#"[{"name":"NPM_TOKEN","updatedAt":"2026-01-01T00:00:00Z"}]"#);
    assert!(github.contains("without values") && github.contains("GitHub never returns"), "{github}");
    let rest = r#"{"total_count":1,"secrets":[{"name":"X","created_at":"","updated_at":""}]}"#;
    assert!(read(Format::Json, rest).contains("without values"));
    assert!(
        read(Format::Bytes, "NPM_TOKEN\t2026-01-01T00:00:00Z\nX\t2026-01-02T00:00:00Z\n").contains("without")
    );
    let value = ["q8Zr2Lk0", "Vn5Tw7"].concat();
    for (format, text, line) in [
        (Format::Json, format!("{{\n\"a\": \"{value}\",,}}"), 2),
        (Format::Csv, format!("a,{value}\nb,{value},p,more\n"), 2),
        (Format::Csv, format!("a,\"{value}\n"), 1),
        (Format::Dotenv, format!("A=1\n{value}\n"), 2),
        (Format::Dotenv, format!("A=\"{value}\n"), 1),
    ] {
        let error = read(format, &text);
        assert!(error.starts_with(&format!("src:{line}: ")), "{error}");
        assert!(!error.contains(&value), "{error}");
    }
}

#[test]
fn formats_are_detected() {
    for (name, text, want) in [
        ("a/.env", "", Format::Dotenv),
        ("prod.env", "", Format::Dotenv),
        ("x.json", "", Format::Json),
        ("x.CSV", "", Format::Csv),
        ("-", " {\"a\": 1}", Format::Json),
        ("-", "secret", Format::Bytes),
    ] {
        assert_eq!(Format::detect(name, text.as_bytes()), want, "{name}");
    }
}

#[test]
fn a_scanner_joins_rules_and_known_secrets() {
    let token = ["ghp", "_", "abcdefghij0123456789ABCDEFGHIJ012345"].concat();
    let value = ["q8Zr2Lk0", "Vn5Tw7Bx"].concat();
    let scanner = crate::new_scanner().with_known(known(&[&token, &value]));
    let text = format!("t {token}\nDB_PASSWORD={value}\nb64 {}\n", STANDARD.encode(format!("u:{value}")));
    let found = scanner.worker().scan(text.as_bytes()).sightings;
    let kinds: Vec<(&str, usize)> = found.iter().map(|seen| (seen.kind.as_str(), seen.line)).collect();
    assert_eq!(kinds, [("github_pat", 1), ("known_secret", 2), ("known_secret", 3)], "{found:?}");
    assert!(
        found.iter().all(|seen| seen.known.len() == 1 && seen.confidence == Confidence::VerifiedStructure)
    );
    let redacted = scanner.worker().redact(&text);
    assert!(!redacted.contains(&token) && !redacted.contains(&value));
}

#[test]
fn known_secrets_are_found_behind_several_encodings() {
    let value = ["q8Zr2Lk0", "Vn5Tw7Bx"].concat();
    let scanner = crate::new_scanner().with_known(known(&[&value]));
    let inside = format!("the value {value} and more of it, as a memory dump has it");
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut gzip, inside.as_bytes()).unwrap();
    let twice = STANDARD.encode(STANDARD.encode(&inside));
    for (text, encodings) in
        [(twice, ["base64", "base64"]), (STANDARD.encode(gzip.finish().unwrap()), ["base64", "gzip"])]
    {
        let found = scanner.worker().scan(format!("out {text} end").as_bytes()).sightings;
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].encodings, encodings);
        assert_eq!(found[0].fingerprint, scanner.worker().fingerprint(value.as_bytes()));
        assert_eq!((found[0].kind.as_str(), found[0].known.len()), ("known_secret", 1));
    }
    // Found by both ways it is one sighting.
    let once = scanner.worker().scan(STANDARD.encode(&inside).as_bytes()).sightings;
    assert_eq!(once.len(), 1, "{once:?}");
}

#[test]
fn a_scanner_without_rules_sees_known_secrets_only() {
    let value = ["q8Zr2Lk0", "Vn5Tw7Bx"].concat();
    let scanner = Scanner::new(RuleSet::empty(), key()).unwrap().with_known(known(&[&value]));
    let text = format!("DB_PASSWORD=zL3nV7hJ1dF6gS0cQ {value}");
    let found = scanner.worker().scan(text.as_bytes()).sightings;
    assert_eq!((found.len(), found[0].value_bytes), (1, 16));
}

#[test]
fn exported_fingerprints_name_sightings_elsewhere() {
    let value = ["q8Zr2Lk0", "Vn5Tw7Bx"].concat();
    let export = known(&[&value]).export(&key());
    let digest = |values: &[&str]| known(values).digest(&key());
    assert_eq!(digest(&[&value]), digest(&[&value, &value]));
    assert_ne!(digest(&[&value]), digest(&[&value, "kT5mZ8qW2rX9pL"]));
    let json = export.to_json();
    assert!(!json.contains(&value));
    let list = FingerprintList::from_json(&json).unwrap();
    assert_eq!(list, export);
    let scanner = scanner();
    let mut found = scanner.worker().scan(format!("DB_PASSWORD={value}").as_bytes()).sightings;
    assert_eq!(list.name("another key", &mut found), 0);
    assert_eq!(list.name(scanner.key_id(), &mut found), 1);
    assert_eq!(found[0].known[0].path, "src");
}
