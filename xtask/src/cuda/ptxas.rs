//! What ptxas makes of the committed PTX: registers, shared memory, no spills.

use std::path::Path;
use std::process::Command;

use super::occupancy::{Block, LIMITS, Limits};
use super::stems;
use crate::shell::{read, root};
use crate::step::Outcome;

/// A kernel as ptxas reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Report {
    name: String,
    registers: u32,
    shared: u32,
    spills: bool,
}

/// Compiles every module for every capability, prints the table.
pub fn check(bin: &Path) -> Result<Outcome, String> {
    let mut findings = Vec::new();
    let mut table = Vec::new();
    for stem in stems("cuda-kernels/kernels")? {
        let path = format!("cuda-kernels/ptx/{stem}.ptx");
        let ptx = read(&path)?;
        let mut rows: Vec<Row> = threads(&ptx).map(Row::new).collect();
        for (column, limits) in LIMITS.iter().enumerate() {
            let said = compile(bin, &path, limits)?;
            for report in reports(&said) {
                if report.spills {
                    findings.push(format!("{} spills for {}", report.name, limits.arch));
                }
                if let Some(row) = rows.iter_mut().find(|row| row.name == report.name) {
                    row.cells[column] = Some(report);
                }
            }
        }
        for row in &rows {
            if row.cells.iter().any(Option::is_none) {
                findings.push(format!("{path}: ptxas says nothing of {}", row.name));
            }
        }
        table.extend(rows);
    }
    print(&table);
    if findings.is_empty() {
        return Ok(Outcome::noted(vec![format!("{} kernels", table.len())]));
    }
    Ok(Outcome::unless(findings))
}

struct Row {
    name: String,
    threads: u32,
    dynamic: bool,
    cells: [Option<Report>; LIMITS.len()],
}

impl Row {
    fn new((name, threads, dynamic): (String, u32, bool)) -> Self {
        let cells = [const { None }; LIMITS.len()];
        Self {
            name,
            threads,
            dynamic,
            cells,
        }
    }
}

fn print(table: &[Row]) {
    println!(
        "{:<34} {:>7}  registers, shared bytes, blocks, occupancy of a multiprocessor",
        "kernel", "threads"
    );
    for row in table {
        let mut line = format!("{:<34} {:>7}", row.name, row.threads);
        for (limits, report) in LIMITS.iter().zip(&row.cells) {
            let Some(report) = report else {
                continue;
            };
            let block = Block {
                threads: row.threads,
                registers: report.registers,
                shared: report.shared,
            };
            let more = if row.dynamic { "+" } else { " " };
            line += &format!(
                "  {}: {:>3} {:>6}{more} {:>2} {:>3} %",
                limits.arch,
                report.registers,
                report.shared,
                limits.resident(block),
                limits.occupancy(block)
            );
        }
        println!("{line}");
    }
    println!("+: and shared memory sized by the launch, which is not counted");
}

/// Kernels of a module with the threads of a block, and whether launches size shared memory.
fn threads(ptx: &str) -> impl Iterator<Item = (String, u32, bool)> {
    let dynamic: Vec<&str> = ptx
        .lines()
        .filter(|line| line.starts_with(".extern .shared"))
        .filter_map(|line| line.split_whitespace().last())
        .map(|name| name.trim_end_matches("[];"))
        .collect();
    ptx.split(".entry ").skip(1).map(move |entry| {
        let name = entry
            .split('(')
            .next()
            .unwrap_or_default()
            .trim()
            .to_owned();
        let bound = entry.split(".maxntid ").nth(1);
        let threads = bound.map_or(1, |bound| {
            let list = bound.lines().next().unwrap_or_default();
            list.split(',')
                .filter_map(|n| n.trim().parse::<u32>().ok())
                .product()
        });
        let uses = |name: &&str| entry.contains(&format!(", {name};"));
        (name, threads, dynamic.iter().any(uses))
    })
}

fn compile(bin: &Path, path: &str, limits: &Limits) -> Result<String, String> {
    let arch = format!("-arch={}", limits.arch);
    let output = Command::new(bin.join("ptxas"))
        .args([
            "-v",
            "-warn-spills",
            "-Werror",
            &arch,
            path,
            "-o",
            "/dev/null",
        ])
        .current_dir(root())
        .output()
        .map_err(|error| format!("ptxas: {error}"))?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() || text.contains("spill") {
        return Ok(text);
    }
    Err(format!("ptxas {arch} {path}: {}\n{text}", output.status))
}

/// Reads `ptxas -v`.
fn reports(text: &str) -> Vec<Report> {
    let mut reports = Vec::new();
    let mut name = String::new();
    let mut spills = false;
    for line in text.lines() {
        if let Some(rest) = line.split("Compiling entry function '").nth(1) {
            name = rest.split('\'').next().unwrap_or_default().to_owned();
        } else if line.contains("bytes spill stores") {
            spills = !line.contains("0 bytes spill stores, 0 bytes spill loads");
        } else if let Some(rest) = line.split("Used ").nth(1) {
            let before = |unit: &str| {
                let part = rest.split(", ").find(|part| part.ends_with(unit))?;
                part.split(' ').next()?.parse().ok()
            };
            reports.push(Report {
                name: name.clone(),
                registers: before(" registers").unwrap_or(0),
                shared: before(" bytes smem").unwrap_or(0),
                spills,
            });
        }
    }
    reports
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_of_ptxas() {
        let text = "\
ptxas info    : Compiling entry function 'a' for 'sm_80'
ptxas info    : Function properties for a
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 54 registers, used 1 barriers, 12288 bytes smem, 432 bytes cmem[0]
ptxas info    : Compiling entry function 'b' for 'sm_80'
ptxas info    : Function properties for b
    8 bytes stack frame, 8 bytes spill stores, 10 bytes spill loads
ptxas info    : Used 14 registers, used 0 barriers";
        let report = |name: &str, registers, shared, spills| Report {
            name: name.to_owned(),
            registers,
            shared,
            spills,
        };
        let expected = [report("a", 54, 12288, false), report("b", 14, 0, true)];
        assert_eq!(reports(text), expected);
    }

    #[test]
    fn blocks_stand_in_the_ptx() {
        let ptx = ".extern .shared .align 16 .b8 d[];\n.visible .entry k(\n.param .u64 p\n)\n\
                   .maxntid 64, 2, 1\n{\nmov.u32 %r1, d;\n}\n.visible .entry l(\n)\n{\n}\n";
        let found: Vec<_> = threads(ptx).collect();
        assert_eq!(
            found,
            [("k".to_owned(), 128, true), ("l".to_owned(), 1, false)]
        );
    }
}
