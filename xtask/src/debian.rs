//! Packages of Debian and Ubuntu, by name.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::shell::{command, output, run, works};
use crate::step::Tools;

/// Where apt-get finds its sources.
const SOURCES: &str = "/etc/apt";
/// Files of a system's own sources there, newer form first.
const FILES: [&str; 2] = ["sources.list.d/debian.sources", "sources.list"];

/// The arguments of apt-get that install `packages`, from the suite of backports where `newest`
/// asks for it and there is one.
pub fn arguments(packages: &[&str], newest: bool) -> Vec<String> {
    // Nothing that is there already may have to go.
    let mut all: Vec<String> = ["install", "--yes", "--no-remove", "--no-install-recommends"]
        .map(str::to_owned)
        .to_vec();
    if let Some(suite) = newest.then(backports).flatten() {
        all.extend(["--target-release".to_owned(), suite]);
    }
    all.extend(packages.iter().map(|&package| package.to_owned()));
    all
}

/// Whether packages may be installed: by root, or by sudo where it asks for no password.
pub fn may_install() -> bool {
    is_root() || works(command("sudo", &["-n", "true"]))
}

fn is_root() -> bool {
    output(command("id", &["-u"])).is_ok_and(|id| id.trim() == "0")
}

/// Installs `packages`. Where `newest` asks for it and sources may change, a Debian that knows no
/// backports gets their suite first: its own QEMU may not go together with what is installed.
pub fn install(packages: &[&str], newest: bool, tools: Tools) -> Result<(), String> {
    if !may_install() {
        return Err("neither root nor sudo without a password".to_owned());
    }
    if newest && tools == Tools::SetUp && backports().is_none() {
        add_backports().unwrap_or_else(|why| eprintln!("    no backports: {why}"));
    }
    // Lists that cannot be renewed may still do.
    let _ = run(apt_get(&["update"]));
    let arguments = arguments(packages, newest);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    eprintln!("    apt-get {}", arguments.join(" "));
    run(apt_get(&arguments))
}

/// apt-get as root.
fn apt_get(args: &[&str]) -> Command {
    if is_root() {
        return command("apt-get", args);
    }
    command("sudo", &[&["-n", "apt-get"], args].concat())
}

/// The suite of backports that apt-get knows.
fn backports() -> Option<String> {
    let policy = output(command("apt-cache", &["policy"])).ok()?;
    let word = policy
        .split([' ', ',', '\n', '/'])
        .find(|word| word.ends_with("-backports"))?;
    let word = word.trim_start_matches("n=").trim_start_matches("a=");
    Some(word.to_owned())
}

/// Adds the suite of backports to Debian's own sources, as root; takes it back where it has no lists.
fn add_backports() -> Result<(), String> {
    let release = std::fs::read_to_string("/etc/os-release").map_err(|e| e.to_string())?;
    let field = |name: &str| {
        let value = |line: &str| {
            line.strip_prefix(name)?
                .strip_prefix('=')
                .map(str::to_owned)
        };
        let value = release.lines().find_map(value);
        value.map(|value| value.trim_matches('"').to_owned())
    };
    if field("ID").as_deref() != Some("debian") {
        return Err("/etc/os-release: ID is not debian".to_owned());
    }
    let codename = field("VERSION_CODENAME").ok_or("/etc/os-release: no VERSION_CODENAME")?;
    let Some(changed) = edit(Path::new(SOURCES), &codename)? else {
        return Ok(());
    };
    eprintln!("    {codename}-backports added to {}", changed.display());
    run(apt_get(&["update"])).or_else(|why| {
        restore(&changed)?;
        Err(format!("{why}; {} is as before", changed.display()))
    })
}

/// Adds the suite to the first file in `folder` that has an entry for `codename`, and keeps the
/// file as it was beside it; which file that is, or nothing if the suite is there already.
fn edit(folder: &Path, codename: &str) -> Result<Option<PathBuf>, String> {
    for path in FILES.map(|file| folder.join(file)) {
        let Ok(text) = std::fs::read_to_string(&path) else {
            continue;
        };
        if has_suite(&text, &format!("{codename}-backports")) {
            return Ok(None);
        }
        if let Some(changed) = with_backports(&text, codename) {
            let fail = |error: std::io::Error| format!("{}: {error}", path.display());
            std::fs::copy(&path, saved(&path)).map_err(fail)?;
            std::fs::write(&path, changed).map_err(fail)?;
            return Ok(Some(path));
        }
    }
    let files = FILES.join(" or ");
    Err(format!("no entry for {codename} in {files}"))
}

fn restore(path: &Path) -> Result<(), String> {
    let result = std::fs::copy(saved(path), path);
    result
        .map(drop)
        .map_err(|error| format!("{}: {error}", path.display()))
}

/// Where a file is kept as it was; apt-get does not read files of this ending.
fn saved(path: &Path) -> PathBuf {
    path.with_added_extension("save")
}

/// Lines that are not comments, without their line ends.
fn is_entry(line: &str) -> bool {
    !line.trim_start().starts_with('#')
}

