//! Rule files of gitleaks: honoured, or reported.

use crate::user_rules::{extended, write};
use leakgraph_scan::user_rules::{Diagnostic, Level, check};
use leakgraph_scan::{AllowedBy, Scan};
use proptest::prelude::*;

fn token() -> String {
    ["acme", "-", "0123456789abcdef"].concat()
}

fn run(config: &str, path: &str, log: &str) -> (Scan, Vec<Diagnostic>) {
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "gitleaks.toml", config);
    let (scanner, remarks) = extended(&[file]);
    (scanner.worker().scan_at(path, log.as_bytes()), remarks)
}

/// Remarks of a level: line, rule, message.
fn remarks(config: &str, level: Level) -> Vec<(usize, String, String)> {
    let folder = tempfile::tempdir().unwrap();
    let remarks = check(&write(folder.path(), "gitleaks.toml", config));
    let remarks = remarks.into_iter().filter(|remark| remark.level == level);
    remarks.map(|remark| (remark.line, remark.rule.unwrap_or_default(), remark.message)).collect()
}

const DEFAULT: &str = "[extend]\nuseDefault = true\n";
const RULE: &str = r#"
[[rules]]
id = "acme-key"
description = "Acme key"
regex = '''(?i)acme[-_](?P<part>[0-9a-f]{16})\b'''
keywords = ["ACME"]
tags = ["key"]
"#;

fn values(scan: &Scan) -> Vec<(&str, usize)> {
    scan.sightings.iter().map(|seen| (seen.rule.as_str(), seen.value_bytes)).collect()
}

#[test]
fn the_first_group_is_the_secret_unless_one_is_named() {
    let (scan, found) = run(&format!("{DEFAULT}{RULE}"), "", &format!("x {} y", token()));
    assert_eq!(values(&scan), [("acme-key", 16)]);
    assert_eq!((scan.sightings[0].offset, scan.sightings[0].kind.as_str()), (2, "acme_key"));
    assert_eq!(found, []);
    let (scan, _) = run(&format!("{DEFAULT}{RULE}secretGroup = 1\n"), "", &token().to_uppercase());
    assert_eq!(values(&scan), [("acme-key", 16)]);
    let no_group = RULE.replace("(?P<part>", "(?:");
    let (scan, _) = run(&format!("{DEFAULT}{no_group}"), "", &token());
    assert_eq!(values(&scan), [("acme-key", 21)]);
    let other = RULE.replace("(?P<part>", "(zzz)?(");
    let (scan, _) = run(&format!("{DEFAULT}{other}"), "", &token());
    assert_eq!(values(&scan), [("acme-key", 16)]);
}

#[test]
fn the_embedded_rules_run_only_if_asked_for() {
    let log = format!("DB_PASSWORD=q8Zr2Lk0Vn5Tw7Bx {}", token());
    let (with, _) = run(&format!("{DEFAULT}{RULE}"), "", &log);
    assert_eq!(with.sightings.len(), 2);
    let (without, found) = run(&format!("title = \"mine\"\n{RULE}"), "", &log);
    assert_eq!(values(&without), [("acme-key", 16)]);
    assert!(found[0].message.contains("useDefault"));
    let (fewer, found) =
        run("[extend]\nuseDefault = true\ndisabledRules = [\"generic-assignment\", \"nobody\"]", "", &log);
    assert!(fewer.sightings.is_empty());
    assert_eq!((found.len(), found[0].level, found[0].line), (1, Level::Unsupported, 3));
}

#[test]
fn keywords_entropy_and_path_are_conditions() {
    let no_keyword = RULE.replace("ACME", "elsewhere");
    let (scan, _) = run(&format!("{DEFAULT}{no_keyword}"), "", &token());
    assert!(scan.sightings.is_empty());
    let (scan, _) = run(&format!("{DEFAULT}{no_keyword}"), "", &format!("ELSEWHERE\n{}", token()));
    assert_eq!(values(&scan), [("acme-key", 16)]);
    for (entropy, count) in [("3.9", 1), ("4.0", 0), ("4", 0)] {
        let (scan, _) = run(&format!("{DEFAULT}{RULE}entropy = {entropy}\n"), "", &token());
        assert_eq!(scan.sightings.len(), count, "{entropy}");
    }
    let with_path = format!("{DEFAULT}{RULE}path = '''build/.*\\.log$'''\n");
    for (path, count) in [("build/1.log", 1), ("other/1.log", 0), ("", 1)] {
        assert_eq!(run(&with_path, path, &token()).0.sightings.len(), count, "{path}");
    }
}

