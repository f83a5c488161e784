//! Instructions of a new frame and of its parts: `profile_edge`, `profile_paper`.

use std::fmt::Write as _;

use super::board::Board;
use super::elf::Sizes;
use super::results::{number, words};

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

    fn parts(&self) -> impl Iterator<Item = (&Frames, &str, f64)> {
        self.frames.iter().flat_map(|frames| {
            let parts = frames.parts.iter();
            parts.map(move |(name, each)| (frames, name.as_str(), *each))
        })
    }

    /// What the rows of every file begin with.
    fn key(&self) -> String {
        format!("{},{}", self.board.name, self.model)
    }
}

/// The files of a record: name, and text as CSV.
pub fn csv(all: &[Figures]) -> [(&'static str, String); 3] {
    let mut frames_csv =
        "board,model,readout,kernels,windows,least_instructions,median,most\n".to_owned();
    let mut parts_csv =
        "board,model,readout,part,mean_instructions_a_frame,share_percent\n".to_owned();
    let mut images_csv = "board,model,flash_bytes,static_ram_bytes,stack_bytes_used\n".to_owned();
    for figures in all {
        let key = figures.key();
        for frames in &figures.frames {
            let Frames {
                readout,
                set,
                windows,
                ..
            } = frames;
            let [least, median, most] = frames.each;
            let _ = writeln!(
                frames_csv,
                "{key},{readout},{set},{windows},{least:.0},{median:.0},{most:.0}"
            );
        }
        for (frames, name, each) in figures.parts() {
            let share = 100.0 * each / frames.total();
            let readout = &frames.readout;
            let _ = writeln!(parts_csv, "{key},{readout},{name},{each:.0},{share:.2}");
        }
        let Sizes { flash, ram } = figures.sizes;
        let _ = writeln!(images_csv, "{key},{flash},{ram},{}", figures.stack);
    }
    [
        ("frames", frames_csv),
        ("parts", parts_csv),
        ("images", images_csv),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::board::AN500;
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
        let [(_, frames), (_, parts), (_, images)] = csv(&[figures]);
        assert!(
            frames.ends_with("mps2-an500,edge,head,dsp,2,8,8,16\n"),
            "{frames}"
        );
        assert!(
            parts.contains("mps2-an500,edge,head,head_blocks,9,75.00\n"),
            "{parts}"
        );
        assert!(images.ends_with("mps2-an500,edge,7,8,9\n"), "{images}");
    }

    #[test]
    fn short_lines_are_refused() {
        assert!(frames("frame edge fit dsp 2 100 200\n", 1.0).is_err());
        assert!(frames("frame e f dsp 2 1 2 3\npart e f locate\n", 1.0).is_err());
    }
}
