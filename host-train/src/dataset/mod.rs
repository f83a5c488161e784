//! Data sets on disk.
//!
//! Two layouts, both written by [`write()`] and recognised by [`load_split`]:
//!
//! | layout | files | made for |
//! | --- | --- | --- |
//! | [`native`] | `manifest.json`, per split one `.npy` of counts and one of truth | speed, exact signed counts |
//! | [`seqcsist`] | per split `image/image_<n>.png` and `annotation/COS<n>.xml` | exchange with the authors' tools |

pub mod annotation;
mod folder;
pub mod manifest;
pub mod native;
pub mod qinit;
pub mod seqcsist;
pub mod split;

use crate::scene::Trajectory;
use crate::{Error, Result};
pub use manifest::{BackgroundNote, Counts, Layout, Manifest};
pub use qinit::{QinitFrom, qinit};
pub use split::Split;
use std::path::Path;

/// Gives trajectory `index` of a split; called from several threads, in any order.
pub type Source<'a> = dyn Fn(Split, u64) -> Trajectory + Sync + 'a;

/// Told after each few trajectories how many more are done; its error stops the work.
pub type Tick<'a> = dyn Fn(u64) -> Result<()> + Sync + 'a;

/// Writes all splits that `manifest` counts, as a new folder `dir` in the layout it names.
///
/// The folder is complete or absent: everything goes into a hidden sibling first, which is renamed at
/// the end, after `finish` has added to it what the caller likes. The bytes of a data set depend
/// neither on the number of threads nor on the time.
///
/// # Errors
/// [`Error::Format`] if `dir` exists and is not an empty folder, [`Error::Io`] if it cannot be
/// written, [`Error::Usage`] if counts do not fit the layout's container, and whatever `tick` and
/// `finish` return.
pub fn write(
    dir: &Path,
    manifest: &Manifest,
    source: &Source,
    tick: &Tick,
    finish: impl FnOnce(&Path) -> Result<()>,
) -> Result<()> {
    manifest.config.validate()?;
    folder::create(dir, |scratch| {
        for split in Split::ALL {
            let count = manifest.trajectories.of(split);
            if count > 0 {
                match manifest.layout {
                    Layout::Native => native::write(scratch, manifest, split, source, tick)?,
                    Layout::Seqcsist => seqcsist::write(scratch, manifest, split, source, tick)?,
                }
            }
        }
        manifest.write(scratch)?;
        finish(scratch)
    })
}

/// Loads one split of the data set in `dir`, in either layout.
///
/// # Errors
/// [`Error::Io`] if something cannot be read; [`Error::Format`] names the file, the field, what was
/// found and what was expected, also where the data set does not hold `split`.
pub fn load_split(dir: &Path, split: Split) -> Result<Vec<Trajectory>> {
    let manifest = Manifest::find(dir)?;
    let present = match &manifest {
        Some(manifest) => manifest.trajectories.of(split) > 0,
        None => seqcsist::present(dir).contains(&split),
    };
    if present {
        return read(dir, manifest.as_ref(), split);
    }
    if manifest.is_none() && seqcsist::present(dir).is_empty() {
        return Err(unrecognised(dir));
    }
    Err(Error::format(
        dir,
        format!("no split '{}' in this data set", split.name()),
    ))
}

fn read(dir: &Path, manifest: Option<&Manifest>, split: Split) -> Result<Vec<Trajectory>> {
    match manifest {
        Some(manifest) if manifest.layout == Layout::Native => native::read(dir, manifest, split),
        _ => seqcsist::read(dir, manifest, split),
    }
}

/// The same words whether the folder is missing, unreadable or something else.
fn unrecognised(dir: &Path) -> Error {
    match std::fs::read_dir(dir) {
        Err(source) => Error::io(dir, source),
        Ok(_) => Error::format(
            dir,
            "no data set: expected manifest.json, or train, val or test with image and annotation",
        ),
    }
}