#[test]
fn allowlists_of_rules_and_of_all_suppress() {
    let line = format!("fixture {} end", token());
    let cases = [
        ("[[rules.allowlists]]\nregexes = ['''^0123''']", Some(AllowedBy::Pattern)),
        ("[[rules.allowlists]]\nregexes = ['''^acme''']", None),
        ("[[rules.allowlists]]\nregexTarget = \"match\"\nregexes = ['''^acme''']", Some(AllowedBy::Pattern)),
        (
            "[[rules.allowlists]]\nregextarget = \"line\"\nregexes = ['''^fixture''']",
            Some(AllowedBy::Pattern),
        ),
        ("[rules.allowlist]\nstopwords = [\"89ABC\"]", Some(AllowedBy::StopWord)),
        ("[[rules.allowlists]]\npaths = ['''logs/''']", Some(AllowedBy::Path)),
        ("[[rules.allowlists]]\ncondition = \"AND\"\npaths = ['''logs/''']\nstopwords = [\"nope\"]", None),
        (
            "[[rules.allowlists]]\ncondition = \"and\"\npaths = ['''logs/''']\nstopwords = [\"0123\"]",
            Some(AllowedBy::StopWord),
        ),
        ("[allowlist]\npaths = ['''logs/''']", Some(AllowedBy::Path)),
        ("[[allowlists]]\ntargetRules = [\"acme-key\"]\nstopwords = [\"0123\"]", Some(AllowedBy::StopWord)),
        ("[[allowlists]]\ntargetRules = [\"npm\"]\nstopwords = [\"0123\"]", None),
    ];
    for (list, by) in cases {
        let config = format!("{DEFAULT}{RULE}{list}\ndescription = \"known\"\n");
        let (scan, _) = run(&config, "logs/1.txt", &line);
        assert_eq!(scan.suppressed.first().map(|suppressed| suppressed.by), by, "{list}");
        assert_eq!(scan.sightings.len(), usize::from(by.is_none()), "{list}");
        assert!(scan.suppressed.iter().all(|suppressed| suppressed.reason == "known"));
    }
}

#[test]
fn allowlists_may_change_an_embedded_rule() {
    let config = format!(
        "{DEFAULT}[[rules]]\nid = \"generic-assignment\"\n[[rules.allowlists]]\nstopwords = [\"lk0v\"]"
    );
    let (scan, found) = run(&config, "", "DB_PASSWORD=q8Zr2Lk0Vn5Tw7Bx");
    assert_eq!((scan.sightings.len(), scan.suppressed.len(), found.len()), (0, 1, 0));
}

#[test]
fn files_extend_one_another() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "base.toml", &format!("{DEFAULT}{RULE}{}", RULE.replace("acme-key", "gone")));
    let own = "[extend]\npath = \"base.toml\"\ndisabledRules = [\"gone\"]\n[[rules]]\nid = \"acme-key\"\nentropy = 4.5\n";
    let file = write(folder.path(), "own.toml", own);
    let (scanner, found) = extended(&[file]);
    assert_eq!(found, []);
    // The entropy of the file on top, the pattern of the one below.
    assert!(scanner.worker().scan(token().as_bytes()).sightings.is_empty());
    assert!(scanner.rules().rules().iter().any(|rule| rule.id == "npm"));
    let own = own.replace("entropy = 4.5", "entropy = 1.5");
    let (scanner, _) = extended(&[write(folder.path(), "own.toml", &own)]);
    assert_eq!(values(&scanner.worker().scan(token().as_bytes())), [("acme-key", 16)]);
    let endless = write(folder.path(), "endless.toml", "[extend]\npath = \"endless.toml\"\n");
    assert!(check(&endless).iter().any(|remark| remark.message.contains("more than 2 files")));
    let missing = write(folder.path(), "m.toml", "[extend]\npath = \"nowhere.toml\"\n");
    assert!(check(&missing).iter().any(|remark| remark.line == 2 && remark.message.contains("nowhere.toml")));
}

#[test]
fn required_rules_have_to_be_near() {
    let with = |near: &str| {
        let account = "[[rules]]\nid = \"account\"\nregex = '''acct-[0-9]{6}'''\nkeywords = [\"acct\"]\nskipReport = true\n";
        format!("{RULE}[[rules.required]]\nid = \"account\"\n{near}\n{account}")
    };
    let near = format!("acct-123456\nx\n  {}", token());
    let cases = [
        ("", near.clone(), 1),
        ("", token(), 0),
        ("withinLines = 2", near.clone(), 1),
        ("withinLines = 1", near.clone(), 0),
        ("withinColumns = 2", near.clone(), 1),
        ("withinLines = 2\nwithinColumns = 1", near, 0),
        ("withinLines = 0", format!("{} acct-123456", token()), 1),
    ];
    for (near, log, count) in cases {
        let (scan, found) = run(&format!("{DEFAULT}{}", with(near)), "", &log);
        // The rule without a report is not reported.
        assert_eq!(values(&scan), vec![("acme-key", 16); count], "{near} {log}");
        assert_eq!(found, []);
    }
}

