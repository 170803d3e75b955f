//! Archives made to break readers: each costs a problem, never its neighbours.

use crate::support::{Inputs, gzipped, job_log, problem, read_all, zipped};
use leakgraph_ingest::Limits;

/// A zip with one job log, nested `depth` times in further zips.
fn nested(depth: usize, name: &str) -> Vec<u8> {
    (0..depth).fold(zipped(&[("job.log", job_log(name))]), |inner, level| {
        zipped(&[(format!("level{level}.zip"), inner)])
    })
}

#[test]
fn a_truncated_zip_is_a_bad_archive() {
    let whole = zipped(&[("0_build.txt", job_log("build")), ("build/system.txt", "x".repeat(5_000))]);
    for keep in [4, 30, whole.len() / 2, whole.len() - 1] {
        let inputs = Inputs::new();
        inputs.add("cut.zip", &whole[..keep]);
        let (evidence, _) = inputs.read(&Limits::default());
        assert!(problem(&evidence, "cut.zip", "bad_archive").lossy, "after {keep} bytes");
    }
}

#[test]
fn a_damaged_member_does_not_cost_the_others() {
    let mut bytes = zipped(&[("first.log", job_log("first")), ("second.log", job_log("second"))]);
    // Into the deflated bytes of the first member, behind its 39 bytes of header.
    for byte in bytes.iter_mut().skip(60).take(20) {
        *byte ^= 0xa5;
    }
    let inputs = Inputs::new();
    inputs.add("damaged.zip", bytes);
    let (evidence, _) = inputs.read(&Limits::default());
    assert!(problem(&evidence, "damaged.zip!/first.log", "truncated").lossy);
    assert!(evidence.jobs.iter().any(|job| job.name == "second"));
}

#[test]
fn member_names_are_data_and_write_nothing() {
    let names =
        ["../../escaped.log", "/tmp/absolute.log", "a/../../b.log", "C:\\drive.log", "nul\u{0}byte.log"];
    let members: Vec<_> = names.iter().map(|name| (*name, job_log(&format!("job of {name}")))).collect();
    let inputs = Inputs::new();
    let path = inputs.add("deep/er/traversal.zip", zipped(&members));
    let (evidence, _) = inputs.read(&Limits::default());
    for name in names {
        assert!(evidence.jobs.iter().any(|job| job.name == format!("job of {name}")), "{name} was not read");
        let member = format!("{}!/{name}", path.display());
        assert!(evidence.source_files.iter().any(|row| row.path == member), "{member} has no row");
    }
    let left = crate::support::files_below(inputs.path());
    assert_eq!(left.len(), 2, "only what the test wrote: {left:?}");
}

#[test]
fn traversal_names_of_run_archives_are_data_too() {
    let inputs = Inputs::new();
    let members =
        [("../1_Set up job.txt", job_log("build")), ("/system.txt", "Requested labels: x".to_owned())];
    inputs.add("run.zip", zipped(&members));
    let (evidence, texts) = inputs.read(&Limits::default());
    assert!(evidence.jobs.iter().any(|job| job.name == "build"));
    assert_eq!(texts.count("Requested labels: x"), 1);
    assert_eq!(crate::support::files_below(inputs.path()).len(), 2);
}

#[test]
fn inflation_beyond_the_ratio_is_stopped() {
    let inputs = Inputs::new();
    inputs.add(
        "bomb.zip",
        zipped(&[("zeros.txt", vec![b'0'; 8 << 20]), ("after.log", job_log("after").into_bytes())]),
    );
    inputs.add("bomb.gz", gzipped(&vec![b'0'; 8 << 20]));
    let limits = Limits { max_ratio: 50, ..Limits::default() };
    let (evidence, texts) = inputs.read(&limits);
    assert!(problem(&evidence, "bomb.zip!/zeros.txt", "ratio_exceeded").offset.is_some());
    assert!(problem(&evidence, "bomb.gz", "ratio_exceeded").lossy);
    assert!(evidence.jobs.iter().any(|job| job.name == "after"), "the next member is read");
    assert!(texts.0.iter().all(|(_, bytes)| bytes.len() < 4 << 20), "the rest was never inflated");
}

#[test]
fn members_and_streams_beyond_their_size_are_cut() {
    let inputs = Inputs::new();
    let long = format!("{}{}", job_log("long"), "more\n".repeat(10_000));
    inputs.add("long.zip", zipped(&[("long.log", &long)]));
    inputs.add("long.gz", gzipped(long.as_bytes()));
    let limits = Limits { max_entry_bytes: 40_000, ..Limits::default() };
    let (evidence, texts) = inputs.read(&limits);
    assert!(problem(&evidence, "long.zip!/long.log", "too_large").lossy);
    assert!(problem(&evidence, "long.gz", "too_large").lossy);
    let kept = |name: &str| {
        texts.0.iter().find(|(context, _)| context.path.ends_with(name)).expect("its head").1.len()
    };
    assert_eq!((kept("long.log"), kept("long.gz")), (40_000, 40_000), "what fits is read");
}

