//! Rule files of users: used if faultless, else refused with file, line and reason.

use crate::key;
use leakgraph_scan::user_rules::{Diagnostic, Level, check};
use leakgraph_scan::{AllowedBy, Error, RuleSet, Scan, Scanner};
use std::path::{Path, PathBuf};

pub(crate) fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

pub(crate) fn extended(files: &[PathBuf]) -> (Scanner, Vec<Diagnostic>) {
    let (rules, remarks) =
        RuleSet::builtin().unwrap().extended(files).unwrap_or_else(|error| panic!("{error}"));
    (Scanner::new(rules, key()).unwrap(), remarks)
}

/// Line, rule and message of every error of a file.
fn errors(text: &str) -> Vec<(usize, String, String)> {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "rules.toml", text);
    let remarks = check(&path);
    assert!(remarks.iter().all(|remark| remark.file == path.display().to_string()));
    let errors = remarks.into_iter().filter(|remark| remark.level == Level::Error);
    errors.map(|error| (error.line, error.rule.unwrap_or_default(), error.message)).collect()
}

const RULE: &str = r#"
[[rules]]
id = "acme-token"
provider = "acme"
kind = "acme_token"
keywords = ["acme_"]
pattern = '''acme_[0-9a-f]{24}'''
lifetime = "long"
severity = "high"
"#;

fn token() -> String {
    ["acme", "_", "0123456789abcdef01234567"].concat()
}

fn scan(text: &str, path: &str, log: &str) -> Scan {
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "rules.toml", text);
    let (scanner, remarks) = extended(&[file]);
    assert_eq!(remarks, []);
    scanner.worker().scan_at(path, log.as_bytes())
}

#[test]
fn a_rule_of_a_user_finds_its_secret_behind_encodings_too() {
    use base64::Engine as _;
    let encoded = base64::engine::general_purpose::STANDARD.encode(token());
    let seen = scan(RULE, "", &format!("a {} b\n{encoded}\n", token()));
    let rules: Vec<&str> = seen.sightings.iter().map(|seen| seen.rule.as_str()).collect();
    assert_eq!(rules, ["acme-token", "acme-token"]);
    assert_eq!(seen.sightings[1].encodings, ["base64"]);
}

#[test]
fn the_rule_set_hash_tells_rule_sets_apart() {
    let folder = tempfile::tempdir().unwrap();
    let one = write(folder.path(), "one.toml", RULE);
    let two = write(folder.path(), "two.toml", &RULE.replace("{24}", "{25}"));
    let hash = |files: &[PathBuf]| RuleSet::builtin().unwrap().extended(files).unwrap().0.hash().to_owned();
    assert_eq!(hash(&[]), RuleSet::builtin().unwrap().hash());
    assert_eq!(hash(std::slice::from_ref(&one)), hash(std::slice::from_ref(&one)));
    assert!(hash(&[]) != hash(std::slice::from_ref(&one)) && hash(&[one]) != hash(&[two]));
}

#[test]
fn faults_are_named_with_their_line() {
    let cases = [
        ("pattern = '''acme_[0-9a-f]{24}'''", "pattern = '''acme_[0-9a-f]+'''", 7, "no upper bound"),
        ("pattern = '''acme_[0-9a-f]{24}'''", "pattern = '''acme_[0-9'''", 7, "does not compile"),
        ("pattern = '''acme_[0-9a-f]{24}'''", "pattern = '''acme_(?=x)'''", 7, "does not compile"),
        ("pattern = '''acme_[0-9a-f]{24}'''", "pattern = '''(?:acme_){0,2}'''", 7, "empty text"),
        ("pattern = '''acme_[0-9a-f]{24}'''", "pattern = '''(?i)acme_[0-9]{9}'''", 6, "case matters"),
        ("pattern = '''acme_[0-9a-f]{24}'''", "pattern = '''(?:acme_|b)[0-9]{9}'''", 6, "`b000000000`"),
        ("keywords = [\"acme_\"]", "keywords = [\"ac\"]", 6, "shorter than 3"),
        ("keywords = [\"acme_\"]", "", 2, "needs literals"),
        ("severity = \"high\"", "severity = \"awful\"", 9, "awful"),
        ("lifetime = \"long\"", "lifetime = \"forever\"", 8, "ephemeral, hours, long"),
        ("severity = \"high\"", "severity = \"high\"\nregexp = \"x\"", 10, "regexp"),
        ("severity = \"high\"", "severity = \"high\"\ncheck = \"crc\"", 10, "no check `crc`"),
        ("id = \"acme-token\"", "id = \"npm\"", 3, "disabled_rules"),
        ("id = \"acme-token\"", "id = \"a b\"", 3, "letters, digits"),
        ("kind = \"acme_token\"", "kind = 7", 5, "string"),
    ];
    for (from, to, line, reason) in cases {
        let found = errors(&RULE.replace(from, to));
        assert!(
            found.iter().any(|(at, _, message)| *at == line && message.contains(reason)),
            "{to}: {found:?}"
        );
    }
}

