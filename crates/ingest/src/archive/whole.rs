//! Members of usual size, inflated at one go: a third faster than as a stream.

use libdeflater::Decompressor;
use std::cell::Cell;
use std::io::{Read, Seek};
use zip::{CompressionMethod, ZipArchive};

/// Larger members are streams.
const MAX_BYTES: u64 = 16 << 20;

/// Inflates members, one after the other, into the same memory.
pub(super) struct Whole {
    decompressor: Decompressor,
    packed: Vec<u8>,
    /// Of the largest member so far.
    bytes: Vec<u8>,
}

thread_local! {
    static KEPT: Cell<Option<Whole>> = const { Cell::new(None) };
}

impl Default for Whole {
    fn default() -> Self {
        Self { decompressor: Decompressor::new(), packed: Vec::new(), bytes: Vec::new() }
    }
}

impl Whole {
    /// What this thread has kept: most zips have few members, and fresh memory costs more than
    /// inflating into it. A new one while another zip is open.
    pub(super) fn of_thread() -> Self {
        KEPT.take().unwrap_or_default()
    }

    /// Leaves the memory to the next zip.
    pub(super) fn keep(self) {
        KEPT.set(Some(self));
    }

    /// A deflated member, if its sizes (packed and inflated) are `allowed` and it is what its
    /// sizes and its checksum say, with its name. Whatever is not is read as a stream, which
    /// tells how far it is sound.
    pub(super) fn inflate<R: Read + Seek>(
        &mut self,
        archive: &mut ZipArchive<R>,
        index: usize,
        allowed: impl Fn(u64, u64) -> bool,
    ) -> Option<(String, &[u8])> {
        let mut member = archive.by_index_raw(index).ok()?;
        let (packed, size, checksum) = (member.compressed_size(), member.size(), member.crc32());
        let is_deflated = member.compression() == CompressionMethod::Deflated && !member.encrypted();
        if !is_deflated || !member.is_file() || packed.max(size) > MAX_BYTES || !allowed(packed, size) {
            return None;
        }
        let name = String::from_utf8_lossy(member.name_raw()).into_owned();
        self.packed.clear();
        member.read_to_end(&mut self.packed).ok()?;
        let size = usize::try_from(size).ok()?;
        if self.bytes.len() < size {
            self.bytes.resize(size, 0);
        }
        let bytes = &mut self.bytes[..size];
        let count = self.decompressor.deflate_decompress(&self.packed, bytes).ok()?;
        let is_sound = count == size && libdeflater::crc32(bytes) == checksum;
        is_sound.then_some((name, &*bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Cursor, Write};
    use zip::write::SimpleFileOptions;

    const LINE: &[u8] = b"Preparing to unpack the archive of the day\n";

    fn zipped(method: CompressionMethod) -> Vec<u8> {
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        writer.start_file("a.log", SimpleFileOptions::default().compression_method(method)).unwrap();
        writer.write_all(&LINE.repeat(100)).unwrap();
        writer.finish().unwrap().into_inner()
    }

    fn inflated(bytes: &[u8], allowed: impl Fn(u64, u64) -> bool) -> Option<Vec<u8>> {
        let mut archive = ZipArchive::new(Cursor::new(bytes)).unwrap();
        Whole::default().inflate(&mut archive, 0, allowed).map(|(name, bytes)| {
            assert_eq!(name, "a.log");
            bytes.to_vec()
        })
    }

    #[test]
    fn only_sound_members_within_the_limits_come_whole() {
        let deflated = zipped(CompressionMethod::Deflated);
        let most = (LINE.len() * 100) as u64;
        assert_eq!(inflated(&deflated, |_, size| size <= most), Some(LINE.repeat(100)));
        assert_eq!(inflated(&deflated, |_, size| size < most), None);
        assert_eq!(inflated(&zipped(CompressionMethod::Stored), |_, _| true), None);
        // Checksum and size stand 16 and 24 bytes behind the mark of a directory's entry.
        let entry = memchr::memmem::find(&deflated, b"PK\x01\x02").unwrap();
        for at in [16, 24, 25] {
            for change in [1, 0x80] {
                let mut other = deflated.clone();
                other[entry + at] ^= change;
                assert_eq!(inflated(&other, |_, _| true), None, "{at} {change}");
            }
        }
    }
}
