//! Bytes of an image in flash and RAM, and its symbols (ELF, 32 bits, little-endian).

use std::path::Path;

/// Of a section's flags: it takes memory; programs write to it.
const ALLOC: u32 = 2;
const WRITE: u32 = 1;
/// The section of symbols.
const SYMBOLS: u32 = 2;
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
    read(path, parse)
}

/// Names of all symbols of the image at `path`; those that the compiler made as it made them.
pub fn symbols(path: &Path) -> Result<Vec<String>, String> {
    read(path, names)
}

fn read<T>(path: &Path, parse: fn(&[u8]) -> Option<T>) -> Result<T, String> {
    let fail = |why: &str| format!("{}: {why}", path.display());
    let bytes = std::fs::read(path).map_err(|error| fail(&error.to_string()))?;
    parse(&bytes).ok_or_else(|| fail("expected an ELF file of 32 bits with sections and symbols"))
}

/// Headers of all sections.
fn headers(bytes: &[u8]) -> Option<Vec<&[u8]>> {
    bytes.starts_with(b"\x7fELF\x01\x01").then_some(())?;
    let table = word(bytes, 0x20)? as usize;
    let (each, count) = (half(bytes, 0x2e)?, half(bytes, 0x30)?);
    let header = |index: usize| bytes.get(table + index * each..)?.get(..each);
    (0..count).map(header).collect()
}

fn parse(bytes: &[u8]) -> Option<Sizes> {
    let headers = headers(bytes)?;
    let names = word(headers.get(half(bytes, 0x32)?)?, 0x10)? as usize;
    let mut sizes = Sizes::default();
    for section in headers {
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

fn names(bytes: &[u8]) -> Option<Vec<String>> {
    let headers = headers(bytes)?;
    let table = headers.iter().find(|h| word(h, 4) == Some(SYMBOLS))?;
    let [at, length, texts] = [0x10, 0x14, 0x18].map(|field| word(table, field));
    let texts = word(headers.get(texts? as usize)?, 0x10)? as usize;
    let symbols = bytes.get(at? as usize..)?.get(..length? as usize)?;
    let name = |symbol: &[u8]| {
        let text = bytes.get(texts + word(symbol, 0)? as usize..)?;
        let text = text.split(|&byte| byte == 0).next()?;
        Some(String::from_utf8_lossy(text).into_owned())
    };
    symbols.chunks_exact(16).map(name).collect()
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
