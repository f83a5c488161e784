//! What this crate says of the kernels, against the kernels themselves.

use std::io::Write;
use std::process::{Command, Stdio};

use derefnet_cuda_kernels::{KERNELS, LAYOUTS, MODULES};

/// Bytes of a `.param` declaration.
fn parameter_bytes(line: &str) -> usize {
    let words: Vec<&str> = line
        .trim()
        .trim_end_matches(',')
        .split_whitespace()
        .collect();
    let kind = words.iter().find_map(|w| {
        [(".u32", 4), (".f32", 4), (".u64", 8), (".b8", 1)]
            .into_iter()
            .find(|k| k.0 == *w)
    });
    let (_, size) = kind.unwrap_or_else(|| panic!("{line}"));
    let count = line
        .split_once('[')
        .and_then(|(_, rest)| rest.split_once(']'));
    size * count.map_or(1, |(count, _)| count.parse().expect("a number"))
}

#[test]
fn parameters_are_those_of_the_ptx() {
    for kernel in KERNELS {
        let (_, ptx) = MODULES.iter().find(|m| m.0 == kernel.module).unwrap();
        let (_, entry) = ptx
            .split_once(&format!(".entry {}(\n", kernel.name))
            .unwrap();
        let (parameters, rest) = entry.split_once("\n)").unwrap();
        let sizes: Vec<usize> = parameters.lines().map(parameter_bytes).collect();
        assert_eq!(sizes, kernel.parameters, "{}", kernel.name);
        let (directives, _) = rest.split_once('{').unwrap();
        let block = directives
            .lines()
            .find_map(|l| l.trim().strip_prefix(".maxntid "));
        let block: Vec<&str> = block.unwrap().split(',').map(str::trim).collect();
        assert_eq!(
            block,
            [&kernel.block.to_string(), "1", "1"],
            "{}",
            kernel.name
        );
    }
}

#[test]
fn every_entry_of_the_ptx_is_declared() {
    for (module, ptx) in MODULES {
        let entries = ptx
            .lines()
            .filter_map(|line| line.strip_prefix(".visible .entry "));
        for name in entries.map(|rest| rest.trim_end_matches('(')) {
            let known = KERNELS
                .iter()
                .any(|k| k.module == *module && k.name == name);
            assert!(known, "{module}: {name}");
        }
    }
}

/// A C++ program that prints what [`LAYOUTS`] holds.
fn program() -> String {
    let mut text = String::from(
        "#include <cstddef>\n#include <cstdio>\n#include \"geometry.cuh\"\nint main() {\n",
    );
    for layout in LAYOUTS {
        let name = layout.name;
        text += &format!("std::printf(\"{name} %zu\\n\", sizeof({name}));\n");
        for (field, _) in layout.fields {
            text +=
                &format!("std::printf(\"{name}.{field} %zu\\n\", offsetof({name}, {field}));\n");
        }
    }
    text + "}\n"
}

#[test]
fn layouts_are_those_of_the_c_side() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let binary = folder.join("layout");
    let compiler = Command::new("c++")
        .args([
            "-x",
            "c++",
            "-",
            "-I",
            concat!(env!("CARGO_MANIFEST_DIR"), "/kernels"),
            "-o",
        ])
        .arg(&binary)
        .stdin(Stdio::piped())
        .spawn();
    let mut compiler = match compiler {
        Ok(child) => child,
        Err(error) if std::env::var_os("CI").is_none() => {
            eprintln!("left out: c++ is missing ({error})");
            return;
        }
        Err(error) => panic!("c++: {error}"),
    };
    let mut input = compiler.stdin.take().unwrap();
    input.write_all(program().as_bytes()).unwrap();
    drop(input);
    assert!(compiler.wait().unwrap().success());
    let output = Command::new(binary).output().unwrap();
    let mut expected = String::new();
    for layout in LAYOUTS {
        expected += &format!("{} {}\n", layout.name, layout.size);
        for (field, offset) in layout.fields {
            expected += &format!("{}.{field} {offset}\n", layout.name);
        }
    }
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
}
