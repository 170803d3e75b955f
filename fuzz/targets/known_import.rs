//! What vaults and people write is read, and what was read is found.

#![no_main]

use leakgraph_fuzz::{check_scan, choice, key, scanner};
use leakgraph_scan::known::{FingerprintList, Format, Import, KnownSecrets};
use libfuzzer_sys::fuzz_target;

fn import(format: Format, bytes: &[u8]) {
    let Ok(import) = Import::read(format, "source", bytes) else { return };
    let known = KnownSecrets::new([import]);
    assert_eq!(known.is_empty(), known.spellings() == 0);
    check_scan(bytes, &known.scan(&key(), bytes));
    let list = known.export(&key());
    assert_eq!(FingerprintList::from_json(&list.to_json()).expect("its own JSON"), list);
    let is_plain = bytes.iter().all(u8::is_ascii_graphic);
    if format == Format::Bytes && known.len() == 1 && is_plain {
        let text = [b"first line\nsee ", bytes, b" there"].concat();
        let scan = known.scan(&key(), &text);
        let fingerprint = key().of(bytes);
        assert!(
            scan.sightings.iter().any(|seen| seen.fingerprint == fingerprint && seen.offset == 15),
            "{:?}",
            scan.sightings
        );
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((mode, bytes)) = choice(data) else { return };
    match mode % 6 {
        0 => import(Format::Dotenv, bytes),
        1 => import(Format::Json, bytes),
        2 => import(Format::Csv, bytes),
        3 => import(Format::Bytes, bytes),
        4 => {
            if let Some(list) =
                std::str::from_utf8(bytes).ok().and_then(|text| FingerprintList::from_json(text).ok())
            {
                assert_eq!(FingerprintList::from_json(&list.to_json()).expect("its own JSON"), list);
            }
        }
        _ => assert!(!scanner().import_memo(bytes), "no one knows the label"),
    }
    let _format = Format::detect("values", bytes);
});