#[test]
fn the_whole_archive_has_a_budget() {
    // Members that stay below their own limit, and ones that are cut at it, count alike.
    for (member_bytes, entry_limit) in [(30_000, 1 << 20), (30_000, 20_000)] {
        let inputs = Inputs::new();
        let members: Vec<_> =
            (0..50).map(|index| (format!("{index}.md"), "line\n".repeat(member_bytes / 5))).collect();
        inputs.add("many.zip", zipped(&members));
        let limits = Limits { max_archive_bytes: 100_000, max_entry_bytes: entry_limit, ..Limits::default() };
        let (evidence, texts) = inputs.read(&limits);
        let stop = evidence.problems.iter().find(|row| row.reason.contains("as a whole")).expect("a problem");
        assert_eq!((stop.code.as_str(), stop.lossy), ("too_large", true));
        let kept: usize = texts
            .0
            .iter()
            .filter(|(context, _)| context.path.contains("many.zip"))
            .map(|(_, b)| b.len())
            .sum();
        assert!(kept <= 100_000, "{kept} bytes were kept with members of at most {entry_limit}");
    }
}

#[test]
fn members_beyond_the_count_are_said() {
    let members: Vec<_> =
        (0..20).map(|index| (format!("{index}.log"), job_log(&format!("job {index}")))).collect();
    let inputs = Inputs::new();
    inputs.add("crowd.zip", zipped(&members));
    let limits = Limits { max_entries: 5, ..Limits::default() };
    let (evidence, _) = inputs.read(&limits);
    let problem = problem(&evidence, "crowd.zip", "too_large");
    assert!(problem.reason.contains("20") && problem.reason.contains('5'), "{}", problem.reason);
    assert_eq!(evidence.jobs.len(), 6, "five of them, and the neighbour");
}

#[test]
fn nesting_is_read_up_to_its_depth() {
    let inputs = Inputs::new();
    for depth in 0..5 {
        inputs.add(&format!("nested{depth}.zip"), nested(depth, &format!("job at {depth}")));
    }
    let (evidence, _) = inputs.read(&Limits { max_depth: 3, ..Limits::default() });
    for depth in 0..5 {
        let read = evidence.jobs.iter().any(|job| job.name == format!("job at {depth}"));
        assert_eq!(read, depth < 3, "{} zips around a log", depth + 1);
        let said = evidence
            .problems
            .iter()
            .any(|row| row.code == "too_deep" && row.path.contains(&format!("nested{depth}.zip!/")));
        assert_eq!(said, depth >= 3, "{} zips around a log", depth + 1);
    }
}

#[test]
fn depth_is_the_same_for_every_sibling() {
    // Bad siblings must neither use up the depth of good ones nor add to it.
    let members = [
        ("bad1.zip", b"PK\x03\x04 nothing".to_vec()),
        ("bad2.zip", b"PK\x03\x04 nothing".to_vec()),
        ("early.zip", nested(1, "just in time")),
        ("deep1.zip", nested(4, "too deep 1")),
        ("bad3.zip", b"PK\x03\x04 nothing".to_vec()),
        ("deep2.zip", nested(4, "too deep 2")),
        ("deep3.zip", nested(2, "too deep 3")),
        ("good.zip", nested(1, "just right")),
    ];
    let inputs = Inputs::new();
    inputs.add("family.zip", zipped(&members));
    let (evidence, _) = inputs.read(&Limits { max_depth: 3, ..Limits::default() });
    let jobs: Vec<_> = evidence.jobs.iter().map(|job| job.name.as_str()).collect();
    assert_eq!(jobs, ["just in time", "just right", "neighbour-job"]);
    for bad in ["bad1.zip", "bad2.zip", "bad3.zip"] {
        assert!(problem(&evidence, &format!("family.zip!/{bad}"), "bad_archive").lossy);
    }
    assert_eq!(evidence.problems.iter().filter(|row| row.code == "too_deep").count(), 3);
}

#[test]
fn siblings_of_a_zip_that_is_too_deep_stay_too_deep() {
    // Each refused zip must not make room for the next.
    let hidden = (0..6).map(|index| (format!("{index}.zip"), nested(0, "hidden"))).collect::<Vec<_>>();
    let inputs = Inputs::new();
    inputs.add("outer.zip", zipped(&hidden));
    let (evidence, _) = inputs.read(&Limits { max_depth: 1, ..Limits::default() });
    assert_eq!(evidence.jobs.len(), 1, "only the neighbour");
    assert_eq!(evidence.problems.iter().filter(|row| row.code == "too_deep").count(), 6);
}

#[test]
fn a_truncated_gzip_gives_what_it_holds() {
    let log = format!("{}{}", job_log("cut"), (0..5_000).map(|n| format!("line {n}\n")).collect::<String>());
    let packed = gzipped(log.as_bytes());
    let inputs = Inputs::new();
    inputs.add("cut.log.gz", &packed[..packed.len() * 3 / 4]);
    inputs.add("head.gz", &packed[..12]);
    let (evidence, texts) = inputs.read(&Limits::default());
    let problem_row = problem(&evidence, "cut.log.gz", "truncated");
    assert!(problem_row.offset.is_some_and(|offset| offset > 0), "where it ends");
    assert!(evidence.jobs.iter().any(|job| job.name == "cut"), "its head is read");
    assert!(texts.count("line 100\n") > 0);
    assert!(problem(&evidence, "head.gz", "truncated").lossy);
}

