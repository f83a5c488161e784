//! Scenes: point sources that move on a trajectory, rendered through the sensor's physics.

/// One point source in one frame.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Target {
    /// Row coordinate, low-resolution pixels.
    pub x: f64,
    /// Column coordinate, low-resolution pixels.
    pub y: f64,
    /// Total intensity, counts.
    pub intensity: f64,
}

/// Consecutive frames of one scene with their truth.
#[derive(Clone, Debug, PartialEq)]
pub struct Trajectory {
    /// Counts, `(frames, 11, 11)` row-major; signed, because noise may fall below zero.
    pub frames: ndarray::Array3<i32>,
    /// Targets of every frame.
    pub truth: Vec<Vec<Target>>,
}
