//! Benchmarks, and their dated records in `benches/record/<machine>/`; those of the boards lie in
//! `benches/record/qemu/`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::firmware;
use crate::mpi::with_mpi;
use crate::shell::{cargo, command, output, root, watch, works};

/// Times that ours and the peer alternate.
const ROUNDS: usize = 3;

/// A benchmark program and, where there is one, its peer.
struct Bench {
    name: &'static str,
    /// What it is told beside its name.
    options: &'static [&'static str],
    peer: Option<Peer>,
}

/// The same work by other means, in Python.
struct Peer {
    script: &'static str,
    /// What it imports.
    modules: &'static str,
    /// How to get that.
    packages: &'static str,
}

/// All benchmarks, in the order in which they run.
const BENCHES: [Bench; 8] = [
    Bench {
        name: "kernels",
        options: &[],
        peer: None,
    },
    Bench {
        name: "train_step",
        options: &[],
        peer: Some(Peer {
            script: "benches/peers/train_step.py",
            modules: "torch",
            packages: "torch",
        }),
    },
    Bench {
        name: "inference",
        options: &[],
        peer: Some(Peer {
            script: "benches/peers/inference.py",
            modules: "numpy, onnx, onnxruntime",
            packages: "numpy onnx onnxruntime",
        }),
    },
    Bench {
        name: "quantised",
        options: &[],
        peer: None,
    },
    Bench {
        name: "scaling",
        options: &[],
        peer: None,
    },
    Bench {
        name: "bound",
        options: &[],
        peer: None,
    },
    Bench {
        name: "locate",
        options: &[],
        peer: None,
    },
    Bench {
        name: "offgrid",
        options: &["--out", "docs"],
        peer: None,
    },
];

/// What needs MPI, and a core for each of its processes: only where named.
const MPI: Bench = Bench {
    name: "mpi",
    options: &[],
    peer: None,
};

/// Instructions on boards, which no machine changes: only where named.
const BOARDS: &str = "firmware";

/// Names of those that need nothing but this machine.
pub fn names() -> impl Iterator<Item = &'static str> {
    BENCHES.iter().map(|bench| bench.name)
}

/// `cargo xtask bench [--peer] [NAME…]`: all benchmarks or those named.
pub fn run(args: &[String]) -> Result<bool, String> {
    let peers = args.iter().any(|arg| arg == "--peer");
    let wanted: Vec<&String> = args.iter().filter(|arg| *arg != "--peer").collect();
    let names: Vec<&str> = names().chain([MPI.name, BOARDS]).collect();
    if let Some(bad) = wanted.iter().find(|name| !names.contains(&name.as_str())) {
        let names = names.join(", ");
        return Err(format!("bench: {bad}, expected --peer or some of {names}"));
    }
    let is_named = |name: &str| wanted.iter().any(|n| *n == name);
    let is_wanted =
        |bench: &&Bench| is_named(bench.name) || wanted.is_empty() && bench.name != MPI.name;
    // Every peer's Python is found before the first benchmark runs.
    let plan: Result<Vec<_>, String> = BENCHES
        .iter()
        .chain([&MPI])
        .filter(is_wanted)
        .map(|bench| Ok((bench.name, bench.commands(peers)?)))
        .collect();
    let plan = plan?;
    let mut good = true;
    if !plan.is_empty() {
        let record = Record::new()?;
        for (name, commands) in plan {
            good &= record.keep(name, commands)?;
        }
        println!("records: {}", record.folder.display());
    }
    if is_named(BOARDS) {
        let folder = firmware::record(&date(SystemTime::now()))?;
        println!("records: {}", folder.display());
    }
    Ok(good)
}

impl Bench {
    /// Ours alone once or, with `peers`, ours and the peer by turns.
    fn commands(&self, peers: bool) -> Result<Vec<Command>, String> {
        let ours = || {
            let mut ours = match self.name {
                name if name == MPI.name => {
                    with_mpi(&[&bench(name)[..], &["--features", "mpi"]].concat())
                }
                name => cargo(&bench(name)),
            };
            if !self.options.is_empty() {
                // Benchmarks run in their package's folder.
                ours.arg("--")
                    .args(self.options.iter().map(|option| rooted(option)));
            }
            ours
        };
        let Some(peer) = self.peer.as_ref().filter(|_| peers) else {
            return Ok(vec![ours()]);
        };
        let python = peer.python()?;
        let round = |_| [ours(), command(&python, &[peer.script])];
        Ok((0..ROUNDS).flat_map(round).collect())
    }
}

impl Peer {
    /// A Python that has what the peer imports: `$PYTHON`, else `python3`, else `python`.
    fn python(&self) -> Result<String, String> {
        let given = std::env::var("PYTHON").into_iter();
        let usual = ["python3", "python"].map(str::to_owned);
        let import = format!("import {}", self.modules);
        let can_run = |python: &String| works(command(python, &["-c", &import]));
        given.chain(usual).find(can_run).ok_or_else(|| {
            format!(
                "{}: no Python with {} found: pip install {}, or point PYTHON at one that has them",
                self.script, self.modules, self.packages
            )
        })
    }
}

