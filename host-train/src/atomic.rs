//! Files that are either complete or absent: written beside the target, then renamed over it.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::{Error, Result};

/// Replaces the content of `path` with `bytes`.
///
/// # Errors
///
/// [`Error::Io`] naming `path`; what stood there before is untouched.
pub fn write_bytes(path: impl AsRef<Path>, bytes: &[u8]) -> Result<()> {
    write(path, |file| file.write_all(bytes))
}

/// Replaces the content of `path` with what `fill` writes.
///
/// The data lie in a sibling until they are on the disk; a crash at any moment leaves the old or
/// the new file, never a part of one. A link is followed. A device or a pipe cannot be replaced
/// by a rename and is written directly.
///
/// # Errors
///
/// [`Error::Io`] naming `path`; what stood there before is untouched, and the sibling is removed.
pub fn write(path: impl AsRef<Path>, fill: impl FnOnce(&mut File) -> io::Result<()>) -> Result<()> {
    let path = path.as_ref();
    write_io(path, fill).map_err(|source| Error::io(path, source))
}

fn write_io(path: &Path, fill: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    match fs::metadata(&target) {
        Ok(meta) if meta.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
        Ok(meta) if !meta.is_file() => {
            return fill(&mut OpenOptions::new().write(true).open(path)?);
        }
        _ => {}
    }
    let (sibling, mut file) = create_sibling(&target)?;
    let written = fill(&mut file)
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&sibling, &target));
    if written.is_err() {
        // The first error is the one worth reporting.
        let _ = fs::remove_file(&sibling);
        return written;
    }
    sync_folder(&target);
    Ok(())
}

/// Opens a new file in the folder of `target`: a rename is only atomic within one file system.
fn create_sibling(target: &Path) -> io::Result<(PathBuf, File)> {
    static SERIAL: AtomicU64 = AtomicU64::new(0);
    let name = target.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
    loop {
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let mut hidden = OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".{}-{serial}.tmp", std::process::id()));
        let sibling = target.with_file_name(hidden);
        match OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&sibling)
        {
            // Left by a killed process that had our number: take the next serial.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
            Ok(file) => return Ok((sibling, file)),
        }
    }
}

/// Makes the rename itself durable, where folders can be opened (not on Windows).
fn sync_folder(target: &Path) {
    let folder = match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    if let Ok(handle) = File::open(folder) {
        let _ = handle.sync_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::tempdir;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn replaces_and_leaves_no_sibling() {
        let scratch = tempdir().unwrap();
        let folder = scratch.path();
        let path = folder.join("a.bin");
        write_bytes(&path, b"old and longer").unwrap();
        write_bytes(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(names(folder), ["a.bin"]);
    }

    #[test]
    fn failing_writer_keeps_old_content() {
        let scratch = tempdir().unwrap();
        let folder = scratch.path();
        let path = folder.join("a.bin");
        write_bytes(&path, b"old").unwrap();
        let outcome = write(&path, |file| {
            file.write_all(b"half")?;
            Err(io::Error::other("power cut"))
        });
        assert!(outcome.unwrap_err().to_string().contains("power cut"));
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(names(folder), ["a.bin"]);
    }

    #[test]
    fn missing_folder_and_folder_as_target_are_errors() {
        let scratch = tempdir().unwrap();
        let folder = scratch.path();
        let missing = folder.join("none").join("a.bin");
        let error = write_bytes(&missing, b"x").unwrap_err();
        assert!(error.to_string().contains("a.bin"), "{error}");
        assert!(write_bytes(folder, b"x").is_err());
    }

    #[cfg(unix)]
    #[test]
    fn link_is_followed_and_device_survives() {
        use std::os::unix::fs::FileTypeExt;
        let scratch = tempdir().unwrap();
        let folder = scratch.path();
        let (real, link) = (folder.join("real"), folder.join("link"));
        write_bytes(&real, b"old").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        write_bytes(&link, b"new").unwrap();
        assert_eq!(fs::read(&real).unwrap(), b"new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());

        write_bytes("/dev/null", b"x").unwrap();
        let kind = fs::metadata("/dev/null").unwrap().file_type();
        assert!(kind.is_char_device());
    }
}
