//! The columns of the tables, as data: HTML and Markdown are written from the same lists.

use super::cells::{
    Cell, ap, ap_printed, interval, parameters, percent, plain, printed, score, training, work,
};
use super::read::Row;

/// Which value of a column is the best.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Best {
    High,
    Low,
    /// None: cost is no merit by itself.
    Neither,
}

/// A column.
pub struct Column {
    /// Heading over neighbours.
    pub group: &'static str,
    /// Heading.
    pub name: &'static str,
    pub best: Best,
    pub cell: fn(&Row) -> Option<Cell>,
}

impl Column {
    /// Cells of `rows`, and which of them are the best.
    pub fn cells(&self, rows: &[Row]) -> Vec<Option<(Cell, bool)>> {
        let cells: Vec<Option<Cell>> = rows.iter().map(self.cell).collect();
        let values = || cells.iter().flatten().map(|cell| cell.value);
        let best = match self.best {
            Best::High => values().reduce(f64::max),
            Best::Low => values().reduce(f64::min),
            Best::Neither => None,
        };
        // A best of one, or one that all share, says nothing.
        let best = best.filter(|best| values().any(|value| value != *best));
        let marked = |cell: Cell| (best == Some(cell.value), cell);
        let cells = cells.into_iter().map(|cell| cell.map(marked));
        cells
            .map(|cell| cell.map(|(best, cell)| (cell, best)))
            .collect()
    }
}

/// A table of every definition.
pub struct Layout {
    /// Heading.
    pub title: &'static str,
    /// How to read it.
    pub reading: &'static str,
    pub columns: &'static [Column],
}

const PRINTED: &str = "published";
const GRID: &str = "measured here, grid cells";
const OFF_GRID: &str = "measured here, between the cells";

/// The first table: accuracy beside cost.
pub const SCORES: Layout = Layout {
    title: "Accuracy and cost",
    reading: "CSO-mAP is the mean of the average precisions at 0.05, 0.10, 0.15, 0.20 and 0.25 px, per \
              cent. Published: as printed by the authors, on their data. Grid: cells of the 33×33 map \
              are the answers. Off-grid: answers lie between the cells. Small figures beneath are 95 % \
              intervals of the mean over seeds. Parameters: with adversaries and pretrained losses, as \
              published; where fewer of them answer, that number stands beneath. Multiply-adds: \
              millions per frame, counted as published; as computed here beneath. Frames: per second \
              on one thread. Memory: peak of training and evaluation. Training: minutes of processor \
              time, steps beneath. The best of a column is bold; costs are not ranked.",
    columns: &[
        Column {
            group: "CSO-mAP, %",
            name: "published",
            best: Best::High,
            cell: |row| printed(row).and_then(|printed| percent(printed.cso_map, 2)),
        },
        Column {
            group: "CSO-mAP, %",
            name: "here, grid",
            best: Best::High,
            cell: |row| score(row.grid.as_ref(), interval(row, false)),
        },
        Column {
            group: "CSO-mAP, %",
            name: "here, off-grid",
            best: Best::High,
            cell: |row| score(row.off_grid.as_ref(), interval(row, true)),
        },
        Column {
            group: "masks of pixels",
            name: "IoU, %",
            best: Best::High,
            cell: |row| percent(row.masks?.iou, 2),
        },
        Column {
            group: "masks of pixels",
            name: "Pd, %",
            best: Best::High,
            cell: |row| percent(row.masks?.pd, 2),
        },
        Column {
            group: "masks of pixels",
            name: "Fa, ‰",
            best: Best::Low,
            cell: |row| percent(1000.0 * row.masks?.fa, 3),
        },
        Column {
            group: "cost",
            name: "parameters",
            best: Best::Neither,
            cell: parameters,
        },
        Column {
            group: "cost",
            name: "M multiply-adds",
            best: Best::Neither,
            cell: work,
        },
        Column {
            group: "cost",
            name: "frames/s",
            best: Best::Neither,
            cell: |row| row.result.frames_per_second.map(plain),
        },
        Column {
            group: "cost",
            name: "memory, MiB",
            best: Best::Neither,
            cell: |row| row.result.peak_mib.map(plain),
        },
        Column {
            group: "cost",
            name: "training, min",
            best: Best::Neither,
            cell: training,
        },
    ],
};

