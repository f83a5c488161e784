//! Methods trained for an equal budget and evaluated on the same frames.
//!
//! A definition ([`definition`]) lists rows; each row is trained, solved or read from a model file,
//! evaluated on the same test trajectories and written down ([`result`]). Its folder:
//!
//! | file | holds |
//! | --- | --- |
//! | `definition.toml` | a copy of the definition |
//! | `ROW/row.toml` | everything that the row's figures depend on, as first run |
//! | `ROW/run/`, or `ROW/run-SEED/` with several seeds | the run folder of a training, with `budget.json` (its number of steps, fixed before it starts) and `spent.json` (what they cost so far) |
//! | `ROW/run…/evaluation.json` | figures of that seed |
//! | `ROW/result.json` | the row's results, written last |
//!
//! Rows are done one at a time; a row that is done is left alone, one that was begun goes on from its
//! checkpoint and ends in the same bits. Several processes may work on one folder: each takes rows
//! that no other is at.

mod answers;
mod budget;
pub mod clock;
pub mod definition;
mod evaluate;
mod learn;
mod machine;
mod measure;
mod readouts;
pub mod result;
mod row;
mod run;
mod seed;
pub mod text;

pub use definition::{Budget, Definition, Scale};
pub use row::{Row, Size, Work};
pub use run::{Options, State, run, state};
