//! Tables of the generic schema in CSV, JSON and Parquet. What is expected is what
//! `docs/generic-schema.md` promises.

use crate::support::{Inputs, Texts, problem, read_path};
use arrow_array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use leakgraph_ingest::{Limits, discover, explain};
use leakgraph_model::tables::{Approval, Handoff, Job, Run, Step, job_key, run_key};
use leakgraph_model::{Evidence, Key, Row, Timestamp};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::WriterProperties;
use proptest::prelude::*;
use std::sync::Arc;

/// Reads one file; the neighbour's rows are taken out.
pub(crate) fn read(name: &str, bytes: impl AsRef<[u8]>) -> (Evidence, Texts) {
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).expect("write");
    read_path(&path)
}

pub(crate) fn reasons<'e>(evidence: &'e Evidence, code: &str) -> Vec<&'e str> {
    evidence.problems.iter().filter(|row| row.code == code).map(|row| row.reason.as_str()).collect()
}

fn parquet_with(batch: &RecordBatch, properties: WriterProperties) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).expect("a writer");
    writer.write(batch).expect("rows");
    writer.close().expect("a file");
    bytes
}

pub(crate) fn parquet(batch: &RecordBatch) -> Vec<u8> {
    parquet_with(batch, WriterProperties::builder().set_compression(Compression::SNAPPY).build())
}

pub(crate) fn texts_batch(columns: &[(&str, &[&str])]) -> RecordBatch {
    let fields: Vec<Field> =
        columns.iter().map(|(name, _)| Field::new(*name, DataType::Utf8, true)).collect();
    let arrays = columns.iter().map(|(_, values)| Arc::new(StringArray::from(values.to_vec())) as ArrayRef);
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays.collect()).expect("a batch")
}

/// The fenced blocks of a language on the page.
fn examples(language: &str) -> Vec<&'static str> {
    let page = include_str!("../../../../docs/generic-schema.md");
    let fence = format!("```{language}\n");
    page.split(&fence).skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

#[test]
fn the_examples_of_the_page_are_read_without_a_problem() {
    let folder = tempfile::TempDir::new().unwrap();
    for (index, example) in examples("csv").iter().chain(&examples("json")).enumerate() {
        std::fs::write(folder.path().join(index.to_string()), example).unwrap();
    }
    let (mut evidence, texts) = read_path(folder.path());
    assert_eq!(evidence.problems, []);
    leakgraph_ingest::link(&mut evidence);
    let parent = run_key("buildbot", "acme/api", "4711", 1);
    let child = run_key("buildbot", "acme/deploy", "4712", 1);
    let runs: Vec<_> = evidence.runs.iter().map(|run| run.run_key).collect();
    assert_eq!(runs, [parent]);
    assert_eq!(evidence.runs[0].actor.as_deref(), Some("ada"));
    let [job] = evidence.jobs.as_slice() else { panic!("{:?}", evidence.jobs) };
    assert_eq!((job.job_key, job.has_log), (job_key(parent, "build"), true));
    assert_eq!(
        (job.labels.as_slice(), job.conclusion.as_deref()),
        (&["linux".to_owned(), "x64".to_owned()][..], Some("success"))
    );
    let [handoff] = evidence.handoffs.as_slice() else { panic!("{:?}", evidence.handoffs) };
    assert_eq!((handoff.parent_run_key, handoff.child_run_key), (Some(parent), Some(child)));
    assert_eq!((handoff.parent_job_key, handoff.crosses.as_str()), (Some(job.job_key), "repo"));
    assert_eq!((handoff.link_method.as_str(), handoff.confidence), ("explicit_id", 1.0));
    let [input] = evidence.handoff_inputs.as_slice() else { panic!("{:?}", evidence.handoff_inputs) };
    assert_eq!((input.handoff_key, input.value_class.as_str()), (handoff.handoff_key, "version"));
    assert_eq!((texts.count("make: done"), texts.count("v1.2.3")), (1, 1));
}

