//! Texts of any size, read piece by piece.
//!
//! Pieces share [`SHARED_BYTES`], more than any secret is long. A secret counts in the
//! piece where it begins before the middle of what two pieces share, so that both have the
//! lines around it.

use crate::engine::lock;
use crate::view::Utf16;
use crate::{Gap, Scan, Worker};
use std::io::{self, Read};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Texts up to this size are scanned whole.
const PIECE_BYTES: usize = 16 << 20;
/// What neighbours share.
const SHARED_BYTES: usize = 512 << 10;
/// Pieces read ahead by all threads together.
const MAX_AHEAD: usize = 4;
const READ_BYTES: usize = 256 << 10;

/// Sizes that tests make small.
#[derive(Clone, Copy)]
pub(crate) struct Sizes {
    pub(crate) piece: usize,
    pub(crate) shared: usize,
    /// Pieces that other threads may have to scan at a time.
    pub(crate) ahead: usize,
}

impl Sizes {
    fn usual() -> Self {
        let threads = rayon::current_num_threads();
        // One more than other threads: what is next is read before one has nothing to do.
        let ahead = if threads > 1 { threads } else { 0 };
        Self { piece: PIECE_BYTES, shared: SHARED_BYTES, ahead }
    }
}

/// How far a text was read, in bytes and lines.
#[derive(Clone, Copy, Default)]
struct Place {
    /// Of the first byte in memory.
    offset: usize,
    line: usize,
    /// Sightings from here on are new.
    counted: usize,
}

impl Worker<'_> {
    /// Finds the secrets of all that `reader` gives, which `path` names to rules and
    /// exceptions, in memory that does not depend on its size. As [`Worker::scan_at`] for
    /// texts of up to 16 MB; larger ones are decoded within a budget of their own per piece,
    /// and rules of gitleaks files see pieces, too. UTF-16 is known by its first bytes.
    ///
    /// # Errors
    /// Those of `reader`; what was found before is lost.
    pub fn scan_stream(&mut self, path: &str, reader: &mut dyn Read) -> io::Result<Scan> {
        self.pieces(path, reader, Sizes::usual())
    }

    pub(crate) fn pieces(&mut self, path: &str, reader: &mut dyn Read, sizes: Sizes) -> io::Result<Scan> {
        // Kept from text to text: fresh memory costs more than reading into it.
        let mut bytes = std::mem::take(&mut self.state.piece);
        let result = self.pieces_in(&mut bytes, path, reader, sizes);
        self.state.piece = bytes;
        result
    }

    fn pieces_in(
        &mut self,
        bytes: &mut Vec<u8>,
        path: &str,
        reader: &mut dyn Read,
        sizes: Sizes,
    ) -> io::Result<Scan> {
        let (count, is_whole) = read_over(bytes, reader, sizes.piece)?;
        if is_whole {
            return Ok(self.scan_at(path, &bytes[..count]));
        }
        bytes.truncate(count);
        let Some(form) = Utf16::of(bytes) else { return self.narrow_pieces(bytes, path, reader, sizes) };
        let first = bytes.split_off(form.from);
        bytes.clear();
        let mut reader = Narrow { form, units: first.chain(reader), pair: Vec::new() };
        let mut scan = self.narrow_pieces(bytes, path, &mut reader, sizes)?;
        scan.widen(form.from, 2);
        Ok(scan)
    }

    /// The pieces of a text of one byte per character, the first of which are in `bytes`.
    /// This thread reads on while others scan, and scans, too, when they have enough to do.
    fn narrow_pieces(
        &mut self,
        bytes: &mut Vec<u8>,
        path: &str,
        reader: &mut dyn Read,
        sizes: Sizes,
    ) -> io::Result<Scan> {
        let scanner = self.scanner;
        let room = scanner.pieces.take(sizes.ahead);
        let (under_way, spare) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        let scans = Mutex::new(Vec::new());
        let (under_way, spare, scans) = (&under_way, &spare, &scans);
        rayon::in_place_scope(|scope| {
            let mut place = Place::default();
            loop {
                let is_last = fill(bytes, reader, sizes.piece)?;
                let piece = place.cut(bytes, lock(spare).pop().unwrap_or_default(), is_last, sizes);
                if !is_last && under_way.load(Ordering::Relaxed) < room.0 {
                    under_way.fetch_add(1, Ordering::Relaxed);
                    scope.spawn(move |_| {
                        let scan = piece.scanned(&mut scanner.worker(), path, spare);
                        lock(scans).push(scan);
                        under_way.fetch_sub(1, Ordering::Relaxed);
                    });
                } else {
                    let scan = piece.scanned(self, path, spare);
                    lock(scans).push(scan);
                }
                if is_last {
                    return io::Result::Ok(());
                }
            }
        })?;
        let mut scans = std::mem::take(&mut *lock(scans));
        scans.sort_by_key(|(bounds, _)| bounds.place.offset);
        let mut all = Scan::default();
        scans.into_iter().for_each(|(bounds, scan)| bounds.take(&mut all, scan));
        // Kept: fresh memory costs more than reading into it.
        *bytes = lock(spare).pop().unwrap_or_default();
        Ok(all)
    }
}

