//! What the headers of a Parquet file claim, checked before anything is allocated for it.
//!
//! The decoder reserves what a page header says, so a file of a kilobyte could ask for
//! gigabytes. Headers are Thrift in its compact protocol (Apache Parquet, "File Format";
//! `parquet.thrift`). What is read here is stricter than the decoder: fields in rising
//! order, numbers of at most 32 bits where 32 are declared.

/// Structures inside structures.
const MAX_DEPTH: usize = 32;

/// Type codes of the compact protocol.
mod code {
    pub(super) const TRUE: u8 = 1;
    pub(super) const FALSE: u8 = 2;
    pub(super) const BYTE: u8 = 3;
    pub(super) const I16: u8 = 4;
    pub(super) const I32: u8 = 5;
    pub(super) const I64: u8 = 6;
    pub(super) const DOUBLE: u8 = 7;
    pub(super) const BINARY: u8 = 8;
    pub(super) const LIST: u8 = 9;
    pub(super) const SET: u8 = 10;
    pub(super) const MAP: u8 = 11;
    pub(super) const STRUCT: u8 = 12;
}

struct Thrift<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Thrift<'_> {
    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn skip_bytes(&mut self, count: u64) -> Option<()> {
        let end = self.at.checked_add(usize::try_from(count).ok()?)?;
        (end <= self.bytes.len()).then(|| self.at = end)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..63).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        // A tenth byte holds one bit more; no number here is that large.
        None
    }

    fn zigzag(&mut self) -> Option<i64> {
        let value = self.varint()?;
        Some(i64::try_from(value >> 1).ok()? ^ -i64::from(value & 1 == 1))
    }

    fn int(&mut self) -> Option<i32> {
        i32::try_from(self.zigzag()?).ok()
    }

    /// Id and type of the next field; `Some(None)` at the end of the structure.
    #[expect(clippy::option_option, reason = "malformed, end and field")]
    fn field(&mut self, last: &mut i64) -> Option<Option<(i64, u8)>> {
        let byte = self.byte()?;
        if byte == 0 {
            return Some(None);
        }
        let id = match byte >> 4 {
            0 => self.zigzag()?,
            delta => *last + i64::from(delta),
        };
        if id <= *last || id > i64::from(i16::MAX) {
            return None;
        }
        *last = id;
        Some(Some((id, byte & 15)))
    }

    /// Type and number of the elements of a list.
    fn list(&mut self) -> Option<(u8, u64)> {
        let byte = self.byte()?;
        let count = match byte >> 4 {
            15 => self.varint()?,
            count => u64::from(count),
        };
        // Every element is at least a byte.
        let left = self.bytes.len().checked_sub(self.at)?;
        (usize::try_from(count).ok()? <= left).then_some((byte & 15, count))
    }

    fn skip(&mut self, kind: u8, depth: usize) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        match kind {
            code::TRUE | code::FALSE => Some(()),
            code::BYTE => self.skip_bytes(1),
            code::I16 | code::I32 | code::I64 => self.zigzag().map(drop),
            code::DOUBLE => self.skip_bytes(8),
            code::BINARY => {
                let count = self.varint()?;
                self.skip_bytes(count)
            }
            code::LIST | code::SET => {
                let (kind, count) = self.list()?;
                (0..count).try_for_each(|_| self.skip_element(kind, depth))
            }
            code::MAP => self.skip_map(depth),
            code::STRUCT => {
                let mut last = 0;
                while let Some((_, kind)) = self.field(&mut last)? {
                    self.skip(kind, depth)?;
                }
                Some(())
            }
            _ => None,
        }
    }

    /// Truth values are a byte each in a list.
    fn skip_element(&mut self, kind: u8, depth: usize) -> Option<()> {
        match kind {
            code::TRUE | code::FALSE => self.skip_bytes(1),
            kind => self.skip(kind, depth),
        }
    }

    fn skip_map(&mut self, depth: usize) -> Option<()> {
        let count = self.varint()?;
        if count == 0 {
            return Some(());
        }
        let kinds = self.byte()?;
        if usize::try_from(count).ok()? > self.bytes.len() {
            return None;
        }
        for _ in 0..count {
            self.skip_element(kinds >> 4, depth)?;
            self.skip_element(kinds & 15, depth)?;
        }
        Some(())
    }
}

