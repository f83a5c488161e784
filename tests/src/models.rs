//! Model files of random weights, small enough for exhaustive tests.
//!
//! Factors are chosen so that values neither die nor all saturate: a sum of `K` products with weights
//! of standard deviation 73 grows by `73 √K`. The same seed gives the same bytes.

use derefnet_core::fixed::Requant;
use derefnet_core::physics::{FRAME_SIDE, MAP_SIDE, Optics, RESPONSE_LEN};
use derefnet_core::weights::{
    BODY_ALIGNMENT, Calibration, HEAD_OUTPUTS, HeadHeader, Header, Intensities, MAGIC, MapHeader,
    OFFSETS, PREFIX, Physics, Provenance, VERSION, checksum,
};

/// Standard deviation of uniform weights in -127..=127.
const SPREAD: f64 = 73.0;

/// Sizes of a random model.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// Channels, stages and residual blocks of the network with the map.
    pub map: Option<[u8; 3]>,
    /// Channels and residual blocks of the offset head.
    pub head: Option<[u8; 2]>,
}

/// Numbers that look random (SplitMix64, Steele et al. 2014).
pub struct Numbers(pub u64);

impl Numbers {
    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// From `low` to below `high`.
    pub fn within(&mut self, low: i64, high: i64) -> i64 {
        low + (self.bits() % (high - low) as u64) as i64
    }

