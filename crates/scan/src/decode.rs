//! What hides behind an encoding: candidates in a text, and their decoded bytes.
//!
//! Masking compares literal text (actions/runner `SecretMasker`), so encoded values
//! pass it: base 64 once or more, hex, percent, JSON escapes, gzip, UTF-16, reversed.

mod hex;
mod respelled;

pub(crate) use hex::dump_line;
pub(crate) use respelled::{json, percent, reversed, spaced};

use crate::lanes::{self, LANE};
use crate::leads::Word;
use crate::runs::{self, BASE64};
use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use regex_automata::Span;
use std::io::Read as _;
use zeroize::Zeroizing;

/// Shorter runs hold no secret.
const MIN_BASE64_BYTES: usize = 20;
/// Longer candidates are cut, which is a gap.
pub(crate) const MAX_CANDIDATE_BYTES: usize = 1 << 20;
/// What a compressed stream may inflate to.
const MAX_INFLATED_BYTES: u64 = 1 << 20;
/// So many letters show whether a long run decodes to something.
const PROBE_LETTERS: usize = 1024;
/// So many characters tell UTF-16; no more than `PROBE_LETTERS` hold.
const UTF16_PAIRS: usize = 256;
/// So many leading groups of four letters decide whether a decoding makes sense.
const PROBE_GROUPS: usize = 5;
/// From one try to the next in a run that does not begin with text.
const PROBE_STEP: usize = 12;

/// Decoded bytes and where they came from.
pub(crate) struct Decoded {
    pub(crate) span: Span,
    /// Outermost first.
    pub(crate) encodings: Vec<&'static str>,
    pub(crate) bytes: Zeroizing<Vec<u8>>,
}

const FORGIVING: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const STANDARD_64: GeneralPurpose = GeneralPurpose::new(&STANDARD, FORGIVING);
const URL_SAFE_64: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, FORGIVING);

/// Six bits of a letter of either alphabet; 64 for other bytes.
const SEXTETS: [u8; 256] = {
    let mut sextets = [64; 256];
    let mut at = 0;
    while at < 64 {
        sextets[b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[at] as usize] = at as u8;
        at += 1;
    }
    sextets[b'-' as usize] = 62;
    sextets[b'_' as usize] = 63;
    sextets
};

/// Base 64 of a gzip stream wherever its header stands: random letters may have `+` and
/// `/` so often that no run among them is long. `heads` are the places of `H4sI`.
pub(crate) fn gzip(text: &[u8], heads: impl Iterator<Item = usize>, mut found: impl FnMut(Decoded)) {
    // The run that was read last, where its last long part of word characters ends, and
    // what was decoded of it: each header of many in one run must not cost the whole run.
    let (mut end, mut long_end, mut done) = (0, 0, 0);
    for at in heads {
        if at >= end {
            end = at + runs::leading(&text[at..], BASE64);
            long_end = long_part_end(text, Span::from(at..end));
        }
        let span = Span::from(at..end);
        if at >= done && long_end < at + runs::MIN_RUN && span.len() >= MIN_BASE64_BYTES {
            decode_at(text, span, 0, &mut |decoded: Decoded| {
                done = decoded.span.end;
                found(decoded);
            });
        }
    }
}

/// Where the last part of a run ends that is long and of word characters only; else 0.
fn long_part_end(text: &[u8], run: Span) -> usize {
    let mut end = run.end;
    while end > run.start {
        let length = runs::trailing(&text[run.start..end], runs::WORD);
        if length >= runs::MIN_RUN {
            return end;
        }
        end = (end - length).saturating_sub(1);
    }
    0
}

