//! Windows of five frames by the rules of SeqCSIST §3: targets on the arms of a cross that moves.

use derefnet_core::locate::WINDOW_LEN;
use derefnet_core::physics::{FRAME_LEN, FRAME_SIDE, Optics, PointSource, WINDOW};

use crate::numbers::Numbers;

/// Pixels from the reference point to a target.
const ARM: f64 = 0.3;

/// A window with `targets` targets, 1 to 4, and noise of deviation `sigma`, counts.
pub fn window(numbers: &mut Numbers, targets: usize, sigma: f64) -> [f32; WINDOW_LEN] {
    let mut range = |low: f64, high: f64| low + (high - low) * unit(numbers);
    let [x, y] = [range(2.0, 8.0), range(2.0, 8.0)];
    let velocity = [range(-0.06, 0.06), range(-0.06, 0.06)];
    let first = range(0.0, 4.0) as usize;
    let intensities = [(); 4].map(|()| range(220.0, 250.0));
    let mut window = [0.0; WINDOW_LEN];
    for (time, counts) in window.chunks_exact_mut(FRAME_LEN).enumerate() {
        let time = time as f64 - (WINDOW / 2) as f64;
        let mut sources = [PointSource {
            x: x + time * velocity[0],
            y: y + time * velocity[1],
            intensity: 0.0,
        }; 4];
        for (arm, source) in sources.iter_mut().enumerate().take(targets) {
            let [dx, dy] = [[-ARM, 0.0], [0.0, ARM], [ARM, 0.0], [0.0, -ARM]][(first + arm) % 4];
            (source.x, source.y) = (source.x + dx, source.y + dy);
            source.intensity = intensities[arm];
        }
        let (mut scratch, mut frame) = ([0.0; FRAME_SIDE], [0.0; FRAME_LEN]);
        let lit = Optics::SEQ_CSIST.render(&sources, &mut scratch, &mut frame);
        debug_assert!(lit.is_ok());
        for (count, expected) in counts.iter_mut().zip(frame) {
            *count = libm::rint(expected + sigma * normal(numbers)).max(0.0) as f32;
        }
    }
    window
}

/// A number between 0 and 1.
fn unit(numbers: &mut Numbers) -> f64 {
    f64::from(numbers.bits()) / 4_294_967_296.0
}

/// About normal, of deviation 1: a sum of twelve.
fn normal(numbers: &mut Numbers) -> f64 {
    (0..12).map(|_| unit(numbers) - 0.5).sum()
}