/// Part of a text.
struct Piece {
    bounds: Bounds,
    bytes: Vec<u8>,
    /// So much of the bytes is scanned.
    end: usize,
}

impl Piece {
    /// What the piece shows; its memory is left to others.
    fn scanned(self, worker: &mut Worker<'_>, path: &str, spare: &Mutex<Vec<Vec<u8>>>) -> (Bounds, Scan) {
        let scan = worker.scan_at(path, &self.bytes[..self.end]);
        lock(spare).push(self.bytes);
        (self.bounds, scan)
    }
}

/// Where a piece stands.
struct Bounds {
    place: Place,
    /// Sightings before here are of this piece.
    until: usize,
}

/// How many pieces may be in memory beside the one that every thread has.
pub(crate) struct Pieces(AtomicUsize);

impl Default for Pieces {
    fn default() -> Self {
        Self(AtomicUsize::new(MAX_AHEAD))
    }
}

impl Pieces {
    /// Room for up to `most` pieces, as long as it is kept.
    fn take(&self, most: usize) -> Room<'_> {
        let mut taken = 0;
        let result = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
            taken = left.min(most);
            Some(left - taken)
        });
        Room(if result.is_ok() { taken } else { 0 }, self)
    }
}

struct Room<'p>(usize, &'p Pieces);

impl Drop for Room<'_> {
    fn drop(&mut self) {
        self.1.0.fetch_add(self.0, Ordering::Relaxed);
    }
}

/// UTF-16 as one byte per unit.
struct Narrow<R> {
    form: Utf16,
    units: R,
    /// Bytes not yet given.
    pair: Vec<u8>,
}

impl<R: Read> Read for Narrow<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let wanted = (2 * out.len().min(READ_BYTES)).saturating_sub(self.pair.len());
        self.units.by_ref().take(wanted as u64).read_to_end(&mut self.pair)?;
        let whole = self.pair.len() & !1;
        out.iter_mut().zip(self.form.narrow(&self.pair[..whole])).for_each(|(to, byte)| *to = byte);
        self.pair.drain(..whole);
        Ok(whole / 2)
    }
}

impl Place {
    /// Cuts the next piece off `bytes`; what it shares with the one behind it stays there, in
    /// the memory that is `spare`.
    fn cut(&mut self, bytes: &mut Vec<u8>, mut spare: Vec<u8>, is_last: bool, sizes: Sizes) -> Piece {
        let place = *self;
        if is_last {
            let end = bytes.len();
            let bounds = Bounds { place, until: usize::MAX };
            return Piece { bounds, bytes: std::mem::take(bytes), end };
        }
        let end = line_end(bytes, sizes.shared);
        let from = line_start(bytes, end, sizes.shared);
        // What begins behind the middle of what is shared is the next piece's matter.
        let until = self.offset + (from + end) / 2;
        self.line += memchr::memchr_iter(b'\n', &bytes[..from]).count();
        self.offset += from;
        self.counted = until;
        spare.clear();
        spare.reserve_exact(sizes.piece + 1);
        spare.extend_from_slice(&bytes[from..]);
        Piece { bounds: Bounds { place, until }, bytes: std::mem::replace(bytes, spare), end }
    }
}

impl Bounds {
    fn take(&self, all: &mut Scan, scan: Scan) {
        let counts = |offset: usize| self.place.counted <= offset && offset < self.until;
        let Scan { sightings, suppressed, gaps } = scan;
        for mut seen in sightings {
            self.shift(&mut seen.offset, &mut seen.line);
            if counts(seen.offset) {
                all.sightings.push(seen);
            }
        }
        for mut one in suppressed {
            self.shift(&mut one.sighting.offset, &mut one.sighting.line);
            if counts(one.sighting.offset) {
                all.suppressed.push(one);
            }
        }
        all.gaps.extend(gaps.into_iter().map(|gap| Gap { offset: gap.offset + self.place.offset, ..gap }));
    }