fn has_suite(text: &str, suite: &str) -> bool {
    let mut lines = text.lines().filter(|line| is_entry(line));
    lines.any(|line| line.split_whitespace().any(|word| word == suite))
}

/// `text` with the suite of backports where the suite `codename` is; none if that has no entry with
/// the component main.
fn with_backports(text: &str, codename: &str) -> Option<String> {
    let lines: Vec<&str> = text.lines().collect();
    let mut first = 0;
    // A paragraph of the form with fields, or a line of the form with lines.
    for paragraph in lines.split(|line| line.trim().is_empty()) {
        let at = |key: &str, word: &str| {
            let is_it = |line: &&str| {
                let rest = line.strip_prefix(key);
                rest.is_some_and(|rest| rest.split_whitespace().any(|w| w == word))
            };
            paragraph.iter().position(is_it)
        };
        let fields = (at("Types:", "deb"), at("Components:", "main"));
        let on = at("Enabled:", "no").is_none();
        if let (Some(suites), (Some(_), Some(_)), true) = (at("Suites:", codename), fields, on) {
            let line = first + suites;
            let changed = format!("{} {codename}-backports", lines[line].trim_end());
            return Some(replace(&lines, line, &changed));
        }
        let line = paragraph.iter().position(|line| is_line(line, codename));
        if let Some(line) = line.map(|line| first + line) {
            let words = lines[line].split_whitespace();
            let copy: Vec<String> = words
                .map(|word| {
                    if word == codename {
                        format!("{codename}-backports")
                    } else {
                        word.to_owned()
                    }
                })
                .collect();
            let both = format!("{}\n{}", lines[line], copy.join(" "));
            return Some(replace(&lines, line, &both));
        }
        first += paragraph.len() + 1;
    }
    None
}

/// Whether `line` is `deb [OPTIONS] URI CODENAME … main …`.
fn is_line(line: &str, codename: &str) -> bool {
    let mut words = line.split_whitespace();
    words.next() == Some("deb") && words.any(|word| word == codename) && words.any(|w| w == "main")
}

fn replace(lines: &[&str], line: usize, by: &str) -> String {
    let mut all = lines.to_vec();
    all[line] = by;
    all.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: &str = "Types: deb\n# a snapshot bookworm\nURIs: URI/debian\n\
        Suites: bookworm bookworm-updates\nComponents: main\nSigned-By: /a.gpg\n\n\
        Types: deb\nURIs: URI/debian-security\nSuites: bookworm-security\nComponents: main\n";
    const LINES: &str = "# deb URI/old bookworm main\ndeb-src URI/debian bookworm main\n\
        deb [signed-by=/a.gpg] URI/debian bookworm main contrib\n\
        deb URI/debian-security bookworm-security main\n";

    #[test]
    fn fields_get_a_suite_more() {
        let expected = FIELDS.replace("bookworm-updates", "bookworm-updates bookworm-backports");
        assert_eq!(with_backports(FIELDS, "bookworm"), Some(expected));
        assert_eq!(with_backports(FIELDS, "trixie"), None);
        let other = FIELDS.replace("Components: main", "Components: stable");
        assert_eq!(with_backports(&other, "bookworm"), None);
        let off = FIELDS.replace("Types: deb\n#", "Enabled: no\nTypes: deb\n#");
        assert_eq!(with_backports(&off, "bookworm"), None);
        // Behind another paragraph.
        let later = format!("Types: deb\nSuites: nodistro\nComponents: main\n\n{FIELDS}");
        let changed = with_backports(&later, "bookworm").unwrap();
        assert!(changed.ends_with(&with_backports(FIELDS, "bookworm").unwrap()));
    }

    #[test]
    fn lines_get_a_copy() {
        let changed = with_backports(LINES, "bookworm").unwrap();
        let copy = "deb [signed-by=/a.gpg] URI/debian bookworm-backports main contrib";
        let lines: Vec<&str> = changed.lines().collect();
        assert_eq!(lines[3], copy);
        assert_eq!(lines.len(), 5);
        assert!(!has_suite(LINES, "bookworm-backports"));
        assert!(has_suite(&changed, "bookworm-backports"));
        assert!(!has_suite(&format!("# {copy}"), "bookworm-backports"));
    }

    #[test]
    fn files_change_once_and_are_kept() {
        let folder = std::env::temp_dir().join(format!("derefnet-apt-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("sources.list.d")).unwrap();
        assert!(edit(&folder, "bookworm").is_err());
        let path = folder.join(FILES[0]);
        std::fs::write(&path, FIELDS).unwrap();
        assert_eq!(edit(&folder, "bookworm").unwrap(), Some(path.clone()));
        assert_eq!(edit(&folder, "bookworm").unwrap(), None);
        let read = |path: &Path| std::fs::read_to_string(path).unwrap();
        assert_eq!(read(&path), with_backports(FIELDS, "bookworm").unwrap());
        restore(&path).unwrap();
        assert_eq!(read(&path), FIELDS);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
