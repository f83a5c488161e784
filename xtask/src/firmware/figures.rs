//! Instructions of a new frame and of its parts: `profile_edge`, `profile_paper`.

use std::fmt::Write as _;

use super::board::{AN500, Board};
use super::elf::Sizes;
use super::record::Table;
use super::results::{number, words};

/// Readouts of `edge` whose every frame has to keep to the budget. The fit started from the head's
/// claims costs the head and a fit, together more.
const BOUNDED: [&str; 2] = ["fit", "head"];
/// Instructions of new frames by one readout.
#[derive(Clone, Debug)]
pub struct Frames {
    pub readout: String,
    pub set: String,
    pub windows: f64,
    /// Least, median, most.
    pub each: [f64; 3],
    /// Name and mean instructions of each part, in the order of the work.
    pub parts: Vec<(String, f64)>,
}

/// What one model takes on one board.
#[derive(Debug)]
pub struct Figures {
    pub board: &'static Board,
    pub model: &'static str,
    pub frames: Vec<Frames>,
    pub sizes: Sizes,
    /// Bytes of stack used at most.
    pub stack: usize,
}

/// Reads `frame` and `part` lines.
pub fn frames(text: &str, instructions: f64) -> Result<Vec<Frames>, String> {
    let parts = words(text, "part");
    let frames = words(text, "frame");
    let read = |words: &Vec<&str>| {
        let &[model, readout, set, windows, least, median, most] = &words[..] else {
            return Err(format!("frame: expected seven words, got {words:?}"));
        };
        let windows = number("frame", windows)?;
        let scaled = |text: &str| number("frame", text).map(|ticks| ticks * instructions);
        let mine = |part: &&Vec<&str>| part.starts_with(&[model, readout]);
        let part = |words: &Vec<&str>| {
            let &[_, _, name, sum] = &words[..] else {
                return Err(format!("part: expected four words, got {words:?}"));
            };
            Ok((name.to_owned(), scaled(sum)? / windows))
        };
        Ok(Frames {
            readout: readout.to_owned(),
            set: set.to_owned(),
            windows,
            each: [scaled(least)?, scaled(median)?, scaled(most)?],
            parts: parts
                .iter()
                .filter(mine)
                .map(part)
                .collect::<Result<_, _>>()?,
        })
    };
    frames.iter().map(read).collect()
}

impl Frames {
    fn total(&self) -> f64 {
        self.parts.iter().map(|(_, each)| each).sum()
    }
}

/// Per cent of a frame below which the table leaves a part out; the record has it.
const LEAST_SHARE: f64 = 0.05;

/// Millions with two decimals.
pub fn millions(instructions: f64) -> String {
    format!("{:.2}", instructions / 1e6)
}

impl Figures {
    /// Both tables in Markdown.
    pub fn text(&self) -> String {
        let Self { board, model, .. } = self;
        let Sizes { flash, ram } = self.sizes;
        let mut text = format!(
            "{model}, {} ({}): image {flash} bytes of flash, static memory {ram} and stack {} bytes\n\n",
            board.processor, board.name, self.stack
        );
        text += "| readout | windows | least | median | most, M instructions a new frame |\n";
        text += "| --- | --- | --- | --- | --- |\n";
        for frames in &self.frames {
            let [least, median, most] = frames.each.map(millions);
            let Frames {
                readout, windows, ..
            } = frames;
            let _ = writeln!(
                text,
                "| {readout} | {windows} | {least} | {median} | {most} |"
            );
        }
        text += "\n| readout | part | M instructions | share, % |\n| --- | --- | --- | --- |\n";
        for (frames, name, each) in self.parts() {
            let share = 100.0 * each / frames.total();
            if share < LEAST_SHARE {
                continue;
            }
            let readout = &frames.readout;
            let _ = writeln!(
                text,
                "| {readout} | `{name}` | {} | {share:.1} |",
                millions(each)
            );
        }
        text
    }

