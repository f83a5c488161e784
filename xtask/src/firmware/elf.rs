//! Bytes of an image in flash and RAM, read off its sections (ELF, 32 bits, little-endian).

use std::path::Path;

/// Of a section's flags: it takes memory; programs write to it.
const ALLOC: u32 = 2;
const WRITE: u32 = 1;
/// A section without bytes in the file.
const NOBITS: u32 = 8;

/// Bytes of an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Code, constants and initial values.
    pub flash: usize,
    /// Static memory, without stack and heap.
    pub ram: usize,
}

/// Sizes of the image at `path`.
pub fn sizes(path: &Path) -> Result<Sizes, String> {
    let fail = |why: &str| format!("{}: {why}", path.display());
    let bytes = std::fs::read(path).map_err(|error| fail(&error.to_string()))?;
    parse(&bytes).ok_or_else(|| fail("expected an ELF file of 32 bits with sections"))
}

fn parse(bytes: &[u8]) -> Option<Sizes> {
    bytes.starts_with(b"\x7fELF\x01\x01").then_some(())?;
    let table = word(bytes, 0x20)? as usize;
    let [each, count, names] = [0x2e, 0x30, 0x32].map(|at| half(bytes, at));
    let (each, count, names) = (each?, count?, names?);
    let header = |index: usize| bytes.get(table + index * each..);
    let names = word(header(names)?, 0x10)? as usize;
    let mut sizes = Sizes::default();
    for index in 0..count {
        let section = header(index)?;
        let [name, kind, flags] = [0, 4, 8].map(|at| word(section, at));
        let size = word(section, 0x14)? as usize;
        let name = bytes.get(names + name? as usize..)?;
        let is_free = [&b".stack\0"[..], b".heap\0"]
            .iter()
            .any(|n| name.starts_with(n));
        if flags? & ALLOC == 0 || is_free {
            continue;
        }
        if kind? != NOBITS {
            sizes.flash += size;
        }
        if flags? & WRITE != 0 {
            sizes.ram += size;
        }
    }
    Some(sizes)
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at + 4)?.try_into().ok()?;
    Some(u32::from_le_bytes(four))
}

fn half(bytes: &[u8], at: usize) -> Option<usize> {
    let two = bytes.get(at..at + 2)?.try_into().ok()?;
    Some(u16::from_le_bytes(two).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Name, kind, flags, size.
    fn image(sections: &[(&str, u32, u32, u32)]) -> Vec<u8> {
        let mut bytes = vec![0; 52];
        bytes[..6].copy_from_slice(b"\x7fELF\x01\x01");
        let names_at = bytes.len() as u32;
        let mut starts = Vec::new();
        for (name, ..) in sections {
            starts.push(bytes.len() as u32 - names_at);
            bytes.extend(name.bytes().chain([0]));
        }
        let table = bytes.len() as u32;
        for (&(_, kind, flags, size), name) in sections.iter().zip(starts) {
            let words = [name, kind, flags, 0, names_at, size, 0, 0, 0, 0];
            bytes.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        }
        bytes[0x20..0x24].copy_from_slice(&table.to_le_bytes());
        let count = sections.len() as u16;
        for (at, value) in [(0x2e, 40), (0x30, count), (0x32, count - 1)] {
            bytes[at..at + 2].copy_from_slice(&value.to_le_bytes());
        }
        bytes
    }

    #[test]
    fn sections_count_where_they_lie() {
        let bytes = image(&[
            (".text", 1, 6, 1000),
            (".data", 1, 3, 8),
            (".bss", NOBITS, 3, 500),
            (".stack", NOBITS, 3, 9000),
            (".debug", 1, 0, 70_000),
            (".names", 3, 0, 0),
        ]);
        let expected = Sizes {
            flash: 1008,
            ram: 508,
        };
        assert_eq!(parse(&bytes), Some(expected));
        assert_eq!(parse(&bytes[..bytes.len() - 30]), None);
        assert_eq!(parse(b"\x7fELF\x02\x01"), None);
    }
}
