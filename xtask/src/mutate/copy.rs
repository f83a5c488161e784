//! A copy of the files under version control, where errors can be planted.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::shell::{command, root, run, tracked};

/// The copy, its target folder, and results.
#[derive(Debug)]
pub struct Copy {
    folder: PathBuf,
}

impl Copy {
    /// Brings the copy up to date. Files that are the same stay untouched: nothing is compiled anew for
    /// them.
    ///
    /// # Errors
    /// Names the file that cannot be read or written.
    pub fn make() -> Result<Self, String> {
        let folder = root().join("target/mutate");
        let copy = Self { folder };
        let files: BTreeSet<String> = tracked()?.into_iter().collect();
        for path in &files {
            let bytes = std::fs::read(root().join(path)).map_err(|e| format!("{path}: {e}"))?;
            copy.write_bytes(path, &bytes)?;
        }
        copy.remove_others(&files)?;
        copy.seed()?;
        Ok(copy)
    }

    /// Begins with the dependencies that were built already, whose times must stay.
    fn seed(&self) -> Result<(), String> {
        let (from, to) = (root().join("target/debug"), self.target().join("debug"));
        if to.exists() || !from.exists() {
            return Ok(());
        }
        let fail = |error: std::io::Error| format!("{}: {error}", to.display());
        std::fs::create_dir_all(&to).map_err(fail)?;
        for part in ["deps", "build", ".fingerprint"] {
            let mut copy = command("cp", &["-a"]);
            copy.arg(from.join(part)).arg(&to);
            run(copy)?;
        }
        Ok(())
    }

    /// Removes what was copied before and is no longer there.
    fn remove_others(&self, files: &BTreeSet<String>) -> Result<(), String> {
        let list = self.folder.join("files");
        let fail = |error: std::io::Error| format!("{}: {error}", list.display());
        let before = std::fs::read_to_string(&list).unwrap_or_default();
        for path in before.lines().filter(|path| !files.contains(*path)) {
            // Already gone is as good.
            let _ = std::fs::remove_file(self.tree().join(path));
        }
        let now: Vec<&str> = files.iter().map(String::as_str).collect();
        std::fs::write(&list, now.join("\n")).map_err(fail)
    }

    /// Where everything lies.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The repository's copy.
    pub fn tree(&self) -> PathBuf {
        self.folder.join("tree")
    }

    /// What is built from it.
    pub fn target(&self) -> PathBuf {
        self.folder.join("target")
    }

    /// Text of a file of the copy.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn read(&self, path: &str) -> Result<String, String> {
        std::fs::read_to_string(self.tree().join(path)).map_err(|e| format!("{path}: {e}"))
    }

    /// Writes a file of the copy.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, path: &str, text: &str) -> Result<(), String> {
        self.write_bytes(path, text.as_bytes())
    }

    fn write_bytes(&self, path: &str, bytes: &[u8]) -> Result<(), String> {
        let to = self.tree().join(path);
        let fail = |error: std::io::Error| format!("{}: {error}", to.display());
        if std::fs::read(&to).is_ok_and(|there| there == bytes) {
            return Ok(());
        }
        if let Some(folder) = to.parent() {
            std::fs::create_dir_all(folder).map_err(fail)?;
        }
        std::fs::write(&to, bytes).map_err(fail)
    }
}