/// What a run of word characters encodes: base 64 or hex. Gives the end of what was
/// decoded.
///
/// Of a word that `may_be_text` says no of, only what is compressed is read.
pub(crate) fn run(text: &[u8], word: &Word, floor: usize, mut found: impl FnMut(Decoded)) -> usize {
    let Word { span: word, lead, may_be_text, .. } = *word;
    if hex::parts(text, word, &mut found) {
        return word.end;
    }
    // `+` and `/` are rare in encoded text, but common in paths and in what is compressed.
    let mut start = lead.max(floor.min(word.start));
    if !is_compressed(&text[start..]) {
        if !may_be_text {
            return word.end;
        }
        start = start.max(word.start.saturating_sub(MAX_LEAD_BYTES));
    }
    let mut end = word.end;
    if text.get(end).is_some_and(|byte| runs::is(*byte, BASE64)) {
        end += runs::leading(&text[end..], BASE64);
    }
    let mut decoded_to = word.end;
    if end - start >= MIN_BASE64_BYTES {
        base64_part(text, Span::from(start..end), word.end - start, &mut |decoded: Decoded| {
            decoded_to = decoded.span.end;
            found(decoded);
        });
    }
    decoded_to
}

/// Where the letters of base 64 around `at` begin, but not before `floor`; `letters` has
/// their bits.
#[inline(always)]
pub(crate) fn base64_start(letters: &[u64], at: usize, floor: usize) -> usize {
    lanes::start_of_ones(letters, at).max(floor).max(at.saturating_sub(MAX_COMPRESSED_LEAD_BYTES))
}

/// Whether a long run with what stands before it shows none of what [`run`] reads.
#[inline(always)]
pub(crate) fn is_plain(text: &[u8], lead: usize, word: Span) -> bool {
    word.len() < hex::MIN_HEX_BYTES && !is_compressed(&text[lead..])
}

/// So much of a run before its long part may be text, too.
const MAX_LEAD_BYTES: usize = 24;
const MAX_COMPRESSED_LEAD_BYTES: usize = 1024;

/// The first place in a run from where it decodes to something readable. What precedes
/// a value may be letters of the alphabet, too. Only the first `starts` places are tried.
fn base64_part(text: &[u8], span: Span, starts: usize, found: &mut impl FnMut(Decoded)) {
    let run = &text[span.range()];
    if is_compressed(run) && decode_at(text, span, 0, found) {
        return;
    }
    let mut at = 0;
    while at + MIN_BASE64_BYTES <= run.len() + 4 && at < starts {
        let mut shifts = promising(&run[at..]);
        while shifts != 0 {
            let shift = shifts.trailing_zeros() as usize;
            if is_text(&run[at + shift..]) && decode_at(text, span, at + shift, found) {
                return;
            }
            shifts &= shifts - 1;
        }
        // After a separator something else may begin.
        let next = run.iter().skip(at + 1).take(PROBE_STEP).position(|byte| !byte.is_ascii_alphanumeric());
        at += next.map_or(PROBE_STEP, |next| next + 2);
    }
}

/// For each letter the places in a group of four that it can have when the decoded bytes
/// are ASCII: the first bit of each byte is 0. Bit n stands for place n, twice over, so
/// that a shift rotates.
const PLACES: [u8; 256] = {
    let mut places = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let sextet = SEXTETS[byte];
        if sextet < 64 {
            let first = (sextet < 32) as u8;
            let second = (sextet & 8 == 0) as u8;
            let third = (sextet & 2 == 0) as u8;
            let nibble = first | second << 1 | third << 2 | 8;
            places[byte] = nibble | nibble << 4;
        }
        byte += 1;
    }
    places
};

/// Whether a letter can have a place, 0 to 2, in a group of four that encodes ASCII.
pub(crate) fn can_have_place(letter: u8, place: u32) -> bool {
    PLACES[usize::from(letter)] >> place & 1 != 0
}

/// Groups of letters that [`may_be_text`] looks at: fewer than [`promising`].
const QUICK_GROUPS: usize = 3;

