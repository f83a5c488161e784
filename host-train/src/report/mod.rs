//! Results of benchmarks ([`crate::benchmark`]) as one self-contained HTML page, and as Markdown.
//!
//! A page loads nothing: pictures are inline SVG, or PNG in the address of an image, and a policy in its
//! head forbids the rest. Nothing is computed but means over seeds; every figure was measured by the
//! benchmark that left the folder.
//!
//! | module | holds |
//! | --- | --- |
//! | [`read`] | folders of them, checked |
//! | `markup` | writer of elements; text is escaped there alone |
//! | `columns`, `tables`, `markdown` | tables as data, as HTML, as Markdown |
//! | `chart`, `labels` | axes, marks, places for names |
//! | `overview`, `cost`, `curves`, `gallery`, `heat` | figures |
//! | `device` | figures of the boards |
//! | `provenance`, `page` | where figures come from; the page |

mod cells;
mod chart;
mod columns;
mod cost;
mod curves;
mod device;
mod gallery;
mod heat;
mod labels;
mod markdown;
mod markup;
mod overview;
mod page;
mod provenance;
pub mod read;
mod tables;
#[cfg(test)]
mod testing;

use std::path::{Path, PathBuf};

pub use device::Devices;
use read::Table;

use crate::{Error, Result};

/// Everything that goes onto a page.
pub struct Report {
    /// In the order of their folders.
    pub tables: Vec<Table>,
    /// Figures of the boards.
    pub devices: Option<Devices>,
}

impl Report {
    /// Reads benchmark results in `folders`, and records of the boards in `device`.
    ///
    /// # Errors
    /// [`Error::Usage`] without folders; [`Error::Io`] or [`Error::Format`] naming file, field and expected
    /// value for what cannot be read.
    pub fn read(folders: &[PathBuf], device: Option<&Path>) -> Result<Self> {
        if folders.is_empty() {
            return Err(Error::usage(
                "expected folders that `derefnet benchmark` wrote",
            ));
        }
        let numbered = folders.iter().enumerate();
        let tables = numbered.map(|(k, folder)| Table::read(folder, format!("table-{}", k + 1)));
        Ok(Self {
            tables: tables.collect::<Result<_>>()?,
            devices: device.map(Devices::read).transpose()?,
        })
    }

    /// The page.
    pub fn html(&self) -> String {
        page::write(&self.tables, self.devices.as_ref())
    }

    /// The first table of every folder.
    pub fn markdown(&self) -> String {
        markdown::write(&self.tables)
    }
}