    /// The worst frame of each readout; those of `edge` on a Cortex-M7 that are bounded have to keep to
    /// `budget`, instructions.
    pub fn judge(&self, budget: f64) -> Result<String, String> {
        let limited = self.board.name == AN500.name && self.model == "edge";
        let mut worst = Vec::new();
        for frames in &self.frames {
            let most = frames.each[2];
            let found = format!("{} {}", frames.readout, millions(most));
            if limited && BOUNDED.contains(&frames.readout.as_str()) && most > budget {
                let limit = millions(budget);
                return Err(format!(
                    "edge: {found} M instructions, expected at most {limit} M"
                ));
            }
            worst.push(found);
        }
        let there = |name: &str| self.frames.iter().any(|frames| frames.readout == name);
        if let Some(name) = BOUNDED.iter().find(|name| !there(name)) {
            return Err(format!("{}: no figure for the readout {name}", self.model));
        }
        let (model, board) = (self.model, self.board.name);
        let worst = worst.join(", ");
        Ok(format!(
            "{model} on {board}: worst frame, M instructions: {worst}"
        ))
    }

    fn parts(&self) -> impl Iterator<Item = (&Frames, &str, f64)> {
        self.frames.iter().flat_map(|frames| {
            let parts = frames.parts.iter();
            parts.map(move |(name, each)| (frames, name.as_str(), *each))
        })
    }

    /// A row of a table.
    fn row(&self, words: [&str; 2], figures: &[String]) -> Vec<String> {
        let words = [self.board.name, self.model].into_iter().chain(words);
        words
            .map(str::to_owned)
            .chain(figures.iter().cloned())
            .collect()
    }
}

/// The tables of a record: frames, their parts, images.
pub fn tables(all: &[Figures]) -> [Table; 3] {
    let whole = |number: f64| format!("{number:.0}");
    let mut tables = [
        Table {
            name: "frames",
            columns: "board,model,readout,kernels,windows,least_instructions,median,most",
            keys: 4,
            limited: &["least_instructions", "median", "most"],
            rows: Vec::new(),
        },
        Table {
            name: "parts",
            columns: "board,model,readout,part,mean_instructions_a_frame,share_percent",
            keys: 4,
            limited: &["mean_instructions_a_frame"],
            rows: Vec::new(),
        },
        images(all),
    ];
    for figures in all {
        for frames in &figures.frames {
            let numbers = [&[frames.windows], &frames.each[..]].concat();
            let numbers: Vec<_> = numbers.into_iter().map(whole).collect();
            let row = figures.row([&frames.readout, &frames.set], &numbers);
            tables[0].rows.push(row);
        }
        for (frames, name, each) in figures.parts() {
            let share = 100.0 * each / frames.total();
            let numbers = [whole(each), format!("{share:.2}")];
            let row = figures.row([&frames.readout, name], &numbers);
            tables[1].rows.push(row);
        }
    }
    tables
}

fn images(all: &[Figures]) -> Table {
    let row = |figures: &Figures| {
        let Sizes { flash, ram } = figures.sizes;
        let bytes = [flash, ram, figures.stack].map(|bytes| bytes.to_string());
        let words = [figures.board.name, figures.model].map(str::to_owned);
        words.into_iter().chain(bytes).collect()
    };
    Table {
        name: "images",
        columns: "board,model,flash_bytes,static_ram_bytes,stack_bytes_used",
        keys: 2,
        limited: &["flash_bytes", "static_ram_bytes", "stack_bytes_used"],
        rows: all.iter().map(row).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "frame edge fit dsp 2 100 200 300\npart edge fit locate 400\n\
        frame edge head dsp 2 16 16 32\npart edge head head_blocks 36\npart edge head locate 12\n";

    #[test]
    fn parts_go_to_their_readout() {
        let frames = frames(TEXT, 0.5).unwrap();
        assert_eq!(frames[0].each, [50.0, 100.0, 150.0]);
        assert_eq!(frames[0].parts, [("locate".to_owned(), 100.0)]);
        let figures = Figures {
            board: &AN500,
            model: "edge",
            frames,
            sizes: Sizes { flash: 7, ram: 8 },
            stack: 9,
        };
        let rows = tables(&[figures]).map(|table| table.rows.last().unwrap().join(","));
        let expected = [
            "mps2-an500,edge,head,dsp,2,8,8,16",
            "mps2-an500,edge,head,locate,3,25.00",
            "mps2-an500,edge,7,8,9",
        ];
        assert_eq!(rows, expected);
    }

    #[test]
    fn short_lines_are_refused() {
        assert!(frames("frame edge fit dsp 2 100 200\n", 1.0).is_err());
        assert!(frames("frame e f dsp 2 1 2 3\npart e f locate\n", 1.0).is_err());
    }
}
