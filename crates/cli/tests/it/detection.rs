//! Rules of users, exceptions and known secrets on the command line.

use crate::{leakgraph, stdout};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// Built from parts: no token of anyone.
fn value() -> String {
    ["kW7x", "Qp2v", "Zt9m", "Lr4c", "Bn8s", "Hd3f"].concat()
}

fn folder() -> TempDir {
    TempDir::new().expect("a temporary folder")
}

fn scan(folder: &Path, args: &[&str], code: i32) -> String {
    let mut command = leakgraph(&folder.join("lake"));
    stdout(command.args(["scan", "build.log", "--format", "csv"]).args(args).current_dir(folder), code)
}

#[test]
fn rules_are_listed_and_shown() {
    let folder = folder();
    let lake = folder.path().join("lake");
    let list = stdout(leakgraph(&lake).args(["rules", "list", "--format", "csv"]), 0);
    assert!(list.lines().count() > 60 && list.contains("github-classic"), "{list}");
    let some = stdout(leakgraph(&lake).args(["rules", "list", "--provider", "aws", "--format", "csv"]), 0);
    assert!(some.lines().skip(1).all(|line| line.contains(",aws,")), "{some}");
    assert!(stdout(leakgraph(&lake).args(["rules", "show", "github-classic"]), 0).contains("ghp_"));
    stdout(leakgraph(&lake).args(["rules", "show", "no-such-rule"]), 2);
    stdout(leakgraph(&lake).args(["rules", "list", "--provider", "nobody"]), 2);
}

#[test]
fn a_rule_file_is_used_or_refused_with_file_and_line() {
    let folder = folder();
    let path = folder.path();
    let token = format!("acme_{}", value());
    fs::write(path.join("build.log"), format!("using {token} now\n")).expect("write");
    assert!(!scan(path, &[], 0).contains("acme"));
    let rule = "[[rules]]\nid = \"acme\"\nprovider = \"acme\"\nkind = \"acme_token\"\nkeywords = [\"acme_\"]\n\
                pattern = 'acme_[0-9A-Za-z]{24}'\nlifetime = \"long\"\nseverity = \"high\"\n";
    fs::write(path.join("good.toml"), rule).expect("write");
    let found = scan(path, &["--rules", "good.toml"], 0);
    assert!(found.contains(",acme,") && !found.contains(&value()), "{found}");
    stdout(leakgraph(&path.join("lake")).args(["rules", "check"]).arg(path.join("good.toml")), 0);

    fs::write(path.join("bad.toml"), rule.replace("{24}", "{24")).expect("write");
    let check = stdout(leakgraph(&path.join("lake")).args(["rules", "check"]).arg(path.join("bad.toml")), 2);
    assert!(check.contains("bad.toml:") && check.contains("error"), "{check}");
    assert_eq!(scan(path, &["--rules", "bad.toml"], 2), "", "nothing is scanned half-way");
}

#[test]
fn a_gitleaks_file_is_used() {
    let folder = folder();
    let path = folder.path();
    fs::write(path.join("build.log"), format!("using acme_{} now\n", value())).expect("write");
    let config = "title = \"ours\"\n[extend]\nuseDefault = true\n[[rules]]\nid = \"acme-gl\"\ndescription = \"Acme\"\n\
                  regex = '''acme_([0-9A-Za-z]{24})'''\nsecretGroup = 1\nkeywords = [\"acme_\"]\n";
    fs::write(path.join("gitleaks.toml"), config).expect("write");
    let found = scan(path, &["--rules", "gitleaks.toml", "--confidence", "possible"], 0);
    assert!(found.contains("acme-gl"), "{found}");
}

#[test]
fn known_secrets_are_found_in_any_spelling_and_never_written() {
    let folder = folder();
    let path = folder.path();
    let reversed: String = value().chars().rev().collect();
    fs::write(path.join("build.log"), format!("plain {}\nbackwards {reversed}\n", value())).expect("write");
    fs::write(path.join("vault.env"), format!("DB_PASSWORD={}\nMODE=on\n", value())).expect("write");
    let found = scan(path, &["--known", "vault.env", "--known-only"], 0);
    assert_eq!(found.lines().count(), 3, "{found}");
    assert!(
        found.contains("DB_PASSWORD") && found.contains("reversed") && !found.contains(&value()),
        "{found}"
    );

    let lake = path.join("lake");
    let told = stdout(leakgraph(&lake).args(["known", "import", "vault.env"]).current_dir(path), 0);
    assert!(told.contains("Remembered 1 secrets"), "{told}");
    let list = stdout(leakgraph(&lake).args(["known", "list", "--format", "csv"]), 0);
    assert!(list.contains("DB_PASSWORD"), "{list}");
    for entry in walkdir::WalkDir::new(&lake).into_iter().map(|entry| entry.expect("readable")) {
        if entry.file_type().is_file() {
            let bytes = fs::read(entry.path()).expect("readable");
            assert!(memchr::memmem::find(&bytes, value().as_bytes()).is_none(), "{}", entry.path().display());
        }
    }
}