#[test]
fn rows_of_a_lake_come_back_as_they_were() {
    let at = Timestamp::parse("2026-10-01T10:00:00.123456Z");
    let run = Run {
        run_key: Key::of("run", &["own"]),
        platform: "argo".to_owned(),
        attempt: Some(2),
        from_fork: Some(false),
        created_at: at,
        evidence: "rest".to_owned(),
        ..Run::default()
    };
    let job = Job {
        job_key: Key::of("job", &["own"]),
        run_key: run.run_key,
        name: "b".to_owned(),
        labels: vec!["x;y".to_owned()],
        evidence: "log".to_owned(),
        ..Job::default()
    };
    let step = Step {
        step_key: Key::of("step", &["own"]),
        job_key: job.job_key,
        ordinal: 3,
        name: "s".to_owned(),
        kind: "action".to_owned(),
        attribution: "file".to_owned(),
        ..Step::default()
    };
    let handoff = Handoff {
        handoff_key: Key::of("handoff", &["own"]),
        parent_run_key: Some(run.run_key),
        mechanism: "artifact".to_owned(),
        credential_kind: "none".to_owned(),
        crosses: "org".to_owned(),
        link_method: "cause".to_owned(),
        confidence: 0.25,
        gate: "passed".to_owned(),
        evidence: "log".to_owned(),
        ..Handoff::default()
    };
    let approval = Approval {
        run_key: run.run_key,
        reviewer_kind: "bot".to_owned(),
        state: "approved".to_owned(),
        self_review: Some(true),
        decided_at: at,
        ..Approval::default()
    };
    fn back<R: Row>(row: &R) -> Evidence {
        let (evidence, _) = read("any", parquet(&R::to_batch(std::slice::from_ref(row)).unwrap()));
        assert_eq!(evidence.problems, []);
        evidence
    }
    let source = |evidence: &Evidence| evidence.source_files[0].source_key;
    let read = back(&run);
    assert_eq!(read.runs, [Run { source_key: source(&read), ..run }]);
    let read = back(&job);
    assert_eq!(read.jobs, [Job { source_key: source(&read), ..job }]);
    let read = back(&step);
    assert_eq!(read.steps, [Step { source_key: source(&read), ..step }]);
    let read = back(&handoff);
    assert_eq!(read.handoffs, [Handoff { source_key: source(&read), ..handoff }]);
    let read = back(&approval);
    assert_eq!(read.approvals, [Approval { source_key: source(&read), ..approval }]);
}

#[test]
fn one_table_in_three_formats_is_the_same_evidence() {
    let columns: [(&str, &[&str]); 5] = [
        ("platform", &["woodpecker", "woodpecker"]),
        ("repo", &["Acme/Api", "acme/api"]),
        ("platform_run_id", &["9", "9"]),
        ("name", &["build", "test, unit"]),
        ("started_at", &["2026-10-01T10:00:00Z", "2026-10-01 12:05:00+02:00"]),
    ];
    let mut csv = String::from("\u{feff}platform\trepo\tplatform_run_id\tname\tstarted_at\r\n");
    let mut json = String::new();
    for row in 0..2 {
        let cells: Vec<&str> = columns.iter().map(|(_, values)| values[row]).collect();
        csv.push_str(&format!("{}\r\n", cells.join("\t")));
        let mut object = serde_json::Map::from_iter([("leakgraph_schema".to_owned(), "jobs".into())]);
        object.extend(columns.iter().map(|(name, values)| ((*name).to_owned(), values[row].into())));
        json.push_str(&format!("{}\n", serde_json::Value::Object(object)));
    }
    let zstd = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default())).build();
    let all = [
        read("a.tsv", &csv).0,
        read("b.ndjson", &json).0,
        read("c", parquet(&texts_batch(&columns))).0,
        read("d", parquet_with(&texts_batch(&columns), zstd)).0,
    ];
    for evidence in all {
        assert_eq!(evidence.problems, []);
        let run = run_key("woodpecker", "acme/api", "9", 1);
        assert_eq!(evidence.runs.len(), 1, "one run whatever its case");
        let jobs: Vec<_> = evidence.jobs.iter().map(|job| (job.job_key, job.started_at)).collect();
        let at = |text: &str| Timestamp::parse(text);
        let wanted = [
            (job_key(run, "build"), at("2026-10-01T10:00:00Z")),
            (job_key(run, "test, unit"), at("2026-10-01T10:05:00Z")),
        ];
        assert_eq!(jobs, wanted);
    }
}

