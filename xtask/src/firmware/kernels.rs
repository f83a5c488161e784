//! Instructions a unit of work of the kernels.

use super::board::Board;
use super::results::{number, words};

/// What the boards' limits are for.
const LIMITED: &str = "conv2d_32_32";

/// One line of the program `latency`: `ticks NAME SET TICKS UNITS`.
#[derive(Debug)]
struct Row {
    name: String,
    set: String,
    /// Instructions a unit of work.
    each: f64,
}

impl Row {
    fn read(words: &[&str], instructions: f64) -> Result<Self, String> {
        let &[name, set, ticks, units] = words else {
            return Err(format!("latency: expected four words, got {words:?}"));
        };
        Ok(Self {
            name: name.to_owned(),
            set: set.to_owned(),
            each: number("latency", ticks)? * instructions / number("latency", units)?,
        })
    }
}

/// Prints what `latency` said on `board`; the limited figure, or how it fails.
pub fn judge(board: &Board, text: &str) -> Result<String, String> {
    let rows = words(text, "ticks").into_iter();
    let rows: Vec<Row> = rows
        .map(|words| Row::read(&words, board.instructions))
        .collect::<Result<_, _>>()?;
    println!("{}: instructions a unit of work, not cycles", board.name);
    for row in &rows {
        println!("  {:<20} {:<8} {:8.3}", row.name, row.set, row.each);
    }
    // The fastest set is the last one.
    let row = rows.iter().rfind(|row| row.name == LIMITED);
    let row = row.ok_or_else(|| format!("{}: no figure for {LIMITED}", board.name))?;
    let found = format!(
        "{}: {}, {}: {:.3} instructions a multiply-add",
        board.name, row.name, row.set, row.each
    );
    match board.limit {
        Some(limit) if row.each > limit => Err(format!("{found}, expected at most {limit}")),
        _ => Ok(found),
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
        // 0.625 instructions a tick.
        assert!(
            judge(&AN500, &text([4800, 1280]))
                .unwrap()
                .contains("0.800")
        );
        assert!(
            judge(&AN500, &text([1280, 1440]))
                .unwrap_err()
                .contains("0.900")
        );
        assert!(judge(&AN500, "").is_err());
        assert!(judge(&AN500, "ticks a b 1\n").is_err());
    }
}