/// The second one: what CSO-mAP is the mean of.
pub const PRECISIONS: Layout = Layout {
    title: "Average precision by distance",
    reading: "Per cent, at matching distances of 0.05 to 0.25 px. A cell is a third of a pixel wide: \
              answers that are cells cannot do well at the small distances, whatever the method.",
    columns: &[
        Column {
            group: PRINTED,
            name: "AP05",
            best: Best::High,
            cell: |row| ap_printed(row, 0),
        },
        Column {
            group: PRINTED,
            name: "AP10",
            best: Best::High,
            cell: |row| ap_printed(row, 1),
        },
        Column {
            group: PRINTED,
            name: "AP15",
            best: Best::High,
            cell: |row| ap_printed(row, 2),
        },
        Column {
            group: PRINTED,
            name: "AP20",
            best: Best::High,
            cell: |row| ap_printed(row, 3),
        },
        Column {
            group: PRINTED,
            name: "AP25",
            best: Best::High,
            cell: |row| ap_printed(row, 4),
        },
        Column {
            group: GRID,
            name: "AP05",
            best: Best::High,
            cell: |row| ap(&row.grid, 0),
        },
        Column {
            group: GRID,
            name: "AP10",
            best: Best::High,
            cell: |row| ap(&row.grid, 1),
        },
        Column {
            group: GRID,
            name: "AP15",
            best: Best::High,
            cell: |row| ap(&row.grid, 2),
        },
        Column {
            group: GRID,
            name: "AP20",
            best: Best::High,
            cell: |row| ap(&row.grid, 3),
        },
        Column {
            group: GRID,
            name: "AP25",
            best: Best::High,
            cell: |row| ap(&row.grid, 4),
        },
        Column {
            group: OFF_GRID,
            name: "AP05",
            best: Best::High,
            cell: |row| ap(&row.off_grid, 0),
        },
        Column {
            group: OFF_GRID,
            name: "AP10",
            best: Best::High,
            cell: |row| ap(&row.off_grid, 1),
        },
        Column {
            group: OFF_GRID,
            name: "AP15",
            best: Best::High,
            cell: |row| ap(&row.off_grid, 2),
        },
        Column {
            group: OFF_GRID,
            name: "AP20",
            best: Best::High,
            cell: |row| ap(&row.off_grid, 3),
        },
        Column {
            group: OFF_GRID,
            name: "AP25",
            best: Best::High,
            cell: |row| ap(&row.off_grid, 4),
        },
    ],
};

/// The third one: errors that precision does not tell apart.
pub const COUNTS: Layout = Layout {
    title: "Counting and distance",
    reading: "Jaccard index of answers and targets, and frames with the right number of answers, both per \
              cent; root mean square error of matched answers, px. Published tables have none of these.",
    columns: &[
        Column {
            group: GRID,
            name: "Jaccard",
            best: Best::High,
            cell: |row| {
                row.grid
                    .as_ref()
                    .and_then(|scores| percent(scores.jaccard, 1))
            },
        },
        Column {
            group: GRID,
            name: "count right",
            best: Best::High,
            cell: |row| {
                row.grid
                    .as_ref()
                    .and_then(|scores| percent(scores.count_right, 1))
            },
        },
        Column {
            group: GRID,
            name: "RMSE, px",
            best: Best::Low,
            cell: |row| {
                row.grid
                    .as_ref()
                    .and_then(|scores| percent(scores.rmse?, 4))
            },
        },
        Column {
            group: OFF_GRID,
            name: "Jaccard",
            best: Best::High,
            cell: |row| {
                row.off_grid
                    .as_ref()
                    .and_then(|scores| percent(scores.jaccard, 1))
            },
        },
        Column {
            group: OFF_GRID,
            name: "count right",
            best: Best::High,
            cell: |row| {
                row.off_grid
                    .as_ref()
                    .and_then(|scores| percent(scores.count_right, 1))
            },
        },
        Column {
            group: OFF_GRID,
            name: "RMSE, px",
            best: Best::Low,
            cell: |row| {
                row.off_grid
                    .as_ref()
                    .and_then(|scores| percent(scores.rmse?, 4))
            },
        },
    ],
};

#[cfg(test)]
mod tests {
    use super::super::testing::row;
    use super::*;

    #[test]
    fn the_best_as_printed_is_marked() {
        let column = &SCORES.columns[1];
        // The first two are printed alike.
        let rows = [53.201, 53.199, 47.0].map(|score| row("a", Some(score), None));
        let best: Vec<bool> = column
            .cells(&rows)
            .into_iter()
            .map(|c| c.unwrap().1)
            .collect();
        assert_eq!(best, [true, true, false]);
        assert!(!column.cells(&rows[..1])[0].as_ref().unwrap().1);
        let costs = SCORES.columns[6].cells(&rows);
        assert!(costs.iter().flatten().all(|(_, best)| !best));
    }

    #[test]
    fn what_is_missing_gives_no_cell() {
        let empty = row("a", None, None);
        for column in SCORES.columns[1..3].iter().chain(COUNTS.columns) {
            assert_eq!((column.cell)(&empty), None, "{}", column.name);
        }
    }

    #[test]
    fn work_tells_both_counts_where_they_differ() {
        let mut row = row("a", None, None);
        row.result.macs_per_frame = Some(17_330_000);
        row.result.macs_per_frame_here = Some(17_330_000);
        assert_eq!(work(&row).unwrap().note, None);
        row.result.macs_per_frame_here = Some(9_000_000);
        let cell = work(&row).unwrap();
        assert_eq!(
            (cell.text.as_str(), cell.note.as_deref()),
            ("17.3", Some("9.00 here"))
        );
    }
}
