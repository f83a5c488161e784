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

/// Removes from `folder` what killed processes left there while [`write()`] was at work.
///
/// Only plain files of exactly the hidden names that [`write()`] gives are removed, and only where the
/// process in the name is gone by `/proc`, or had this process's number; call it before this process
/// writes to `folder`. Where there is no `/proc`, others' files stay.
///
/// # Errors
///
/// [`Error::Io`] if the folder cannot be listed or a file not removed.
pub fn sweep(folder: &Path) -> Result<()> {
    let refuse = |source| Error::io(folder, source);
    for entry in fs::read_dir(folder).map_err(refuse)? {
        let entry = entry.map_err(refuse)?;
        let writer = entry.file_name().to_str().and_then(writer);
        let plain = entry.file_type().is_ok_and(|kind| kind.is_file());
        if plain && writer.is_some_and(is_gone) {
            let path = entry.path();
            fs::remove_file(&path).map_err(|source| Error::io(&path, source))?;
        }
    }
    Ok(())
}

/// Number of the process that gave a sibling its name `.<target>.<process>-<serial>.tmp`.
fn writer(name: &str) -> Option<u32> {
    let inner = name.strip_prefix('.')?.strip_suffix(".tmp")?;
    let (target, numbers) = inner.rsplit_once('.')?;
    let (process, serial) = numbers.split_once('-')?;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let ours = !target.is_empty() && !serial.is_empty() && digits(process) && digits(serial);
    ours.then(|| process.parse().ok())?
}

/// Whether a left-over sibling's process has ended; one with our own number has.
fn is_gone(process: u32) -> bool {
    let proc = Path::new("/proc");
    let known = proc.join("self").exists();
    process == std::process::id() || known && !proc.join(process.to_string()).exists()
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
    fn sweep_removes_left_over_siblings_only() {
        let scratch = tempdir().unwrap();
        let folder = scratch.path();
        let own = std::process::id();
        // Larger than the largest process number of Linux, 2^22.
        let gone = 4_294_967_295_u32;
        let stay = [
            format!(".a.bin.{gone}-.tmp"),
            format!(".a.bin.{gone}-0"),
            format!(".a.bin.{gone}0-0.tmp"),
            format!(".a.bin.x{gone}-0.tmp"),
            format!("..{gone}-0.tmp"),
            format!("a.bin.{gone}-0.tmp"),
            "a.bin".to_owned(),
        ];
        let mut left = vec![format!(".a.bin.{own}-3.tmp")];
        if Path::new("/proc/self").exists() {
            left.push(format!(".b.{gone}-12.tmp"));
        }
        for name in stay.iter().chain(&left) {
            fs::write(folder.join(name), "x").unwrap();
        }
        let kept = format!(".folder.{own}-0.tmp");
        fs::create_dir(folder.join(&kept)).unwrap();
        sweep(folder).unwrap();
        let mut expected = stay.to_vec();
        expected.push(kept);
        expected.sort();
        assert_eq!(names(folder), expected);
        assert!(sweep(&folder.join("none")).is_err());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn sweep_leaves_a_running_process_its_file() {
        let scratch = tempdir().unwrap();
        let name = ".a.bin.1-0.tmp";
        fs::write(scratch.path().join(name), "x").unwrap();
        sweep(scratch.path()).unwrap();
        assert_eq!(names(scratch.path()), [name]);
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