#[test]
fn what_cannot_be_honoured_is_reported() {
    let cases = [
        (format!("{RULE}[[rules.required]]\nid = \"x\"\n"), 8, "acme-key", "`x` does not run"),
        (format!("{RULE}[[rules.allowlists]]\ncommits = [\"abc\"]\n"), 9, "acme-key", "commits"),
        (RULE.replace("(?i)", "(?=x)"), 5, "acme-key", "look-around"),
        (RULE.replace("(?i)", r"\C"), 5, "acme-key", r"\C"),
        ("[[rules]]\nid = \"files\"\npath = '''x\\.pem$'''\n".to_owned(), 2, "files", "only reports files"),
        (format!("{RULE}verify = true\n"), 8, "acme-key", "`verify`"),
        (format!("{DEFAULT}[[rules]]\nid = \"theirs\"\nentropy = 3\n"), 4, "theirs", "not embedded"),
        ("[[allowlists]]\ntargetRules = [\"theirs\"]\nstopwords = [\"a\"]\n".to_owned(), 1, "", "`theirs`"),
    ];
    for (config, line, rule, reason) in cases {
        let found = remarks(&config, Level::Unsupported);
        assert!(
            found.iter().any(|(at, id, message)| *at == line && id == rule && message.contains(reason)),
            "{config}: {found:?}"
        );
    }
    // An exception that needs a commit must not apply without.
    let list = "[[rules.allowlists]]\ncondition = \"AND\"\ncommits = [\"abc\"]\nstopwords = [\"0123\"]\n";
    let (scan, _) = run(&format!("{RULE}{list}"), "", &token());
    assert_eq!((scan.sightings.len(), scan.suppressed.len()), (1, 0));
}

#[test]
fn mistakes_are_errors() {
    let cases = [
        (format!("{RULE}secretGroup = 2\n"), "no such group"),
        (format!("{RULE}secretGroup = -1\n"), "whole number"),
        (format!("{RULE}{RULE}"), "used twice"),
        ("[[rules]]\nregex = '''a'''\n".to_owned(), "no id"),
        ("[[rules]]\nid = \"x\"\nregex = '''a*'''\n".to_owned(), "empty text"),
        ("title = \"t\"\n[[rules]]\nid = \"x\"\n".to_owned(), "neither a regex nor a path"),
        (
            format!("{RULE}[[rules.allowlists]]\ncondition = \"XOR\"\nstopwords = [\"a\"]\n"),
            "neither AND nor OR",
        ),
        (format!("{RULE}[[rules.allowlists]]\nregexTarget = \"file\"\nregexes = ['''a''']\n"), "none of"),
        (format!("{RULE}[[rules.allowlists]]\ndescription = \"x\"\n"), "needs regexes"),
        ("[extend]\nuseDefault = true\npath = \"x\"\n".to_owned(), "exclude one another"),
        ("[extend]\nuseDefault = \"yes\"\n".to_owned(), "true or false"),
    ];
    for (config, reason) in cases {
        let found = remarks(&config, Level::Error);
        assert!(
            found.iter().any(|(line, _, message)| *line > 0 && message.contains(reason)),
            "{config}: {found:?}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// However a literal is quoted in Go's syntax, it matches itself.
    #[test]
    fn any_literal_can_be_quoted_in_each_way(literal in "[ -~]{8,40}", noise in "[ -~\n]{0,60}") {
        prop_assume!(!literal.contains("\\E") && !literal.ends_with('\\'));
        let quoted = |letter: char| if letter.is_ascii_alphanumeric() { format!("[{letter}]") } else { format!("[\\{letter}]") };
        let class: String = literal.chars().map(quoted).collect();
        let octal: String = literal.bytes().map(|byte| format!("\\{byte:03o}")).collect();
        for regex in [format!("\\Q{literal}\\E"), class, octal] {
            let (scan, _) = run(&config("literal", &regex), "", &format!("{noise}\n{literal}\n"));
            prop_assert!(scan.sightings.iter().any(|seen| seen.rule == "literal"), "{}", regex);
        }
    }

    #[test]
    fn any_pattern_is_taken_or_refused(regex in r"[a-c\\\[\](){}?*+|^$.,:<>=!PQEpdwsxbz0-9&~-]{0,24}") {
        let found = remarks(&config("any", &regex), Level::Error);
        prop_assert!(found.iter().all(|(line, ..)| *line > 0), "{}: {:?}", regex, found);
    }

    #[test]
    fn any_text_is_read_or_refused(
        text in r#"([a-z]{1,8} = |\[\[?(rules|extend|allowlist|rules\.allowlist)\]?\]|[ -~]{0,12}|\n|"x"|'''|3){0,12}"#,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let remarks = check(&write(folder.path(), "any.toml", &text));
        prop_assert!(remarks.iter().all(|remark| !remark.message.is_empty()));
    }
}

fn config(id: &str, regex: &str) -> String {
    let quoted = toml::Value::from(regex);
    format!("title = \"t\"\n[[rules]]\nid = \"{id}\"\nregex = {quoted}\n")
}