#[test]
fn an_empty_zip_loses_nothing() {
    let inputs = Inputs::new();
    inputs.add("empty.zip", zipped::<&str, &[u8]>(&[]));
    let (evidence, _) = inputs.read(&Limits::default());
    assert!(evidence.problems.iter().all(|row| !row.lossy));
    assert_eq!(evidence.jobs.len(), 1);
}

#[test]
fn a_zip_inside_a_gzip_is_not_lost_in_silence() {
    let inputs = Inputs::new();
    inputs.add("logs.zip.gz", gzipped(&zipped(&[("job.log", job_log("inside"))])));
    let (evidence, _) = inputs.read(&Limits::default());
    let read = evidence.jobs.iter().any(|job| job.name == "inside");
    let said = evidence.problems.iter().any(|row| row.path.contains("logs.zip.gz") && row.lossy);
    assert!(read || said, "{:#?}", evidence.problems);
}

#[test]
fn limits_are_those_of_one_input() {
    // The budget of one archive is not spent by another.
    let inputs = Inputs::new();
    for name in ["a.zip", "b.zip", "c.zip"] {
        inputs.add(name, zipped(&[("job.log", job_log(name))]));
    }
    let limits = Limits { max_archive_bytes: 2_000, ..Limits::default() };
    let (evidence, _) = read_all(inputs.path(), &limits);
    assert_eq!(evidence.problems, []);
    assert_eq!(evidence.jobs.len(), 4);
}

/// Changes the directory entry of a member: offsets are those of its signature.
fn patched(mut zip: Vec<u8>, member: usize, change: impl Fn(&mut [u8])) -> Vec<u8> {
    let starts: Vec<usize> =
        (0..zip.len().saturating_sub(4)).filter(|at| zip[*at..].starts_with(b"PK\x01\x02")).collect();
    change(&mut zip[starts[member]..]);
    zip
}

#[test]
fn an_encrypted_member_is_said_and_the_next_is_read() {
    let mut zip = zipped(&[("locked.log", job_log("locked")), ("open.log", job_log("open"))]);
    // Bit 0 of the flags, in the member's own header and in the directory.
    zip[6] |= 1;
    let zip = patched(zip, 0, |entry| entry[8] |= 1);
    let inputs = Inputs::new();
    inputs.add("locked.zip", zip);
    let (evidence, _) = inputs.read(&Limits::default());
    assert!(problem(&evidence, "locked.zip", "bad_archive").reason.contains("member 0"));
    let jobs: Vec<_> = evidence.jobs.iter().map(|job| job.name.as_str()).collect();
    assert_eq!(jobs, ["open", "neighbour-job"]);
}

#[test]
fn overlapping_members_are_a_bomb() {
    let zip = zipped(&[("a.log", job_log("a")), ("b.log", job_log("b"))]);
    // Both members are said to begin where the first does.
    let zip = patched(zip, 1, |entry| entry[42..46].fill(0));
    let inputs = Inputs::new();
    inputs.add("overlap.zip", zip);
    let (evidence, _) = inputs.read(&Limits::default());
    assert!(problem(&evidence, "overlap.zip", "bad_archive").reason.contains("overlap"));
    assert_eq!(evidence.jobs.len(), 1, "the neighbour");
}

#[test]
fn sizes_are_measured_not_believed() {
    let text = "line\n".repeat(20_000);
    let zip = zipped(&[("liar.md", text.as_bytes())]);
    // The directory says that the member inflates to ten bytes.
    let zip = patched(zip, 0, |entry| entry[24..28].copy_from_slice(&10_u32.to_le_bytes()));
    let inputs = Inputs::new();
    inputs.add("liar.zip", zip);
    let (evidence, texts) = inputs.read(&Limits { max_entry_bytes: 50_000, ..Limits::default() });
    assert!(evidence.problems.iter().any(|row| row.path.contains("liar.zip") && row.lossy));
    assert!(texts.0.iter().all(|(_, bytes)| bytes.len() <= 50_000));
}

#[test]
fn streams_of_several_members_and_zipped_streams_are_read_whole() {
    let event =
        r#"{"eventSource": "s3.amazonaws.com", "eventName": "GetObject", "userIdentity": {"type": "Root"}}"#;
    let two = [gzipped(event.as_bytes()), gzipped(event.as_bytes())].concat();
    let inputs = Inputs::new();
    inputs.add("trail.json.gz", &two);
    inputs.add("trails.zip", zipped(&[("a.json.gz", &two), ("b/c.json.gz", &two)]));
    let (evidence, _) = inputs.read(&Limits::default());
    assert_eq!(evidence.problems, []);
    assert_eq!(evidence.activity.iter().map(|row| row.calls).sum::<i64>(), 6);
}