#[test]
fn a_leak_of_a_known_secret_is_named_and_an_exception_is_a_gap() {
    let folder = folder();
    let path = folder.path();
    let log = format!(
        "2026-10-01T10:00:00.0000000Z Current runner version: '2.328.0'\n\
         2026-10-01T10:00:01.0000000Z export API_PASSWORD={}\n\
         2026-10-01T10:00:02.0000000Z Complete job name: build\n",
        value()
    );
    fs::write(path.join("build.log"), log).expect("write");
    fs::write(path.join("vault.env"), format!("DB_PASSWORD={}\n", value())).expect("write");
    let lake = path.join("lake");
    let run = |args: &[&str], code| stdout(leakgraph(&lake).args(args).current_dir(path), code);
    run(&["known", "import", "vault.env"], 0);
    run(&["run", "build.log"], 0);
    let sql = "SELECT fingerprint, array_to_string(kept_as, ' ') AS kept FROM secrets";
    let rows = run(&["sql", "--format", "csv", "-c", sql], 0);
    assert!(rows.contains("vault.env#DB_PASSWORD"), "{rows}");

    let fingerprint = rows.lines().nth(1).and_then(|row| row.split(',').next()).expect("a fingerprint");
    fs::write(path.join("allow.txt"), format!("{fingerprint} test value of the build\n")).expect("write");
    assert_eq!(scan(path, &["--allow", "allow.txt", "--confidence", "possible"], 0).lines().count(), 1);
    let other = folder.path().join("other");
    fs::create_dir(&other).expect("a folder");
    fs::copy(lake.join("fingerprint.key"), other.join("fingerprint.key")).expect("the key");
    stdout(leakgraph(&other).args(["run", "build.log", "--allow", "allow.txt"]).current_dir(path), 0);
    let sql = "SELECT gap, effect FROM evidence_gaps";
    let gaps = stdout(leakgraph(&other).args(["sql", "--format", "csv", "-c", sql]), 0);
    assert!(gaps.contains("excused_by_fingerprint") && gaps.contains("test value"), "{gaps}");
}

#[test]
fn a_leak_in_a_step_and_in_the_whole_log_is_one() {
    use std::io::Write as _;
    let folder = folder();
    let path = folder.path();
    let line = format!("2026-10-01T10:00:01.0000000Z export API_PASSWORD={}\n", value());
    let archive = fs::File::create(path.join("build.log")).expect("created");
    let mut archive = zip::ZipWriter::new(archive);
    for name in ["0_build.txt", "build/1_Set up job.txt", "1_test.txt", "other/1_Run.txt"] {
        archive.start_file(name, zip::write::SimpleFileOptions::default()).expect("a member");
        archive.write_all(line.as_bytes()).expect("written");
    }
    archive.finish().expect("an archive");
    let found = scan(path, &["--confidence", "possible"], 0);
    let members: Vec<&str> = found
        .lines()
        .skip(1)
        .filter_map(|row| row.split(',').next()?.split_once("!/"))
        .map(|(_, m)| m)
        .collect();
    assert_eq!(members, ["0_build.txt", "1_test.txt", "other/1_Run.txt"], "{found}");
}

#[test]
fn rules_are_measured_on_real_text() {
    let folder = folder();
    let path = folder.path();
    fs::write(path.join("build.log"), format!("export API_PASSWORD={}\n", value()).repeat(200))
        .expect("write");
    let lake = path.join("lake");
    let rows = stdout(
        leakgraph(&lake).args(["rules", "profile", "build.log", "--format", "csv"]).current_dir(path),
        0,
    );
    assert!(rows.contains("stage,lines,") && rows.contains("stage,assignments,"), "{rows}");
}
