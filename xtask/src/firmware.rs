//! The programs of `firmware-example/` on every board: bits, and instructions a unit of work.

use crate::compiler::{Compiler, host_cargo};
use crate::setup::require_emulator;
use crate::shell::{output, root};
use crate::step::{Options, Outcome, Step};

/// A machine that QEMU imitates.
struct Board {
    name: &'static str,
    target: &'static str,
    emulator: &'static str,
    /// Instructions of 64 ns (`-icount shift=6`) a tick of the board's clock.
    instructions: f64,
    /// Most instructions a multiply-add of the 3×3 convolution from 32 to 32 channels, with the
    /// board's fastest kernels.
    limit: Option<f64>,
}

const AN386: Board = Board {
    name: "mps2-an386",
    target: "thumbv7em-none-eabihf",
    emulator: "qemu-system-arm",
    // 25 MHz.
    instructions: 40.0 / 64.0,
    limit: Some(0.85),
};
const AN500: Board = Board {
    name: "mps2-an500",
    ..AN386
};
const AN547: Board = Board {
    name: "mps3-an547",
    target: "thumbv8m.main-none-eabihf",
    // 32 MHz.
    instructions: 31.25 / 64.0,
    limit: Some(0.40),
    ..AN386
};
const VIRT: Board = Board {
    name: "virt",
    target: "riscv32imac-unknown-none-elf",
    emulator: "qemu-system-riscv32",
    // The processor counts them itself.
    instructions: 1.0,
    limit: None,
};

/// The steps of `cargo xtask firmware`.
pub const STEPS: &[Step] = &[
    Step {
        name: "mps2-an386",
        group: "firmware",
        about: "Cortex-M4: self-test and instructions",
        run: |options| AN386.run(options),
    },
    Step {
        name: "mps2-an500",
        group: "firmware",
        about: "Cortex-M7: self-test and instructions",
        run: |options| AN500.run(options),
    },
    Step {
        name: "mps3-an547",
        group: "firmware",
        about: "Cortex-M55: self-test and instructions",
        run: |options| AN547.run(options),
    },
    Step {
        name: "virt",
        group: "firmware",
        about: "RV32IMAC: self-test and instructions",
        run: |options| VIRT.run(options),
    },
];

/// What the limits are for.
const LIMITED: &str = "conv2d_32_32";

impl Board {
    fn run(&self, options: &Options) -> Outcome {
        let tools = require_emulator(self.emulator, options)
            .and_then(|()| Compiler::require(self.target, options));
        match tools {
            Ok(compiler) => self.check(compiler).into(),
            Err(missing) => Outcome::Skipped(missing),
        }
    }

    fn check(&self, compiler: Compiler) -> Result<Outcome, String> {
        let hashes = [
            program("self_test", None)?,
            program("self_test", Some((self, compiler)))?,
        ];
        let [here, there] = hashes.each_ref().map(|text| results(text, "hash"));
        if here.is_empty() || here != there {
            return Ok(Outcome::failed(format!(
                "{}: expected the bits of this machine, {here:?}, got {there:?}",
                self.name
            )));
        }
        let text = program("latency", Some((self, compiler)))?;
        let rows: Vec<Row> = results(&text, "ticks")
            .into_iter()
            .map(|words| Row::read(&words, self.instructions))
            .collect::<Result<_, _>>()?;
        Ok(self.judge(&rows))
    }

    /// The fastest set is the last one.
    fn judge(&self, rows: &[Row]) -> Outcome {
        println!("{}: instructions a unit of work, not cycles", self.name);
        for row in rows {
            println!("  {:<20} {:<8} {:8.3}", row.name, row.set, row.each);
        }
        let Some(row) = rows.iter().rfind(|row| row.name == LIMITED) else {
            return Outcome::failed(format!("{}: no figure for {LIMITED}", self.name));
        };
        let found = format!(
            "{}, {}: {:.3} instructions a multiply-add",
            row.name, row.set, row.each
        );
        match self.limit {
            Some(limit) if row.each > limit => {
                Outcome::failed(format!("{found}, expected at most {limit}"))
            }
            _ => Outcome::noted(vec![found]),
        }
    }
}

/// One line of the program `latency`.
struct Row {
    name: String,
    set: String,
    /// Instructions a unit of work.
    each: f64,
}

impl Row {
    /// Reads `NAME SET TICKS UNITS`.
    fn read(words: &[String], instructions: f64) -> Result<Self, String> {
        let [name, set, ticks, units] = words else {
            return Err(format!("latency: expected four words, got {words:?}"));
        };
        let number = |text: &str| {
            let number = text.parse::<f64>();
            number.map_err(|error| format!("latency: '{text}': {error}"))
        };
        Ok(Self {
            name: name.clone(),
            set: set.clone(),
            each: number(ticks)? * instructions / number(units)?,
        })
    }
}

/// What a program writes on a board, or on this machine.
fn program(name: &str, board: Option<(&Board, Compiler)>) -> Result<String, String> {
    let args = ["run", "--quiet", "--release", "--locked", "--bin", name];
    let mut run = match board {
        Some((board, compiler)) => {
            let flags = format!("boards/{}/config.toml", board.name);
            compiler.cargo(&[&args[..], &["--config", &flags]].concat(), board.target)?
        }
        None => host_cargo(&args),
    };
    run.current_dir(root().join("firmware-example"));
    output(run)
}

/// The words behind `key` of every line that begins with it.
fn results(text: &str, key: &str) -> Vec<Vec<String>> {
    let lines = text.lines().map(|line| line.split_whitespace());
    lines
        .filter_map(|mut words| {
            (words.next() == Some(key)).then(|| words.map(str::to_owned).collect())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_board() {
        let text = "set dsp\nticks conv dsp 1600 2000\nhash kernels 0a\nticksy\n";
        assert_eq!(results(text, "hash"), [["kernels", "0a"]]);
        let ticks = results(text, "ticks");
        let row = Row::read(&ticks[0], AN386.instructions).unwrap();
        assert_eq!((row.set.as_str(), row.each), ("dsp", 0.5));
        assert!(Row::read(&ticks[0][..3], 1.0).is_err());
    }

    #[test]
    fn limits_hold_for_the_last_set() {
        let rows = |each: [f64; 2]| {
            let row = |(set, each): (&str, f64)| Row {
                name: LIMITED.to_owned(),
                set: set.to_owned(),
                each,
            };
            [("scalar", each[0]), ("dsp", each[1])].map(row)
        };
        let passed = |outcome| matches!(outcome, Outcome::Passed { .. });
        assert!(passed(AN500.judge(&rows([3.0, 0.8]))));
        assert!(!passed(AN500.judge(&rows([0.8, 0.9]))));
        assert!(!passed(AN500.judge(&[])));
    }
}