#[test]
fn all_faults_of_a_file_are_named_at_once() {
    let text = format!("{RULE}{RULE}surprise = 1\n{}", RULE.replace("acme-token", "x").replace("{24}", "*"));
    let lines: Vec<usize> = errors(&text).into_iter().map(|(line, ..)| line).collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    let found = errors(&format!("{RULE}{RULE}"));
    assert_eq!((found[0].0, found[0].2.contains("used twice")), (12, true), "{found:?}");
    assert!(errors("rules = [").len() == 1 && errors("colour = 1")[0].2.contains("colour"));
    assert!(errors("rules = 3")[0].2.contains("list"));
}

#[test]
fn one_bad_file_means_none_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let good = write(folder.path(), "good.toml", RULE);
    let bad = write(folder.path(), "bad.toml", "rules = 3");
    let missing = folder.path().join("missing.toml");
    let Err(Error::UserRules(remarks)) = RuleSet::builtin().unwrap().extended(&[good, bad, missing]) else {
        panic!("they are used")
    };
    assert_eq!(remarks.len(), 2);
    assert!(remarks[1].to_string().contains("missing.toml:0: error: "), "{}", remarks[1]);
}

#[test]
fn embedded_rules_can_be_disabled_and_replaced() {
    let replaced = RULE.replace("acme-token", "npm");
    let seen = scan(&format!("disabled_rules = [\"npm\"]\n{replaced}"), "", &token());
    assert_eq!(seen.sightings[0].rule, "npm");
    let seen = scan("disabled_rules = [\"generic-assignment\"]", "", "DB_PASSWORD=q8Zr2Lk0Vn5Tw7Bx");
    assert!(seen.sightings.is_empty());
    assert!(errors("disabled_rules = [\"nobody\"]")[0].2.contains("`nobody`"));
}

#[test]
fn exceptions_by_path_and_value_are_counted_with_their_reason() {
    let allow = |conditions: &str| {
        format!("{RULE}\n[[allow]]\nreason = \"a fixture\"\nrules = [\"acme-token\"]\n{conditions}\n")
    };
    let both = "paths = [\"fixtures/**\"]\nvalues = ['^acme_0123']";
    let cases = [
        ("paths = [\"fixtures/**\"]".to_owned(), "fixtures/a/b.txt", Some(AllowedBy::Path)),
        ("paths = [\"fixtures/**\"]".to_owned(), "logs/fixtures/b.txt", None),
        ("values = ['^acme_0123']".to_owned(), "", Some(AllowedBy::Pattern)),
        ("values = ['^acme_9']".to_owned(), "", None),
        (both.to_owned(), "logs/b.txt", Some(AllowedBy::Pattern)),
        (format!("{both}\nall = true"), "logs/b.txt", None),
        (format!("{both}\nall = true"), "fixtures/b.txt", Some(AllowedBy::Pattern)),
    ];
    for (conditions, path, by) in cases {
        let seen = scan(&allow(&conditions), path, &token());
        assert_eq!(seen.suppressed.first().map(|suppressed| suppressed.by), by, "{conditions} {path}");
        assert_eq!(seen.sightings.len(), usize::from(by.is_none()));
        assert!(seen.suppressed.iter().all(|suppressed| suppressed.reason == "a fixture"));
    }
    for (conditions, reason) in [
        ("", "needs paths or values"),
        ("values = ['[']", "does not compile"),
        ("paths = [\"a\"]\nuntil = \"soon\"", "not a date"),
        ("paths = [\"a\"]\nuser = 1", "unknown field"),
    ] {
        let found = errors(&allow(conditions));
        assert!(found.iter().any(|(line, _, message)| *line > 10 && message.contains(reason)), "{found:?}");
    }
}

#[test]
fn exceptions_that_have_ended_are_named_and_do_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let text = format!("{RULE}\n[[allow]]\nreason = \"old\"\npaths = [\"**\"]\nuntil = \"2020-02-29\"\n");
    let (scanner, remarks) = extended(&[write(folder.path(), "rules.toml", &text)]);
    assert_eq!((remarks.len(), remarks[0].level), (1, Level::Warning));
    assert_eq!(scanner.worker().scan_at("a", token().as_bytes()).sightings.len(), 1);
}
