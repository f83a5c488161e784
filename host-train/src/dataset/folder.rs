//! Folders that are either complete or absent.

use crate::{Error, Result};
use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Lets `fill` write into a hidden sibling of `dir` and renames that to `dir`.
///
/// # Errors
/// [`Error::Format`] if `dir` exists and is not an empty folder, [`Error::Io`] if the system refuses;
/// after an error of `fill` the sibling is gone and `dir` is as before.
pub fn create(dir: &Path, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let target = vacant(dir)?;
    let scratch = sibling(&target)?;
    let filled = fill(&scratch).and_then(|()| publish(&scratch, &target));
    if filled.is_err() {
        // The first error is the one worth reporting.
        let _ = fs::remove_dir_all(&scratch);
    }
    filled
}

/// Refuses anything but a missing or empty folder; follows links, makes missing parents.
fn vacant(dir: &Path) -> Result<PathBuf> {
    let refuse = |source| Error::io(dir, source);
    match fs::read_dir(dir) {
        Ok(mut entries) => {
            if entries.next().is_some() {
                let message = "the folder is not empty, expected a new or empty one";
                return Err(Error::format(dir, message));
            }
            fs::canonicalize(dir).map_err(refuse)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            if let Some(parent) = dir.parent().filter(|parent| *parent != Path::new("")) {
                fs::create_dir_all(parent).map_err(|source| Error::io(parent, source))?;
            }
            Ok(dir.to_owned())
        }
        Err(error) if error.kind() == ErrorKind::NotADirectory && dir.exists() => Err(
            Error::format(dir, "this is a file, expected a new or empty folder"),
        ),
        Err(error) => Err(refuse(error)),
    }
}

/// Makes a new folder in the parent of `target`: a rename is only atomic within one file system.
fn sibling(target: &Path) -> Result<PathBuf> {
    let name = target.file_name().ok_or_else(|| {
        Error::format(target, "this path has no last name, expected a new folder")
    })?;
    for serial in 0u32.. {
        let mut hidden = OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".{}-{serial}.partial", std::process::id()));
        let path = target.with_file_name(hidden);
        match fs::create_dir(&path) {
            Ok(()) => return Ok(path),
            // Another thread's, or left by a killed process that had our number.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(source) => return Err(Error::io(target, source)),
        }
    }
    unreachable!("four billion siblings")
}

fn publish(scratch: &Path, target: &Path) -> Result<()> {
    // An empty folder is in the way of a rename on some systems.
    if target.exists() {
        fs::remove_dir(target).map_err(|source| Error::io(target, source))?;
    }
    fs::rename(scratch, target).map_err(|source| Error::io(target, source))
}
