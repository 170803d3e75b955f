//! What `scan` reads: every text, as a stream, and what could not be read.

use super::support::{Texts, gzipped as gzip, zipped};
use leakgraph_ingest::{Limits, discover, texts};
use leakgraph_model::tables::Problem;

fn read(name: &str, bytes: &[u8], limits: &Limits) -> (Vec<(String, Vec<u8>)>, Vec<Problem>) {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join(name), bytes).expect("a file");
    let (items, _) = discover(&[folder.path().to_owned()], limits);
    let mut sink = Texts::default();
    let problems = texts(&items[0], limits, &mut sink);
    let prefix = format!("{}/", folder.path().display());
    let seen = sink.0.into_iter();
    (seen.map(|(context, bytes)| (context.path.replace(&prefix, ""), bytes)).collect(), problems)
}

#[test]
fn archives_in_archives_are_read_to_the_last_text() {
    let inner = zipped(&[("c.log", b"third")]);
    let outer = zipped(&[
        ("a.log", b"first".to_vec()),
        ("b.gz", gzip(b"second")),
        ("in.zip", inner),
        ("d", Vec::new()),
    ]);
    let (seen, problems) = read("logs.zip", &outer, &Limits::default());
    let seen: Vec<(&str, &[u8])> =
        seen.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice())).collect();
    let expected: [(&str, &[u8]); 4] = [
        ("logs.zip!/a.log", b"first"),
        ("logs.zip!/d", b""),
        ("logs.zip!/b.gz", b"second"),
        ("logs.zip!/in.zip!/c.log", b"third"),
    ];
    assert_eq!((seen.as_slice(), problems.as_slice()), (expected.as_slice(), [].as_slice()));
}

#[test]
fn what_is_damaged_or_too_large_is_read_as_far_as_it_goes() {
    let text = b"a line of a log that is not much like the one before\n".repeat(40);
    let whole = gzip(&text);
    let (seen, problems) = read("cut.gz", &whole[..whole.len() - 12], &Limits::default());
    assert_eq!((seen.len(), problems[0].code.as_str()), (1, "truncated"));
    let limits = Limits { max_entry_bytes: 1000, ..Limits::default() };
    let (seen, problems) = read("large.gz", &whole, &limits);
    assert_eq!((seen[0].1.len(), problems[0].code.as_str()), (1000, "too_large"));
    let (seen, problems) = read("large.zip", &zipped(&[("a", text.as_slice()), ("b", b"small")]), &limits);
    assert_eq!((seen[0].1.len(), seen[1].1.as_slice()), (1000, b"small".as_slice()));
    assert_eq!((problems.len(), problems[0].path.ends_with("large.zip!/a")), (1, true));
    let bomb = gzip(&vec![0; 8 << 20]);
    let (seen, problems) = read("bomb.gz", &bomb, &Limits::default());
    assert_eq!(problems[0].code, "ratio_exceeded");
    assert!(seen[0].1.len() < 3 << 20);
}