    /// From 0 to below 1.
    pub fn share(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Body of a model file under construction.
struct Body {
    bytes: Vec<u8>,
    numbers: Numbers,
    /// Biases of the initial map, in its steps.
    start_bias: f64,
}

impl Body {
    fn part(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    fn table(&mut self, values: impl IntoIterator<Item = f64>) {
        let rounded = values.into_iter().map(|v| v.round() as i16);
        let bytes: Vec<u8> = rounded.flat_map(i16::to_le_bytes).collect();
        self.part(&bytes);
    }

    /// A layer that passes values on `gain` times as large, with biases of up to `bias` steps of its
    /// output.
    fn layer(&mut self, outputs: usize, depth: usize, gain: f64, bias: f64) {
        let numbers = &mut self.numbers;
        let weights = (0..outputs * depth).map(|_| numbers.within(-127, 128) as i8 as u8);
        let weights: Vec<u8> = weights.collect();
        self.part(&weights);
        let mut scaling = Vec::new();
        for _ in 0..outputs {
            let gain = gain * (0.5 + self.numbers.share());
            let factor = gain / (SPREAD * (depth as f64).sqrt());
            let steps = bias * (2.0 * self.numbers.share() - 1.0);
            let factor = Requant::nearest(factor).expect("a factor below a half");
            let most = f64::from(i32::MAX / 4);
            let bias = (steps / factor.factor()).clamp(-most, most) as i32;
            scaling.extend(bias.to_le_bytes());
            scaling.extend(factor.multiplier().to_le_bytes());
            scaling.push(factor.shift());
        }
        self.part(&scaling);
    }

    fn stage(&mut self, channels: usize) {
        let factor = |factor: f64| Requant::nearest(factor).expect("a factor below a half");
        let (across, down) = (factor(0.4 / 16_384.0), factor(0.4 / 16_384.0));
        let (keep, pull) = (0.9, 0.2 * (2.0 * self.numbers.share() - 1.0));
        let (shift, unit) = (30, 1_073_741_824.0);
        let theta = self.numbers.within(-20, 200) as i32;
        let words = [
            across.multiplier(),
            down.multiplier(),
            (keep * unit) as i32,
            (pull * unit) as i32,
            theta,
        ];
        let mut record: Vec<u8> = words.into_iter().flat_map(i32::to_le_bytes).collect();
        record.extend([across.shift(), down.shift(), shift]);
        self.part(&record);
        self.layer(channels, 9, 1.5, 0.0);
        self.layer(channels, 9 * channels, 1.5, 0.0);
        self.layer(channels, 9 * channels, 1.5, 0.0);
        self.layer(1, 9 * channels, 1.0, 0.0);
    }

    fn map(&mut self, header: &MapHeader) {
        let c = usize::from(header.channels);
        let [top, bottom, left, right] = header.cells.map(usize::from);
        let mut response = vec![0.0; RESPONSE_LEN];
        Optics::SEQ_CSIST
            .fill_response(&mut response)
            .expect("a table of this length");
        self.table(response.iter().map(|v| v * 32_768.0));
        let element = |i: usize, j: usize| -> f64 {
            let rows = (0..FRAME_SIDE).map(|p| p * MAP_SIDE);
            rows.map(|p| response[p + i] * response[p + j]).sum()
        };
        let cells = (0..MAP_SIDE * MAP_SIDE).map(|k| (k / MAP_SIDE, k % MAP_SIDE));
        let gram: Vec<f64> = cells.map(|(i, j)| element(i, j) * 16_384.0).collect();
        self.table(gram);
        self.layer((bottom - top) * (right - left), 121, 2.0, self.start_bias);
        for _ in 0..header.stages {
            self.stage(c);
        }
        for range in [3000.0, 400.0] {
            let values =
                (0..MAP_SIDE * MAP_SIDE).map(|_| (2.0 * self.numbers.share() - 1.0) * range);
            let values: Vec<f64> = values.collect();
            self.table(values);
        }
        self.layer(c, 9, 2.0, 500.0);
        self.layer(c / 2, c, 1.0, 500.0);
        self.layer(c / 2, c, 1.0, 500.0);
        self.layer(2, 18, 0.5, 1000.0);
        for _ in 0..2 {
            self.layer(OFFSETS, 9 * c, 0.2, 500.0);
            self.layer(c, 9 * c, 1.2, 0.0);
        }
        self.layer(1, 9 * c, 1.0, 500.0);
        self.layer(c, 45, 1.5, 500.0);
        self.blocks(header.residual_blocks, c);
        self.layer(1, 9 * c, 1.0, 0.0);
    }

    fn blocks(&mut self, blocks: u8, c: usize) {
        for _ in 0..blocks {
            self.layer(c, 9 * c, 1.2, 300.0);
            self.layer(c, 9 * c, 0.7, 300.0);
        }
    }

    fn head(&mut self, header: &HeadHeader) {
        let c = usize::from(header.channels);
        self.layer(c, 45, 1.5, 500.0);
        self.blocks(header.residual_blocks, c);
        self.layer(HEAD_OUTPUTS, 9 * c, 1.0, 1000.0);
    }
}

fn header(sizes: Sizes) -> Header<'static> {
    let map = sizes
        .map
        .map(|[channels, stages, residual_blocks]| MapHeader {
            channels,
            stages,
            residual_blocks,
            cells: [12, 22, 11, 21],
            gate_bits: 12,
            offset_bits: [9, 11],
            step: 0.05,
        });
    let head = sizes.head.map(|[channels, residual_blocks]| HeadHeader {
        channels,
        residual_blocks,
        steps: [1e-3, 1e-4, 1e-4, 1e-4, 1e-4, 1e-3, 1e-4],
        unit: 100.0,
    });
    Header {
        physics: Physics {
            side: 11,
            ratio: 3,
            window: 5,
            psf_sigma: 0.5,
        },
        intensities: Intensities {
            mean: 235.0,
            sigma: 8.66,
        },
        input_bits: 4,
        map,
        head,
        provenance: Provenance {
            program: "random",
            data_version: "none",
            seed: 0,
            steps: 0,
            trajectories: 0,
            noise: None,
            centerness: None,
            calibration: Calibration {
                seed: 0,
                trajectories: 0,
                noise: [0.0; 2],
            },
            accuracy: None,
        },
    }
}

/// A file of `header` and `body`, with length and checksum.
fn assemble(header: &Header, body: &[u8]) -> Vec<u8> {
    let mut buffer = [0; 512];
    let encoded = postcard::to_slice(header, &mut buffer).expect("a header of less than 512 bytes");
    let start = (PREFIX + encoded.len()).next_multiple_of(BODY_ALIGNMENT);
    let mut file = Vec::from(MAGIC);
    file.extend(VERSION.to_le_bytes());
    file.extend((encoded.len() as u16).to_le_bytes());
    file.extend([0; 8]);
    file.extend_from_slice(encoded);
    file.resize(start, 0);
    file.extend(body);
    repair(&mut file);
    file
}

/// Puts length and checksum right; nothing in a file too short for them.
pub fn repair(file: &mut [u8]) {
    let length = (file.len() as u32).to_le_bytes();
    if let Some(said) = file.get_mut(8..12) {
        said.copy_from_slice(&length);
    }
    let crc = checksum(file).to_le_bytes();
    if let Some(recorded) = file.get_mut(12..PREFIX) {
        recorded.copy_from_slice(&crc);
    }
}

/// A valid model file of random weights.
pub fn random_model(seed: u64, sizes: Sizes) -> Vec<u8> {
    biased_model(seed, sizes, 0.0)
}

/// The same with biases of the initial map of up to `start_bias` steps: the quantiser writes none, the
/// format allows them.
pub fn biased_model(seed: u64, sizes: Sizes, start_bias: f64) -> Vec<u8> {
    let header = header(sizes);
    let mut body = Body {
        bytes: Vec::new(),
        numbers: Numbers(seed),
        start_bias,
    };
    if let Some(map) = &header.map {
        body.map(map);
    }
    if let Some(head) = &header.head {
        body.head(head);
    }
    assemble(&header, &body.bytes)
}
