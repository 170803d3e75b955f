use super::*;

const LEADS: [Lead; 4] =
    [(*b"ghp", Some(b'_')), (*b"_tk", Some(b':')), (*b"://", None), (*b"\xff\x00a", None)];

fn bit(lanes: &[u64], at: usize) -> bool {
    lanes[at / LANE] >> (at % LANE) & 1 != 0
}

/// The lanes of a text in every way there is.
fn every_way(text: &[u8]) -> Vec<Lanes> {
    let classifier = Classifier::new(&LEADS, &LEADS[1..]);
    let mut all = vec![Lanes::default()];
    classifier.fill_slowly(text, &mut all[0]);
    #[cfg(target_arch = "x86_64")]
    for vectors in vectors::Vectors::all() {
        let mut lanes = Lanes::default();
        vectors.fill(&classifier, text, &mut lanes);
        all.push(lanes);
    }
    all
}

/// Every bit against its byte.
fn check_bytes(text: &[u8], lanes: &Lanes) {
    for (at, byte) in text.iter().enumerate() {
        let rest = &text[at..];
        let is_word = runs::is(*byte, runs::WORD);
        assert_eq!(bit(&lanes.words, at), is_word);
        assert_eq!(bit(&lanes.wordy, at), is_word && *byte != b'-');
        assert_eq!(bit(&lanes.letters, at), is_word || b"+/".contains(byte));
        assert_eq!(bit(&lanes.tokens, at), runs::is(*byte, runs::TOKEN));
        assert_eq!(bit(&lanes.solid, at), !assign::ends_bare(*byte));
        let is_odd = byte.is_ascii_digit() || byte.is_ascii_uppercase() || *byte == b'_';
        assert_eq!(bit(&lanes.odd, at), is_odd);
        assert_eq!(bit(&lanes.signs, at), b"=:".contains(byte));
        assert_eq!(bit(&lanes.escapes, at), b"%\\".contains(byte));
        assert_eq!(bit(&lanes.spots, at), rest.starts_with(b" -") || rest.starts_with(b" is"));
        let fits =
            |place| rest.get(place as usize).is_some_and(|letter| decode::can_have_place(*letter, place));
        assert_eq!(bit(&lanes.triples, at), (0..3).all(fits));
        assert_eq!(bit(&lanes.named, at), is_word || *byte == b'.');
        assert_eq!(bit(&lanes.soft, at), b" \"'`\\".contains(byte));
        let begins = |leads: &[Lead]| {
            leads.iter().any(|(three, fourth)| {
                rest.starts_with(three) && fourth.is_none_or(|fourth| rest.get(3) == Some(&fourth))
            })
        };
        assert!(!begins(&LEADS) || lanes.leads.as_ref().is_none_or(|leads| bit(leads, at)));
        assert!(!begins(&LEADS[1..]) || lanes.inner.as_ref().is_none_or(|inner| bit(inner, at)));
    }
}

/// What is read off the bits against the same by bytes.
fn check_reads(text: &[u8], lanes: &Lanes) {
    let words = &lanes.words;
    for at in 0..text.len() {
        for step in 0..LANE {
            let there = text.get(at + step).is_some_and(|byte| runs::is(*byte, runs::WORD));
            assert_eq!(from(words, at) >> step & 1 != 0, there);
            let there = at.checked_sub(step + 1).is_some_and(|at| runs::is(text[at], runs::WORD));
            assert_eq!(before(words, at) >> (LANE - 1 - step) & 1 != 0, there);
        }
        assert_eq!(end_of_ones(words, at), at + runs::leading(&text[at..], runs::WORD));
        assert_eq!(next_one(words, at), (at..text.len()).find(|at| runs::is(text[*at], runs::WORD)));
        assert_eq!(start_of_ones(words, at), at - runs::trailing(&text[..at], runs::WORD));
        let named = |part: &str| {
            text[at..].get(..part.len()).is_some_and(|there| there.eq_ignore_ascii_case(part.as_bytes()))
        };
        if let (Some(names), true) = (&lanes.names, assign::name_parts().any(named)) {
            assert!(from(names, at) & 0xfff != 0);
        }
    }
}

/// Line ends and specials in every way there is.
fn check_breaks(text: &[u8]) {
    let mut all = vec![Breaks::default()];
    all[0].fill_slowly(text);
    #[cfg(target_arch = "x86_64")]
    for vectors in vectors::Vectors::all() {
        let mut breaks = Breaks::default();
        vectors.breaks(text, &mut breaks);
        all.push(breaks);
    }
    for breaks in all {
        for at in 0..breaks.ends.len() * LANE {
            assert_eq!(bit(&breaks.ends, at), text.get(at) == Some(&b'\n'));
            assert_eq!(bit(&breaks.specials, at), matches!(text.get(at), Some(b'\r' | 0x1b)));
        }
    }
}

/// A set of bytes in every way there is.
fn check_set(text: &[u8]) {
    let holds = |byte: u8| byte.is_ascii_alphanumeric() || b"%\0\x7f".contains(&byte);
    let set = ByteSet::of(holds);
    let mut all = vec![chunks(text).map(|chunk| set.0.bits(&chunk)).collect::<Vec<u64>>()];
    #[cfg(target_arch = "x86_64")]
    for vectors in vectors::Vectors::all() {
        let mut bits = vec![7; 3];
        vectors.bytes(&set.0, text, &mut bits);
        all.push(bits);
    }
    for bits in all {
        for (at, byte) in text.iter().enumerate() {
            assert_eq!(bit(&bits, at), holds(*byte), "{byte}");
        }
    }
}

proptest::proptest! {
    #[test]
    fn bits_are_those_of_single_bytes(
        text: Vec<u8>,
        lines in "[a\n\r\x1b]{0,200}",
        ascii in "([ -~]{0,40}(PassWord|api-key|TOKEN|value| is | --)?){0,4}",
    ) {
        check_breaks(lines.as_bytes());
        check_set(&text);
        check_set(ascii.as_bytes());
        for text in [text.as_slice(), ascii.as_bytes(), b"xghp_tk://\xff\x00a"] {
            for lanes in every_way(text) {
                check_bytes(text, &lanes);
                check_reads(text, &lanes);
            }
        }
    }
}