/// How many elements the schema of a footer has: the decoder descends into them.
pub(super) fn schema_elements(footer: &[u8]) -> Option<u64> {
    let mut thrift = Thrift { bytes: footer, at: 0 };
    let mut last = 0;
    while let Some((id, kind)) = thrift.field(&mut last)? {
        if (id, kind) == (2, code::LIST) {
            return thrift.list().map(|(_, count)| count);
        }
        thrift.skip(kind, MAX_DEPTH)?;
    }
    None
}

/// What the header of a page says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Page {
    /// Bytes of the header itself.
    pub(super) header: usize,
    /// Bytes of the page once decompressed.
    pub(super) bytes: usize,
    /// Bytes of the page as stored.
    pub(super) stored: usize,
    pub(super) values: usize,
    pub(super) encoding: i32,
    pub(super) is_dictionary: bool,
}

/// The header at the start of `bytes`.
pub(super) fn page(bytes: &[u8]) -> Option<Page> {
    let mut thrift = Thrift { bytes, at: 0 };
    let mut page = Page { encoding: -1, ..Page::default() };
    let (mut inflated, mut stored, mut values) = (-1, -1, -1);
    let mut last = 0;
    while let Some((id, kind)) = thrift.field(&mut last)? {
        match (id, kind) {
            (2, code::I32) => inflated = thrift.int()?,
            (3, code::I32) => stored = thrift.int()?,
            // Data page, dictionary page and data page of version 2.
            (5 | 7 | 8, code::STRUCT) => {
                page.is_dictionary |= id == 7;
                let mut last = 0;
                while let Some((inner, kind)) = thrift.field(&mut last)? {
                    match (inner, kind) {
                        // Of several headers the largest claim counts.
                        (1, code::I32) => values = values.max(thrift.int()?),
                        (2, code::I32) if id != 8 => page.encoding = thrift.int()?,
                        (4, code::I32) if id == 8 => page.encoding = thrift.int()?,
                        (_, kind) => thrift.skip(kind, MAX_DEPTH)?,
                    }
                }
            }
            (_, kind) => thrift.skip(kind, MAX_DEPTH)?,
        }
    }
    page.header = thrift.at;
    page.bytes = usize::try_from(inflated).ok()?;
    page.stored = usize::try_from(stored).ok()?;
    page.values = usize::try_from(values).ok()?;
    Some(page)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A data page of version 1: type, sizes 100 and 60, then values 7, encoding 8.
    const HEADER: [u8; 15] = [0x15, 0, 0x15, 200, 1, 0x15, 120, 0x2c, 0x15, 14, 0x15, 16, 0, 0, 0xff];

    #[test]
    fn claims_are_read() {
        let read = page(&HEADER).unwrap();
        let wanted =
            Page { header: 14, bytes: 100, stored: 60, values: 7, encoding: 8, is_dictionary: false };
        assert_eq!(read, wanted);
    }

    #[test]
    fn lies_are_no_header() {
        // Fields twice, a list longer than the file, a number beyond 32 bits, no end.
        assert_eq!(page(&[0x15, 0, 0x05, 2, 0]), None);
        assert_eq!(schema_elements(&[0x15, 2, 0x19, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x0f]), None);
        assert_eq!(page(&[0x25, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0]), None);
        assert_eq!(page(HEADER.get(..13).unwrap()), None);
        let deep: Vec<u8> = std::iter::repeat_n(0x1c, 100_000).collect();
        assert_eq!(page(&deep), None);
        assert_eq!(schema_elements(&[0x15, 2, 0x19, 0x2c, 0, 0]), Some(2));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let header = page(&bytes).map_or(0, |page| page.header);
            prop_assert!(header <= bytes.len());
            prop_assert!(schema_elements(&bytes).unwrap_or(0) <= bytes.len() as u64);
        }
    }
}
