//! Compiles kernels for this processor: sources as nvcc takes them, g++, and the shim.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const SHIM: &str = include_str!("../../shim/cuda_shim.h");

/// Flags: fused multiply-adds as on a GPU, no assumptions about aliases that nvcc does not make.
const FLAGS: [&str; 9] = [
    "-std=c++20",
    "-O2",
    "-march=x86-64-v3",
    "-ffp-contract=fast",
    "-fno-strict-aliasing",
    "-fPIC",
    "-w",
    "-x",
    "c++",
];

/// Makes `object` out of the `.cu` files of `kernels`; their entries are those of the PTX files of
/// the same stems in `ptx`. Files of `work` are overwritten. Compiles only what changed.
///
/// # Errors
///
/// A file that cannot be read or written, or what g++ says.
pub fn build(kernels: &Path, ptx: &Path, work: &Path, object: &Path) -> Result<(), String> {
    fs::create_dir_all(work).map_err(|error| format!("{}: {error}", work.display()))?;
    write(&work.join("cuda_shim.h"), SHIM)?;
    let mut sources = Vec::new();
    for path in files(kernels)? {
        let text = read(&path)?;
        let name = path.file_name().unwrap_or_default();
        let lines = format!(
            "#line 1 \"{}\"\n{}",
            name.display(),
            shared_by_driver(&text)?
        );
        match path.extension().and_then(|end| end.to_str()) {
            Some("cuh" | "h") => write(&work.join(name), &lines)?,
            Some("cu") => sources.push((path.clone(), lines)),
            _ => {}
        }
    }
    let mut commands = Vec::new();
    for (path, text) in &sources {
        let stem = path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let ptx = read(&ptx.join(format!("{stem}.ptx")))?;
        let entries = ptx.lines().filter_map(|line| line.split(".entry ").nth(1));
        let names = entries.map(|rest| rest.trim_end_matches('(').trim());
        let tail: String = names.map(|name| format!("EMU_KERNEL({name})\n")).collect();
        let source = work.join(format!("{stem}.cpp"));
        write(
            &source,
            &format!("#include \"cuda_shim.h\"\n{text}\n{tail}"),
        )?;
        let made = work.join(format!("{stem}.o"));
        commands.push((source, made));
    }
    let state = work.join("emu_state.cpp");
    let text = "#include \"cuda_shim.h\"\nEmuPlace emu_place;\nEmuHooks emu_hooks;\n\
                extern \"C\" const unsigned emu_hooks_bytes;\n\
                const unsigned emu_hooks_bytes = sizeof(EmuHooks);\n";
    write(&state, text)?;
    commands.push((state, work.join("emu_state.o")));
    let newest = newest_header(work)?;
    for (source, made) in &commands {
        if stale(made, &[source], newest) {
            run(Command::new("g++")
                .args(FLAGS)
                .arg("-c")
                .arg(source)
                .arg("-o")
                .arg(made))?;
        }
    }
    let objects: Vec<_> = commands.iter().map(|(_, made)| made.clone()).collect();
    let partial = object.with_extension("partial");
    run(Command::new("g++")
        .arg("-shared")
        .args(&objects)
        .arg("-o")
        .arg(&partial))?;
    fs::rename(&partial, object).map_err(|error| format!("{}: {error}", object.display()))
}

/// Hands `__shared__` variables to the driver, which gives each its own guarded memory:
/// `__shared__ T name[n];` becomes a reference, `extern __shared__ T name[];` a pointer.
fn shared_by_driver(text: &str) -> Result<String, String> {
    let mut out = String::new();
    for line in text.lines() {
        let code = line.split("//").next().unwrap_or_default();
        match code.split_once("__shared__") {
            Some((before, declaration)) => {
                let is_extern = before.trim() == "extern";
                out.push_str(&replaced(is_extern, declaration.trim()).ok_or_else(|| {
                    format!(
                        "{}: expected one __shared__ variable on its line",
                        line.trim()
                    )
                })?);
            }
            None => out.push_str(line),
        }
        out.push('\n');
    }
    Ok(out)
}

fn replaced(is_extern: bool, declaration: &str) -> Option<String> {
    let declaration = declaration.strip_suffix(';')?;
    let declaration = match declaration.strip_prefix("__align__(") {
        Some(rest) => rest.split_once(')')?.1.trim(),
        None => declaration,
    };
    let (head, dimensions) = match declaration.find('[') {
        Some(at) => declaration.split_at(at),
        None => (declaration, ""),
    };
    let (ty, name) = head.trim().rsplit_once(char::is_whitespace)?;
    if head.contains(',') || dimensions.contains(',') {
        return None;
    }
    if is_extern {
        return Some(format!("{ty} *const {name} = ({ty} *)emu_hooks.dynamic();"));
    }
    Some(format!(
        "typedef {ty} {name}_type{dimensions}; static const char {name}_key = 0; \
         {name}_type &{name} = *({name}_type *)emu_hooks.shared(&{name}_key, sizeof({name}_type));"
    ))
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    Ok(paths)
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// Leaves a file alone that has this text already.
fn write(path: &Path, text: &str) -> Result<(), String> {
    if fs::read_to_string(path).is_ok_and(|there| there == text) {
        return Ok(());
    }
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

type Time = Option<std::time::SystemTime>;

fn time(path: &Path) -> Time {
    fs::metadata(path).and_then(|data| data.modified()).ok()
}

fn newest_header(work: &Path) -> Result<Time, String> {
    let headers = files(work)?.into_iter();
    let headers = headers.filter(|path| path.extension().is_some_and(|e| e == "cuh" || e == "h"));
    Ok(headers.filter_map(|path| time(&path)).max())
}

fn stale(made: &Path, from: &[&Path], headers: Time) -> bool {
    let newest = from.iter().filter_map(|path| time(path)).max().max(headers);
    time(made).is_none_or(|made| Some(made) <= newest)
}

fn run(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    Err(format!("{program}: {}\n{text}", output.status))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_variables_become_the_drivers() {
        let out = shared_by_driver("    extern __shared__ float kernel[];\nint x;").unwrap();
        assert_eq!(
            out,
            "float *const kernel = (float *)emu_hooks.dynamic();\nint x;\n"
        );
        let out = shared_by_driver("__shared__ double sums[A][2]; // why").unwrap();
        assert!(out.starts_with("typedef double sums_type[A][2];"), "{out}");
        assert!(shared_by_driver("__shared__ float a[2], b[2];").is_err());
    }
}
