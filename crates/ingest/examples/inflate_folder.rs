//! Inflates every zip of a folder with zlib-rs and forgets what comes out: what reading
//! archives costs without scanning (bar D3). `inflate_folder FOLDER`

#![expect(clippy::print_stdout, clippy::disallowed_types, reason = "a measuring tool")]

use leakgraph_ingest::{Limits, discover};
use std::fs::File;
use std::io::{BufReader, Read};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let paths: Vec<_> = std::env::args().skip(1).map(Into::into).collect();
    let (items, _) = discover(&paths, &Limits::default());
    let (mut members, mut bytes) = (0, 0);
    let mut buffer = vec![0; 256 << 10];
    for item in &items {
        let mut archive = zip::ZipArchive::new(BufReader::new(File::open(&item.path)?))?;
        for index in 0..archive.len() {
            let mut member = archive.by_index(index)?;
            loop {
                match member.read(&mut buffer)? {
                    0 => break,
                    count => bytes += count,
                }
            }
            members += 1;
        }
    }
    println!("{members} members, {:.1} MB", bytes as f64 / 1e6);
    Ok(())
}