/// Whether letters may begin somewhere in a long run or shortly before it that decode to
/// ASCII: a quick look at many places at once ([`lanes::Lanes::triples`]), where
/// [`promising`] looks at few.
#[inline(always)]
pub(crate) fn may_be_text(triples: &[u64], word: Span) -> bool {
    let part = Span::from(word.start.saturating_sub(MAX_LEAD_BYTES)..word.end + 3);
    // So many of 64 places have all their groups in view.
    const STEP: usize = LANE - 4 * (QUICK_GROUPS - 1);
    lanes::strides(part.range(), STEP).any(|at| {
        let groups = lanes::from(triples, at);
        groups & groups >> 4 & groups >> 8 & lanes::low(STEP.min(part.end - at)) != 0
    })
}

/// The alignments, one bit each, at which the letters may decode to ASCII.
fn promising(letters: &[u8]) -> u8 {
    let mut alive = 0b1111_u8;
    for (at, letter) in letters.iter().take(4 * PROBE_GROUPS).enumerate() {
        // The letter at `at` has place (at - shift) mod 4 under each shift.
        let places = PLACES[usize::from(*letter)].rotate_right((at & 3) as u32) & 0b1111;
        // Bit s must tell of place at - s: mirrored.
        let mirrored = MIRRORED[usize::from(places)];
        let before = if at < 3 { (0b1110_u8 << at) & 0b1111 } else { 0 };
        alive &= mirrored | before;
        if alive == 0 {
            break;
        }
    }
    alive
}

/// Four bits n, with bit 0 for itself and 1 and 3 swapped: place -s for shift s.
const MIRRORED: [u8; 16] = {
    let mut mirrored = [0; 16];
    let mut bits = 0;
    while bits < 16 {
        mirrored[bits as usize] = (bits & 0b0101) | (bits & 0b0010) << 2 | (bits & 0b1000) >> 2;
        bits += 1;
    }
    mirrored
};

/// Whether letters decode to text or UTF-16, by their first groups.
fn is_text(letters: &[u8]) -> bool {
    let mut zeros = 0;
    let mut groups = 0;
    for four in letters.chunks_exact(4).take(PROBE_GROUPS) {
        let bits =
            four.iter().fold(0_u32, |bits, letter| bits << 6 | u32::from(SEXTETS[usize::from(*letter)]));
        for byte in [(bits >> 16) as u8, (bits >> 8) as u8, bits as u8] {
            let is_text = matches!(byte, 0x20..=0x7e | b'\n' | b'\r' | b'\t');
            if !is_text && byte != 0 {
                return false;
            }
            zeros += usize::from(byte == 0);
        }
        groups += 1;
    }
    groups >= 3 && (zeros == 0 || zeros.abs_diff(groups * 3 / 2) <= 1)
}

/// The first letters of gzip (RFC 1952), or of zlib (RFC 1950) at one of its four levels.
#[inline(always)]
fn is_compressed(letters: &[u8]) -> bool {
    letters.starts_with(b"H4sI")
        || letters.first_chunk::<2>().is_some_and(|two| matches!(two, b"eJ" | b"eN" | b"eA" | b"eF"))
}

fn decode_at(text: &[u8], span: Span, from: usize, found: &mut impl FnMut(Decoded)) -> bool {
    let start = span.start + from;
    let letters = &text[start..span.end.min(start + MAX_CANDIDATE_BYTES)];
    // Much of a long run may look like a beginning: the first letters decide.
    if letters.len() > PROBE_LETTERS && decoded(&letters[..PROBE_LETTERS]).is_none() {
        return false;
    }
    let Some(decoded) = decoded(letters) else { return false };
    let span = Span::from(start..start + decoded.span.end);
    found(Decoded { span, ..decoded });
    true
}

