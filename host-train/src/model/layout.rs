//! Which frames, at which times, meet in which windows.

use derefnet_core::physics::WINDOW;

use super::config::TimeConvention;

/// Place of the evaluated frame in a window.
pub(super) const CENTRE: usize = WINDOW / 2;

/// Which frames, at which times, a batch of windows needs.
pub(super) struct Layout {
    /// Times that the position code must know.
    pub(super) times: usize,
    /// (frame, time) of every centre instance; neighbours likewise.
    pub(super) centres: Vec<(usize, usize)>,
    pub(super) neighbours: Vec<(usize, usize)>,
    /// Both sets are the frames themselves.
    pub(super) shared: bool,
    /// Instance of each pair's centre and neighbour, pairs in order (window, neighbour).
    pub(super) pair_centre: Vec<usize>,
    pub(super) pair_neighbour: Vec<usize>,
    /// Centre instance and centre frame of each window.
    pub(super) window_centre: Vec<usize>,
    pub(super) centre_frames: Vec<usize>,
}

impl Layout {
    pub(super) fn new(time: TimeConvention, trajectories: usize, length: usize) -> Self {
        let windows = length + 1 - WINDOW;
        let starts = (0..trajectories).flat_map(|m| (0..windows).map(move |w| m * length + w));
        let slots = || (0..WINDOW).filter(|&s| s != CENTRE);
        let centre_frames: Vec<usize> = starts.clone().map(|s| s + CENTRE).collect();
        match time {
            TimeConvention::Window => Self {
                times: time.times(length),
                centres: centre_frames.iter().map(|&f| (f, CENTRE)).collect(),
                neighbours: starts
                    .flat_map(|f| slots().map(move |s| (f + s, s)))
                    .collect(),
                shared: false,
                pair_centre: (0..4 * centre_frames.len()).map(|p| p / 4).collect(),
                pair_neighbour: (0..4 * centre_frames.len()).collect(),
                window_centre: (0..centre_frames.len()).collect(),
                centre_frames,
            },
            TimeConvention::Trajectory => {
                let all: Vec<_> = (0..trajectories * length)
                    .map(|f| (f, f % length))
                    .collect();
                Self {
                    times: time.times(length),
                    centres: all.clone(),
                    neighbours: all,
                    shared: true,
                    pair_centre: centre_frames.iter().flat_map(|&f| [f; 4]).collect(),
                    pair_neighbour: starts.flat_map(|f| slots().map(move |s| f + s)).collect(),
                    window_centre: centre_frames.clone(),
                    centre_frames,
                }
            }
        }
    }
}