    fn shift(&self, offset: &mut usize, line: &mut usize) {
        *offset += self.place.offset;
        *line += self.place.line;
    }
}

/// Reads over what `bytes` hold until there are more than `most` new ones: how many, and
/// whether the reader is at its end.
fn read_over(bytes: &mut Vec<u8>, reader: &mut dyn Read, most: usize) -> io::Result<(usize, bool)> {
    let mut count = 0;
    while count <= most {
        if count == bytes.len() {
            // Room for all at once: what is not read into costs nothing, and is never moved.
            bytes.reserve_exact(most + 1 - count);
            bytes.resize((count + READ_BYTES).min(most + 1), 0);
        }
        let room = bytes.len().min(most + 1);
        match reader.read(&mut bytes[count..room]) {
            Ok(0) => return Ok((count, true)),
            Ok(more) => count += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok((count, false))
}

/// Appends until there are more than `most` bytes; whether the reader is at its end.
fn fill(bytes: &mut Vec<u8>, reader: &mut dyn Read, most: usize) -> io::Result<bool> {
    while bytes.len() <= most {
        let before = bytes.len();
        let room = READ_BYTES.min(most + 1 - before);
        let count = reader.take(room as u64).read_to_end(bytes)?;
        if count < room {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The last line end, or the end where a line is longer than `reach`.
fn line_end(bytes: &[u8], reach: usize) -> usize {
    let low = bytes.len().saturating_sub(reach / 4);
    memchr::memrchr(b'\n', &bytes[low..]).map_or(bytes.len(), |at| low + at + 1)
}

/// The start of a line some `shared` bytes before `end`.
fn line_start(bytes: &[u8], end: usize, shared: usize) -> usize {
    let low = end.saturating_sub(shared);
    memchr::memchr(b'\n', &bytes[low..end - shared.min(end) / 2]).map_or(low, |at| low + at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FingerprintKey, RuleSet, Scanner};
    use proptest::prelude::*;
    use std::sync::LazyLock;

    static SCANNER: LazyLock<Scanner> = LazyLock::new(|| {
        Scanner::new(RuleSet::builtin().unwrap(), FingerprintKey::from_bytes([3; 32])).unwrap()
    });
    const SMALL: Sizes = Sizes { piece: 6000, shared: 3000, ahead: 3 };

    /// A password, plain, in base 64, or split over two lines.
    fn line(number: usize, kind: usize) -> String {
        let secret = format!("q8Zr2Lk0Vn5Tw7Bx{number:04}");
        match kind {
            0 => format!("2026-11-02T09:14:07.1234567Z DB_PASSWORD={secret}\n"),
            1 => format!("::add-mask::{secret}\n"),
            2 => format!("2026-11-02T09:14:07.1234567Z curl -u deploy:{secret} https://example.org\n"),
            3 => "ordinary output of a build, with nothing in it\n".repeat(7),
            _ => "compiling\n".to_owned(),
        }
    }

    fn seen(scan: &Scan) -> Vec<(usize, usize, usize, String, String)> {
        let one = |seen: &crate::Sighting| {
            (seen.offset, seen.len, seen.line, seen.rule.clone(), seen.fingerprint.clone())
        };
        scan.sightings.iter().map(one).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn pieces_show_what_the_whole_shows(kinds in prop::collection::vec(0_usize..8, 0..700), wide: bool) {
            let text: String = kinds.iter().enumerate().map(|(number, kind)| line(number, *kind)).collect();
            let mut bytes = text.into_bytes();
            if wide {
                bytes = [0xff, 0xfe].into_iter().chain(bytes.into_iter().flat_map(|byte| [byte, 0])).collect();
            }
            let mut worker = SCANNER.worker();
            let whole = worker.scan(&bytes);
            let pieces = worker.pieces("", &mut bytes.as_slice(), SMALL).unwrap();
            prop_assert_eq!(seen(&pieces), seen(&whole));
        }
    }

    #[test]
    fn a_line_without_end_is_read_in_pieces() {
        let secret = ["q8Zr2Lk0", "Vn5Tw7Bx"].concat();
        let mut text = "x ".repeat(20_000);
        text.insert_str(17_000, &format!(" DB_PASSWORD={secret} "));
        let scan = SCANNER.worker().pieces("", &mut text.as_bytes(), SMALL).unwrap();
        assert_eq!(scan.sightings.len(), 1);
        assert_eq!((scan.sightings[0].offset, scan.sightings[0].line), (17_013, 1));
    }
}