/// An option that names a file or folder of the project, from the root; others as they are.
fn rooted(option: &str) -> PathBuf {
    let path = root().join(option);
    if path.exists() { path } else { option.into() }
}

fn bench(name: &str) -> [&str; 6] {
    [
        "bench",
        "--package",
        "derefnet-benches",
        "--locked",
        "--bench",
        name,
    ]
}

struct Record {
    folder: PathBuf,
    date: String,
    machine: String,
}

impl Record {
    fn new() -> Result<Self, String> {
        let cpu = cpu();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let folder = root().join("benches/record").join(slug(&cpu, cores));
        std::fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        let rustc = output(command("rustc", &["--version"]))?;
        let machine = format!(
            "cpu: {cpu}\ncores: {cores}\nos: {}-{}\nrustc: {}\ncommit: {}\n",
            std::env::consts::ARCH,
            std::env::consts::OS,
            rustc.trim(),
            commit(),
        );
        Ok(Self {
            folder,
            date: date(SystemTime::now()),
            machine,
        })
    }

    /// Runs `commands` one after the other and keeps what they print; whether all succeeded.
    fn keep(&self, name: &str, commands: Vec<Command>) -> Result<bool, String> {
        let mut text = format!("{}load before: {}\n", self.machine, load());
        let mut good = true;
        for command in commands {
            text.push('\n');
            good &= watch(command, |line| {
                text.push_str(line);
                text.push('\n');
            })?;
        }
        text.push_str(&format!("\nload after: {}\n", load()));
        let path = self.folder.join(format!("{}-{name}.txt", self.date));
        std::fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()))?;
        Ok(good)
    }
}

/// The commit that is checked out.
pub fn commit() -> String {
    let commit = output(command("git", &["rev-parse", "--short", "HEAD"]));
    commit.map_or_else(|_| "unknown".to_owned(), |commit| commit.trim().to_owned())
}

fn cpu() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let names = info.lines().filter(|line| line.starts_with("model name"));
    let name = names
        .filter_map(|line| line.split_once(": "))
        .map(|(_, name)| name.to_owned());
    name.into_iter()
        .next()
        .unwrap_or_else(|| format!("{} processor", std::env::consts::ARCH))
}

fn load() -> String {
    let load = std::fs::read_to_string(Path::new("/proc/loadavg")).unwrap_or_default();
    let shown: Vec<&str> = load.split_whitespace().take(3).collect();
    if shown.is_empty() {
        return "unknown".to_owned();
    }
    shown.join(" ")
}

/// A folder name: lower-case letters and digits, `-` between words.
fn slug(cpu: &str, cores: usize) -> String {
    let cpu = cpu.to_lowercase().replace("(r)", "").replace("(tm)", "");
    let words = cpu
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty());
    format!("{}-{cores}-cores", words.collect::<Vec<_>>().join("-"))
}

/// `YYYY-MM-DD` in UTC.
fn date(now: SystemTime) -> String {
    let days = now
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| d.as_secs() / 86_400);
    let (mut year, mut left) = (1970, days);
    while left >= year_len(year) {
        left -= year_len(year);
        year += 1;
    }
    let mut month = 1;
    while left >= month_len(year, month) {
        left -= month_len(year, month);
        month += 1;
    }
    format!("{year:04}-{month:02}-{:02}", left + 1)
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400)
}

fn year_len(year: u64) -> u64 {
    365 + u64::from(is_leap(year))
}

fn month_len(year: u64, month: u64) -> u64 {
    match month {
        2 => 28 + u64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// Expected dates: `date -u -d @SECONDS +%F`.
    #[test]
    fn dates() {
        let at = |seconds| date(UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(at(0), "1970-01-01");
        assert_eq!(at(951_782_400), "2000-02-29");
        assert_eq!(at(1_735_689_599), "2024-12-31");
        assert_eq!(at(1_772_323_200), "2026-03-01");
    }

    #[test]
    fn benches_without_peers_run_once() {
        for bench in &BENCHES {
            assert_eq!(bench.commands(false).unwrap().len(), 1, "{}", bench.name);
        }
    }

    #[test]
    fn unknown_benches_are_refused() {
        let refused = run(&["offgird".to_owned()]).unwrap_err();
        assert!(
            refused.contains("offgird") && refused.contains("offgrid"),
            "{refused}"
        );
    }

    #[test]
    fn options_name_files_that_exist() {
        let options = BENCHES.iter().flat_map(|bench| bench.options);
        let files = options.filter(|option| option.contains('/'));
        assert!(
            files
                .map(|file| rooted(file))
                .all(|path| path.is_absolute())
        );
    }

    #[test]
    fn scripts_of_peers_exist() {
        for peer in BENCHES.iter().filter_map(|bench| bench.peer.as_ref()) {
            assert!(root().join(peer.script).is_file(), "{}", peer.script);
        }
    }

    #[test]
    fn folder_names() {
        assert_eq!(
            slug("Intel(R) Xeon(R) CPU @ 2.60GHz", 2),
            "intel-xeon-cpu-2-60ghz-2-cores"
        );
    }
}
