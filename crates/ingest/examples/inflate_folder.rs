//! Inflates every zip of a folder and forgets what comes out: what reading archives costs
//! without scanning (bar D3). `inflate_folder FOLDER`

#![expect(clippy::print_stdout, reason = "a measuring tool prints")]

use leakgraph_ingest::{Limits, TextContext, TextSink, discover, texts};
use std::io::{self, Read};

struct Count(u64);

impl TextSink for Count {
    fn text(&mut self, _context: &TextContext, bytes: &[u8]) {
        self.0 += bytes.len() as u64;
    }

    fn stream(&mut self, _context: &TextContext, reader: &mut dyn Read) -> io::Result<()> {
        let mut buffer = vec![0; 256 << 10];
        loop {
            match reader.read(&mut buffer)? {
                0 => return Ok(()),
                count => self.0 += count as u64,
            }
        }
    }

    fn fingerprint(&mut self, _value: &[u8]) -> Option<String> {
        None
    }
}

fn main() {
    let limits = Limits::default();
    let paths: Vec<_> = std::env::args().skip(1).map(Into::into).collect();
    let (items, _) = discover(&paths, &limits);
    let mut count = Count(0);
    let problems: usize = items.iter().map(|item| texts(item, &limits, &mut count).len()).sum();
    println!("{} items, {:.1} MB, {problems} problems", items.len(), count.0 as f64 / 1e6);
}