/// What letters encode from the first one on, if it makes sense.
fn decoded(letters: &[u8]) -> Option<Decoded> {
    // A run may go from one alphabet over into the other: decode up to there.
    let (plus, dash) = (
        letters.iter().position(|byte| runs::is(*byte, runs::PLUS)).unwrap_or(letters.len()),
        letters.iter().position(|byte| runs::is(*byte, runs::DASH)).unwrap_or(letters.len()),
    );
    let (engine, end) = if dash < plus { (&URL_SAFE_64, plus) } else { (&STANDARD_64, dash) };
    let letters = &letters[..end];
    // A length of 4n+1 cannot be decoded: the last letter is a stray.
    let letters = &letters[..letters.len() - usize::from(letters.len() % 4 == 1)];
    let (inner, bytes) = unpacked(Zeroizing::new(engine.decode(letters).ok()?));
    let is_text = |byte: &u8| matches!(byte, 0x20..=0x7e | b'\n' | b'\r' | b'\t');
    let is_something = bytes.len() >= 8 && (inner.is_some() || bytes.iter().take(9).all(is_text));
    let encodings = ["base64"].into_iter().chain(inner).collect();
    is_something.then_some(Decoded { span: Span::from(0..letters.len()), encodings, bytes })
}

/// Base 64 whose lines were put together.
pub(crate) fn wrapped(letters: &[u8]) -> Option<Decoded> {
    let mut whole = None;
    base64_part(letters, Span::from(0..letters.len()), letters.len(), &mut |decoded| whole = Some(decoded));
    whole
}

/// Whether what the last letters decode to is text, if the rest is.
pub(crate) fn ends_as_text(decoded: &Decoded, letters: usize) -> bool {
    let bytes = &decoded.bytes;
    let end = bytes.get(bytes.len().saturating_sub(letters / 4 * 3)..).unwrap_or_default();
    decoded.encodings.len() > 1 || end.iter().all(|byte| matches!(byte, 0x20..=0x7e | b'\n' | b'\r' | b'\t'))
}

/// A short value that is base 64 of text as a whole, as in a Kubernetes secret.
pub(crate) fn value(letters: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    if !letters.len().is_multiple_of(4) || letters.len() < 12 {
        return None;
    }
    let bytes = Zeroizing::new(STANDARD_64.decode(letters).ok()?);
    let text = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    text.iter().all(|byte| matches!(byte, 0x20..=0x7e)).then(|| Zeroizing::new(text.to_vec()))
}

/// What base 64 carried: gzip, zlib, UTF-16 or just text.
#[expect(clippy::disallowed_types, reason = "capped at MAX_INFLATED_BYTES")]
fn unpacked(bytes: Zeroizing<Vec<u8>>) -> (Option<&'static str>, Zeroizing<Vec<u8>>) {
    if is_gzip(&bytes) {
        (Some("gzip"), inflated(flate2::read::GzDecoder::new(bytes.as_slice())))
    } else if is_zlib(&bytes) {
        (Some("zlib"), inflated(flate2::read::ZlibDecoder::new(bytes.as_slice())))
    } else if is_utf16(&bytes) {
        let text = bytes.chunks_exact(2).map(|pair| if pair[1] == 0 { pair[0] } else { b'?' });
        (Some("utf16"), Zeroizing::new(text.collect()))
    } else {
        (None, bytes)
    }
}

fn inflated(stream: impl std::io::Read) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(Vec::new());
    // A truncated stream still gives what was readable of it.
    let _partial = stream.take(MAX_INFLATED_BYTES).read_to_end(&mut out);
    out
}

fn is_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x1f, 0x8b, 8])
}

fn is_zlib(bytes: &[u8]) -> bool {
    bytes
        .first_chunk::<2>()
        .is_some_and(|head| head[0] == 0x78 && matches!(head[1], 0x01 | 0x5e | 0x9c | 0xda))
}

