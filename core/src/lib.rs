//! Heap-free core of derefnet: quantised DeRefNet inference, off-grid localisation with uncertainty,
//! and a deterministic CSO-mAP, for sensor firmware in Rust or C.
//!
//! | module | holds |
//! | --- | --- |
//! | [`stream`] | a frame in, the targets of the frame two before it out; memory; the 11×11 slice of a larger frame |
//! | [`weights`] | the model file (`.dref`), read in place and checked once |
//! | [`net`] | the integer network: stages, alignment, tail, offset head |
//! | [`ops`], [`arch`] | its operators, and the kernels below them, for each processor |
//! | [`fixed`] | the one rounding |
//! | [`locate`] | point sources fitted between the cells; reading the offset head |
//! | [`metric`] | CSO-mAP |
//! | [`physics`] | point spread function, the two grids |
//!
//! # Numeric contract
//! Everything is `no_std`, allocates nothing, and gives the same bits on every platform. The network
//! is integers only: `i8` weights with a scale for each output, `i16` activations with a scale for each
//! tensor, exact `i32` sums, whose range is proved when a model file is read, and one rounding,
//! [`fixed::Requant`]; `core/FORMAT.md` defines it to the bit. Saturation is counted and reported
//! ([`stream::Answer::saturated`]). The fit and the metric are floating point in a fixed order of
//! operations, with transcendental functions from `libm`.
//!
//! No function panics on any input: slices of the wrong length and values out of range are
//! [`Error`]s, damaged model files [`weights::LoadError`]s.
//!
//! # Memory
//! The caller owns all of it. [`stream::MapMemory`] and [`stream::HeadMemory`] are values of fixed size,
//! all zeros at first, that can live in a `static`; [`stream::ram_bytes`] is what a stream needs in
//! all. Budgets, asserted at compile time: 640 KiB for `paper` (32 channels), 128 KiB for `edge` (16),
//! 64 KiB for the offset head with the fit.
//!
//! # Examples
//! Firmware that finds targets with the offset head and the fit:
//! ```
//! use derefnet_core::arch::Kernels;
//! use derefnet_core::stream::{HeadMemory, Readout, Stream, StreamConfig};
//! use derefnet_core::weights::Model;
//!
//! /// In flash, used in place.
//! static FILE: &[u8] = include_bytes!("../models/edge.dref");
//!
//! fn run(frames: &[[u16; 121]]) -> Result<usize, Box<dyn core::error::Error>> {
//!     // In firmware: a `static`, handed out once.
//!     let mut memory = HeadMemory::<32>::new();
//!     let model = Model::load(FILE)?;
//!     let config = StreamConfig {
//!         readout: Readout::HeadFit,
//!         // What the sensor adds to every count, and from which reading on it is saturated.
//!         pedestal: 1000,
//!         saturation: Some(16_383),
//!         ..StreamConfig::of(&model)
//!     };
//!     let mut stream = Stream::new(model, config, Kernels::best(), &mut memory)?;
//!     let mut found = 0;
//!     for frame in frames {
//!         if let Some(answer) = stream.push(frame, None)? {
//!             // Positions of the frame two steps ago, pixels, with their standard deviations.
//!             found += answer.targets.iter().filter(|target| target.sigma_x < 0.05).count();
//!         }
//!     }
//!     Ok(found)
//! }
//! # let optics = derefnet_core::physics::Optics::SEQ_CSIST;
//! # let sources = [(4.7, 5.0), (5.3, 5.0)].map(|(x, y)| derefnet_core::physics::PointSource { x, y, intensity: 235.0 });
//! # let (mut scratch, mut counts) = ([0.0; 11], [0.0; 121]);
//! # optics.render(&sources, &mut scratch, &mut counts)?;
//! # let frame = counts.map(|count| (1000.0 + count + 0.5) as u16);
//! # assert_eq!(run(&[frame; 6])?, 4);
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
//!
//! # Coordinates
//! `x` is the row axis, `y` the column axis, in low-resolution pixels; pixel centres are the integers.
#![no_std]
#![deny(unsafe_code)]

#[cfg(test)]
extern crate std;

pub mod arch;
#[cfg(feature = "capi")]
pub mod capi;
pub mod error;
pub mod fixed;
pub mod locate;
pub mod metric;
pub mod net;
pub mod ops;
pub mod physics;
pub mod stream;
pub mod weights;

pub use error::{Error, Result};
