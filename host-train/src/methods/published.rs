//! What others wrote about a method.

use serde::Serialize;

/// Where a method was published.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Reference {
    /// First author.
    pub authors: &'static str,
    /// Title.
    pub title: &'static str,
    /// Journal or conference, with the year.
    pub venue: &'static str,
}

/// A row of SeqCSIST Table 7 as printed: measured by its authors on their data.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Published {
    /// Frames per second.
    pub fps: f64,
    /// Parameters; absent for solvers.
    pub parameters: Option<&'static str>,
    /// What the table calls FLOPs: multiply-adds of a batch of 20 frames, or, of solvers, of a frame.
    pub flops: &'static str,
    /// CSO-mAP, per cent.
    pub cso_map: f64,
    /// AP at 0.05 to 0.25 px, per cent.
    pub average_precisions: [f64; 5],
}