/// By its first characters: others may follow.
fn is_utf16(bytes: &[u8]) -> bool {
    let is_narrow = |pair: &[u8]| pair[1] == 0 && pair[0].is_ascii() && pair[0] != 0;
    bytes.len() >= 12 && bytes.chunks_exact(2).take(UTF16_PAIRS).all(is_narrow)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::STANDARD;

    const PLAIN: &str = "the quick brown fox jumps over it";

    fn texts(text: &str) -> Vec<(Vec<&'static str>, String)> {
        let mut all = Vec::new();
        let mut add = |decoded: Decoded| {
            all.push((decoded.encodings.clone(), String::from_utf8_lossy(&decoded.bytes).into_owned()));
        };
        let mut done = 0;
        let mut lanes = crate::lanes::Lanes::default();
        crate::lanes::Classifier::new(&[], &[]).fill(text.as_bytes(), &mut lanes);
        for word in &crate::leads::runs(text.as_bytes(), &lanes).words {
            if word.span.start >= done {
                done = run(text.as_bytes(), word, done, &mut add);
            }
        }
        let escapes: Vec<usize> = memchr::memchr2_iter(b'%', b'\\', text.as_bytes()).collect();
        percent(text.as_bytes(), &escapes, &mut add);
        json(text.as_bytes(), &escapes, &mut add);
        all
    }

    #[test]
    fn base64_is_read_at_every_alignment() {
        let encoded = STANDARD.encode(PLAIN);
        for prefix in ["", "a", "ab", "abc", "x="] {
            let found = texts(&format!("{prefix}{encoded}"));
            assert!(found.iter().any(|(_, text)| text.contains("quick brown fox")), "{prefix}: {found:?}");
        }
    }

    #[test]
    fn hex_percent_json_and_utf16_are_read() {
        let hex: String = PLAIN.bytes().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(texts(&hex), [(vec!["hex"], PLAIN.to_owned())]);
        let percent: String = PLAIN.bytes().map(|byte| format!("%{byte:02X}")).collect();
        assert_eq!(texts(&format!("a={percent} b")), [(vec!["percent"], format!("a={PLAIN}"))]);
        assert_eq!(texts(r"a\nb\u0041\/"), [(vec!["json"], "a\nbA/".to_owned())]);
        let utf16: Vec<u8> = PLAIN.encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(texts(&STANDARD.encode(utf16)), [(vec!["base64", "utf16"], PLAIN.to_owned())]);
    }

    #[test]
    fn the_first_letters_of_a_long_run_decide() {
        // Each place looks like UTF-16 for a few letters and is not.
        let broken =
            STANDARD.encode([b"A\0B\0C\0D\0E\0F\0G\0H\0".as_slice(), &[1, 2, 3, 4, 5, 6, 7, 8]].concat());
        assert!(texts(&broken.trim_end_matches('=').repeat(400)).is_empty());
        let wide = |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
        let long = format!("{}é {PLAIN}", PLAIN.repeat(40));
        let found = texts(&STANDARD.encode(wide(&long)));
        assert_eq!(found, [(vec!["base64", "utf16"], long.replace('é', "\u{fffd}"))]);
    }

    #[test]
    fn a_stream_is_found_behind_headers_of_none() {
        // Runs without a long part of word characters, as chance makes them.
        let streams = (0..5000).map(|number| {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            std::io::Write::write_all(&mut encoder, format!("k: of {number}").as_bytes()).unwrap();
            STANDARD.encode(encoder.finish().unwrap())
        });
        let short = |stream: &String| {
            let stream = stream.trim_end_matches('=').as_bytes();
            stream.split(|byte| !runs::is(*byte, runs::WORD)).all(|part| part.len() < runs::MIN_RUN)
        };
        let stream = streams.into_iter().find(short).unwrap();
        for decoys in [0, 1, 50] {
            let mut found = 0;
            let text = format!("{}{stream} x", "H4sI/".repeat(decoys));
            gzip(text.as_bytes(), memchr::memmem::find_iter(text.as_bytes(), b"H4sI"), |decoded| {
                found += 1;
                assert!(decoded.bytes.starts_with(b"k: "));
                assert_eq!(decoded.span.start, 5 * decoys);
            });
            assert_eq!(found, 1, "{decoys}");
        }
    }

    #[test]
    fn digests_and_paths_are_not_text() {
        assert!(texts("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08").is_empty());
        assert!(texts("/home/runner/work/_actions/actions/checkout/v4/dist/index").is_empty());
    }
}
