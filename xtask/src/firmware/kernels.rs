//! Instructions a unit of work of the kernels.

use std::fmt::Write as _;

use super::board::Board;
use super::record::Table;
use super::results::{number, words};

/// What the boards' limits are for.
const LIMITED: &str = "conv2d_32_32";

/// One line of the program `latency`: `ticks NAME SET TICKS UNITS`.
#[derive(Debug)]
struct Row {
    name: String,
    set: String,
    instructions: f64,
    /// Of work; a convolution's are multiply-adds, those with the zeros around the map included.
    units: f64,
}

impl Row {
    fn read(words: &[&str], instructions: f64) -> Result<Self, String> {
        let &[name, set, ticks, units] = words else {
            return Err(format!("latency: expected four words, got {words:?}"));
        };
        Ok(Self {
            name: name.to_owned(),
            set: set.to_owned(),
            instructions: number("latency", ticks)? * instructions,
            units: number("latency", units)?,
        })
    }

    fn each(&self) -> f64 {
        self.instructions / self.units
    }
}

/// What every kernel takes on one board.
#[derive(Debug)]
pub struct Latencies {
    board: &'static Board,
    rows: Vec<Row>,
}

impl Latencies {
    /// Reads what `latency` said on `board`.
    pub fn read(board: &'static Board, text: &str) -> Result<Self, String> {
        let rows = words(text, "ticks").into_iter();
        let read = |words: Vec<&str>| Row::read(&words, board.instructions);
        Ok(Self {
            board,
            rows: rows.map(read).collect::<Result<_, _>>()?,
        })
    }

    /// A line for each kernel.
    pub fn text(&self) -> String {
        let board = self.board.name;
        let mut text = format!("{board}: instructions a unit of work, not cycles\n");
        for row in &self.rows {
            let _ = writeln!(
                text,
                "  {:<22} {:<8} {:12.3}",
                row.name,
                row.set,
                row.each()
            );
        }
        text
    }

    /// The limited figure, or how it fails.
    pub fn judge(&self) -> Result<String, String> {
        let board = self.board;
        // The fastest set is the last one.
        let row = self.rows.iter().rfind(|row| row.name == LIMITED);
        let row = row.ok_or_else(|| format!("{}: no figure for {LIMITED}", board.name))?;
        let found = format!(
            "{}: {}, {}: {:.3} instructions a multiply-add",
            board.name,
            row.name,
            row.set,
            row.each()
        );
        match board.limit {
            Some(limit) if row.each() > limit => Err(format!("{found}, expected at most {limit}")),
            _ => Ok(found),
        }
    }
}

/// The table of a record.
pub fn table(all: &[Latencies]) -> Table {
    let row = |board: &'static Board, row: &Row| {
        let Row {
            name,
            set,
            instructions,
            units,
        } = row;
        let each = row.each();
        [board.name, name, set]
            .map(str::to_owned)
            .into_iter()
            .chain([
                units.to_string(),
                format!("{instructions:.0}"),
                format!("{each:.4}"),
            ])
            .collect()
    };
    let rows = all
        .iter()
        .flat_map(|one| one.rows.iter().map(move |each| row(one.board, each)));
    Table {
        name: "kernels",
        columns: "board,kernel,kernels,units,instructions,instructions_a_unit",
        keys: 3,
        limited: &["instructions"],
        rows: rows.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::board::AN500;
    use super::*;

    #[test]
    fn limits_hold_for_the_last_set() {
        let text = |each: [u32; 2]| {
            let [scalar, dsp] = each;
            format!("ticks {LIMITED} scalar {scalar} 1000\nticks {LIMITED} dsp {dsp} 1000\n")
        };
        let judge = |text: &str| Latencies::read(&AN500, text)?.judge();
        // 0.625 instructions a tick.
        assert!(judge(&text([4800, 1280])).unwrap().contains("0.800"));
        assert!(judge(&text([1280, 1440])).unwrap_err().contains("0.900"));
        assert!(judge("").is_err());
        assert!(judge("ticks a b 1\n").is_err());
    }

    #[test]
    fn records_keep_whole_and_unit() {
        let latencies = Latencies::read(&AN500, "ticks pack dsp 1600 300\n").unwrap();
        let rows = table(&[latencies]).rows;
        assert_eq!(
            rows,
            [["mps2-an500", "pack", "dsp", "300", "1000", "3.3333"]]
        );
    }
}