#[test]
fn what_is_wrong_is_named_and_the_rest_is_imported() {
    let csv = "leakgraph_schema,platform,platform_run_id,name,colour,started_at\n\
        jobs,p,1,build,red,yesterday\njobs,p,,test,,\nsteps,p,1,x,,\npets,p,1,rex,,\n,p,1,x,,\njobs,p,2\n";
    let (evidence, texts) = read("any.csv", csv);
    assert_eq!(evidence.jobs.iter().map(|job| job.name.as_str()).collect::<Vec<_>>(), ["build"]);
    assert_eq!(
        reasons(&evidence, "unknown_column"),
        ["columns that jobs of the generic schema do not have: colour"]
    );
    assert_eq!(
        reasons(&evidence, "missing_column"),
        [
            "1 of 3 rows of jobs lack name, first row 6",
            "1 of 3 rows of jobs lack run_key or platform_run_id, first row 2",
            "1 of 1 rows of steps lack job_key or job, first row 3",
        ]
    );
    assert_eq!(
        reasons(&evidence, "mistyped"),
        ["jobs.started_at is no time with an offset (RFC 3339) in 1 of 3 rows, first row 1"]
    );
    assert!(reasons(&evidence, "unknown_table")[0].starts_with("1 rows of `pets`"));
    assert_eq!(reasons(&evidence, "unrecognised"), ["1 of 6 rows do not say which table they are of"]);
    assert_eq!(reasons(&evidence, "malformed_csv"), ["1 records have fewer cells than the header"]);
    // What is no column of ours may hold a secret all the same.
    assert_eq!((texts.count("colour: red"), texts.count("rex")), (1, 1));
}

#[test]
fn lines_of_a_job_are_one_text_once() {
    let rows = ["-----BEGIN X-----", "AAAA", "-----END X-----"];
    let mut json = String::new();
    for (at, line) in rows.iter().enumerate() {
        for job in ["a", "b"] {
            let text = format!("{line} of {job}");
            json.push_str(&format!(
                "{{\"leakgraph_schema\":\"logs\",\"platform\":\"p\",\"platform_run_id\":7,\"job\":\"{job}\",\"step_number\":{at},\"at\":\"2026-10-01T10:00:0{at}Z\",\"text\":\"{text}\"}}\n"
            ));
        }
    }
    let (evidence, texts) = read("any.json", json);
    assert_eq!(evidence.problems, []);
    assert_eq!((texts.0.len(), texts.count("AAAA of a")), (2, 1));
    let (context, bytes) = &texts.0[0];
    assert_eq!(bytes, b"-----BEGIN X----- of a\nAAAA of a\n-----END X----- of a\n");
    assert!(context.path.ends_with("any.json!/logs/p//7/1/a"), "{}", context.path);
    let run = run_key("p", "", "7", 1);
    assert_eq!((context.run_key, context.job_key), (Some(run), Some(job_key(run, "a"))));
    let marks: Vec<_> = context.marks.iter().map(|mark| (mark.offset, mark.at)).collect();
    assert_eq!(marks[2], (33, Timestamp::parse("2026-10-01T10:00:02Z")));
    assert!(evidence.jobs.iter().all(|job| job.has_log) && evidence.jobs.len() == 2);
}

#[test]
fn broken_json_is_read_up_to_the_break_and_scanned_beyond() {
    let json = "{\"leakgraph_schema\":\"runs\",\"platform\":\"p\",\"platform_run_id\":\"1\",\"actor\":\"ada\"}\n{\"leakgraph_schema\":\"runs\", \"actor\":\"bob\" \"x\"}\nrest\n";
    let (evidence, texts) = read("any.json", json);
    assert_eq!(evidence.runs.len(), 1);
    assert!(problem(&evidence, "any.json", "malformed_json").offset.is_some());
    assert_eq!((texts.count("ada"), texts.count("bob"), texts.count("rest")), (1, 1, 1));
    let wrapped = r#"[{"leakgraph_schema":"runs/1","rows":[{"platform":"p","platform_run_id":"1"},{"platform":"p","platform_run_id":"2"}]}]"#;
    let (evidence, _) = read("any.json", wrapped);
    assert_eq!((evidence.runs.len(), evidence.problems.len()), (2, 0));
}

