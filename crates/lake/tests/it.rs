//! A lake, written and read as the engine does it.

use leakgraph_lake::{BatchKind, Error, Lake, Session};
use leakgraph_model::scored::{Finding, NhiScore};
use leakgraph_model::tables::{Job, Problem, Run, SourceFile};
use leakgraph_model::{Evidence, Key, Row, Timestamp, scored};
use tempfile::TempDir;

fn lake() -> (TempDir, Lake) {
    let folder = TempDir::new().expect("a temporary folder");
    let lake = Lake::open(&folder.path().join("lake")).expect("a lake");
    (folder, lake)
}

fn run(name: &str) -> Run {
    Run {
        run_key: Key::of("run", &[name]),
        platform: "github".to_owned(),
        repo: Some(name.to_owned()),
        created_at: Timestamp::parse("2026-10-01T00:00:00Z"),
        evidence: "log".to_owned(),
        ..Run::default()
    }
}

fn ingest(lake: &Lake, evidence: &Evidence, source: &str) {
    let mut batch = lake.begin(BatchKind::Ingest).expect("a batch");
    for (table, rows) in evidence.to_batches().expect("batches") {
        batch.write(table, rows).expect("written");
    }
    batch.source(source, 1, "rules");
    batch.commit().expect("committed");
}

fn count(session: &Session, table: &str) -> usize {
    session.query(&format!("SELECT * FROM {table}")).expect("rows").iter().map(|batch| batch.num_rows()).sum()
}

fn source_files(names: &[&str]) -> Evidence {
    let row = |name: &&str| SourceFile {
        source_key: Key::of("source", &[name]),
        path: (*name).to_owned(),
        ..SourceFile::default()
    };
    Evidence { source_files: names.iter().map(row).collect(), ..Evidence::default() }
}

#[test]
fn every_table_can_be_asked_before_anything_was_written() {
    let (_folder, lake) = lake();
    let session = lake.session().expect("a session");
    for doc in Evidence::TABLES.iter().chain(scored::TABLES) {
        assert_eq!(count(&session, doc.name), 0, "{}", doc.name);
    }
    assert!(count(&session, "table_columns") > 150);
}

#[test]
fn evidence_comes_back_as_it_was_written() {
    let (_folder, lake) = lake();
    let evidence = Evidence {
        runs: vec![run("o/a"), run("o/b")],
        jobs: vec![Job {
            labels: vec!["ubuntu".to_owned(), "x64".to_owned()],
            name: "build".to_owned(),
            ..Job::default()
        }],
        problems: vec![Problem { path: "x".to_owned(), offset: Some(7), ..Problem::default() }],
        ..Evidence::default()
    };
    ingest(&lake, &evidence, "aa");
    let mut read = lake.evidence().expect("evidence");
    read.runs.sort_by_key(|run| run.repo.clone());
    assert_eq!(read, evidence);
    assert_eq!(lake.sources().expect("sources"), [("aa".to_owned(), 1, "rules".to_owned())].into());
}

#[test]
fn a_dropped_batch_is_invisible_and_swept() {
    let (_folder, lake) = lake();
    ingest(&lake, &source_files(&["kept"]), "aa");
    {
        let mut batch = lake.begin(BatchKind::Ingest).expect("a batch");
        let rows = SourceFile::to_batch(&source_files(&["lost"]).source_files).expect("rows");
        // Enough to be flushed is not needed: commit is what counts, so write and drop.
        batch.write("source_files", rows).expect("written");
        batch.source("bb", 1, "rules");
    }
    assert_eq!(count(&lake.session().expect("a session"), "source_files"), 1);
    ingest(&lake, &source_files(&["more"]), "cc");
    assert_eq!(count(&lake.session().expect("a session"), "source_files"), 2);
    assert_eq!(lake.sources().expect("sources").len(), 2);
}

#[test]
fn only_the_newest_score_is_visible() {
    let (_folder, lake) = lake();
    ingest(&lake, &Evidence { runs: vec![run("raw")], ..Evidence::default() }, "aa");
    assert_eq!(count(&lake.session().expect("a session"), "runs"), 0, "runs are linked first");
    for names in [&["a", "b"][..], &["c"][..]] {
        let scores: Vec<NhiScore> = names
            .iter()
            .map(|name| NhiScore { identity: (*name).to_owned(), ..NhiScore::default() })
            .collect();
        let mut batch = lake.begin(BatchKind::Score).expect("a batch");
        batch.write("nhi_scores", NhiScore::to_batch(&scores).expect("rows")).expect("written");
        batch.write("runs", Run::to_batch(&[run("linked")]).expect("rows")).expect("written");
        batch.commit().expect("committed");
    }
    let session = lake.session().expect("a session");
    assert_eq!((count(&session, "nhi_scores"), count(&session, "runs")), (1, 1));
}

#[test]
fn keys_are_readable_and_tables_can_be_overlaid() {
    let (_folder, lake) = lake();
    let session = lake.session().expect("a session");
    let finding = Finding { finding_key: Key::of("finding", &["x"]), ..Finding::default() };
    session
        .register("findings", Finding::to_batch(std::slice::from_ref(&finding)).expect("rows"))
        .expect("registered");
    let rows = session
        .query("SELECT key(finding_key) AS k FROM findings WHERE starts_with(key(finding_key), '')")
        .expect("rows");
    assert!(format!("{rows:?}").contains(&finding.finding_key.to_string()));
}

#[test]
fn only_questions_are_answered() {
    let (folder, lake) = lake();
    let session = lake.session().expect("a session");
    let outside = folder.path().join("out.csv");
    for sql in [
        "INSERT INTO problems SELECT * FROM problems".to_owned(),
        "CREATE TABLE x AS SELECT 1".to_owned(),
        "CREATE EXTERNAL TABLE x STORED AS CSV LOCATION '/etc/passwd'".to_owned(),
        format!("COPY problems TO '{}'", outside.display()),
        format!("EXPLAIN COPY problems TO '{}'", outside.display()),
        "DROP TABLE problems".to_owned(),
        "SET datafusion.execution.batch_size = 1".to_owned(),
        "SELECT * FROM '/etc/passwd'".to_owned(),
        "SELEC 1".to_owned(),
    ] {
        assert!(matches!(session.query(&sql), Err(Error::Query { .. })), "{sql}");
    }
    assert!(!outside.exists());
    for sql in ["SELECT 1", "EXPLAIN SELECT * FROM problems", "SHOW TABLES", "DESCRIBE problems"] {
        assert!(session.query(sql).is_ok(), "{sql}: {:?}", session.query(sql));
    }
}

#[test]
fn two_writers_are_told_apart() {
    let (folder, lake) = lake();
    let _open = lake.begin(BatchKind::Ingest).expect("a batch");
    let other = Lake::open(&folder.path().join("lake")).expect("a lake");
    assert!(matches!(other.begin(BatchKind::Ingest), Err(Error::Locked { .. })));
    assert!(other.session().is_ok(), "readers are not kept out");
}