#[test]
fn other_files_are_not_ours() {
    let foreign = [
        ("a.csv", "name,status,platform\nx,ok,linux\n"),
        ("b.json", r#"{"about": {"leakgraph_schema": "jobs"}, "platform": "p"}"#),
        ("c.txt", "PAR1 is a magic number\n"),
        ("d.log", "the run_id is 7, the job_key is not\nplatform,platform_run_id\n"),
        ("e.json", r#"{"leakgraph_schema": 3}"#),
    ];
    for (name, text) in foreign {
        let (evidence, texts) = read(name, text);
        assert!(evidence.source_files.iter().all(|file| file.platform != "generic"), "{name}");
        assert_eq!(texts.0.len(), 1, "{name} is scanned once");
    }
    let inputs = Inputs::new();
    let path = inputs.add("any", examples("csv")[0]);
    let (items, _) = discover(&[path], &Limits::default());
    let (recognised, _) = explain(&items[0], &Limits::default(), &mut Texts::default());
    assert_eq!((recognised[0].platform, recognised[0].kind), ("generic", "generic_csv"));
}

#[test]
fn parquet_of_no_table_is_scanned_and_named() {
    let (evidence, texts) =
        read("any", parquet(&texts_batch(&[("message", &["token here"]), ("n", &["1"])])));
    let problem = problem(&evidence, "any", "unrecognised");
    assert!(problem.reason.ends_with("columns message, n"), "{}", problem.reason);
    assert_eq!(texts.count("message: token here"), 1);
}

fn logs_batch(rows: usize, text: &str) -> RecordBatch {
    let text: ArrayRef = Arc::new(StringArray::from_iter_values(std::iter::repeat_n(text, rows)));
    let numbers: ArrayRef = Arc::new(Int32Array::from_iter_values(std::iter::repeat_n(1, rows)));
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(std::iter::repeat_n(7, rows)));
    let platform: ArrayRef = Arc::new(StringArray::from_iter_values(std::iter::repeat_n("p", rows)));
    RecordBatch::try_from_iter([
        ("platform", platform),
        ("platform_run_id", ids),
        ("step_number", numbers),
        ("text", text),
    ])
    .expect("a batch")
}

#[test]
fn parquet_that_holds_far_more_than_its_bytes_is_cut() {
    // Equal rows are a file of a few kilobytes: 20 MB of text.
    let bytes = parquet(&logs_batch(100_000, &"x".repeat(200)));
    assert!(bytes.len() < 20_000, "{} bytes", bytes.len());
    let (evidence, texts) = read("any", &bytes);
    problem(&evidence, "any", "ratio_exceeded");
    let read: usize = texts.0.iter().map(|(_, text)| text.len()).sum();
    assert!(read > 100_000 && read < 5 << 20, "{read} bytes");
}

#[test]
fn parquet_that_is_not_read_says_why() {
    let batch = logs_batch(3, "x");
    let gzip =
        WriterProperties::builder().set_dictionary_enabled(false).set_encoding(Encoding::DELTA_BYTE_ARRAY);
    let (evidence, _) =
        read("any", parquet_with(&texts_batch(&[("run_key", &["x"]), ("platform", &["p"])]), gzip.build()));
    problem(&evidence, "any", "unsupported_encoding");
    let whole = parquet(&batch);
    let (evidence, _) = read("any", &whole[..whole.len() - 1]);
    assert!(problem(&evidence, "any", "malformed_parquet").reason.contains("footer"));
    let mut encrypted = whole.clone();
    let end = encrypted.len();
    encrypted[end - 4..].copy_from_slice(b"PARE");
    let (evidence, _) = read("any", &encrypted);
    problem(&evidence, "any", "encrypted");
    let mut long = whole;
    long[end - 8..end - 4].copy_from_slice(&u32::MAX.to_le_bytes());
    let (evidence, _) = read("any", &long);
    problem(&evidence, "any", "too_large");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_damage_to_parquet_is_survived(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        in_footer in any::<bool>(),
        is_plain in any::<bool>(),
    ) {
        let properties = WriterProperties::builder()
            .set_compression(if is_plain { Compression::UNCOMPRESSED } else { Compression::SNAPPY })
            .set_dictionary_enabled(!is_plain);
        let mut bytes = parquet_with(&logs_batch(20, "some text"), properties.build());
        let (start, end) = if in_footer { (bytes.len() / 3, bytes.len() - 4) } else { (4, bytes.len() - 8) };
        for (at, byte) in changes {
            let at = start + at.index(end - start);
            bytes[at] = byte;
        }
        let (evidence, texts) = read("any", &bytes);
        prop_assert_eq!(evidence.source_files.len(), 1);
        prop_assert!(!texts.0.is_empty() || !evidence.problems.is_empty());
    }

    #[test]
    fn any_rows_are_read(cells in proptest::collection::vec(proptest::collection::vec("[a-z0-9\",;\n:-]{0,8}", 0..8), 0..8)) {
        let mut csv = String::from("leakgraph_schema,platform,platform_run_id,attempt,job,name,number,text\n");
        for row in &cells {
            csv.push_str(&format!("{}\n", row.join(",")));
        }
        let (evidence, _) = read("any", csv);
        prop_assert_eq!(&evidence.source_files[0].kind, "generic_csv");
    }
}
