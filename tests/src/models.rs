//! Small model files with random weights: valid, and quick to read and run.
//!
//! Written from `core/FORMAT.md`, apart from the program's own writer.

use derefnet_core::physics::{MAP_LEN, RESPONSE_LEN};
use derefnet_core::weights::{
    BODY_ALIGNMENT, Calibration, HEAD_OUTPUTS, HeadHeader, Header, Intensities, MAGIC, MapHeader,
    OFFSETS, PREFIX, Physics, Provenance, VERSION, checksum,
};

/// Parts of a small model.
#[derive(Clone, Copy, Debug)]
pub struct Small {
    /// Channels of the network with the map, one stage and one residual block.
    pub map: Option<u8>,
    /// Channels of the offset head, one residual block.
    pub head: Option<u8>,
    /// Seed of the weights.
    pub seed: u64,
}

impl Small {
    /// The model file.
    pub fn file(self) -> Vec<u8> {
        let mut body = Body {
            bytes: Vec::new(),
            state: self.seed,
        };
        if let Some(channels) = self.map {
            body.map(channels.into());
        }
        if let Some(channels) = self.head {
            body.head(channels.into());
        }
        assemble(&self.header(), &body.bytes)
    }

    fn header(self) -> Header<'static> {
        let map = |channels| MapHeader {
            channels,
            stages: 1,
            residual_blocks: 1,
            cells: CELLS,
            gate_bits: 8,
            offset_bits: [12, 10],
            step: 0.5,
        };
        let head = |channels| HeadHeader {
            channels,
            residual_blocks: 1,
            steps: [1e-3; 7],
            unit: 100.0,
        };
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
            map: self.map.map(map),
            head: self.head.map(head),
            provenance: Provenance {
                program: "random",
                data_version: "none",
                seed: self.seed,
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
}

/// Two by three cells where `Q_init` is not zero.
const CELLS: [u8; 4] = [15, 17, 15, 18];

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

/// Prefix, header and body as a file. Its header must fit 1 KiB.
fn assemble(header: &Header, body: &[u8]) -> Vec<u8> {
    let mut room = [0; 1024];
    let header = postcard::to_slice(header, &mut room);
    let header = header.as_deref().unwrap_or_default();
    let mut file = Vec::from(MAGIC);
    file.extend(VERSION.to_le_bytes());
    file.extend((header.len() as u16).to_le_bytes());
    file.extend([0; 8]);
    file.extend_from_slice(header);
    file.resize(file.len().next_multiple_of(BODY_ALIGNMENT), 0);
    file.extend_from_slice(body);
    repair(&mut file);
    file
}

/// A body with random numbers.
struct Body {
    bytes: Vec<u8>,
    state: u64,
}

impl Body {
    /// SplitMix64 (Steele, Lea and Flood 2014).
    fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A random number from `-reach` to `reach`.
    fn within(&mut self, reach: i32) -> i32 {
        (self.random() % (2 * reach as u64 + 1)) as i32 - reach
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    fn table(&mut self, len: usize, reach: i32) {
        for _ in 0..len {
            let value = self.within(reach) as i16;
            self.bytes.extend(value.to_le_bytes());
        }
        self.pad();
    }

    /// A layer whose outputs are about as large as its inputs.
    fn layer(&mut self, outputs: usize, inputs: usize) {
        for _ in 0..outputs * inputs {
            let weight = self.within(100) as i8;
            self.bytes.extend(weight.to_le_bytes());
        }
        self.pad();
        let multiplier = (1u64 << 39) / (58 * inputs.isqrt().max(1) as u64);
        for _ in 0..outputs {
            let bias = self.within(10_000);
            self.bytes.extend(bias.to_le_bytes());
            self.bytes.extend((multiplier as u32 / 16).to_le_bytes());
            self.bytes.push(35);
        }
        self.pad();
    }

    fn conv2d(&mut self, inputs: usize, outputs: usize) {
        self.layer(outputs, 9 * inputs);
    }

    fn block(&mut self, channels: usize) {
        self.conv2d(channels, channels);
        self.conv2d(channels, channels);
    }

    /// The numbers of a data step, and the four layers of a stage.
    fn stage(&mut self, channels: usize) {
        for number in [1 << 30, 1 << 30, 1 << 20, 1 << 18, 20i32] {
            self.bytes.extend(number.to_le_bytes());
        }
        self.bytes.extend([46, 46, 20]);
        self.pad();
        self.conv2d(1, channels);
        self.block(channels);
        self.conv2d(channels, 1);
    }

    fn map(&mut self, channels: usize) {
        self.table(RESPONSE_LEN, 5_900);
        self.table(MAP_LEN, 1_900);
        self.layer(6, 121);
        self.stage(channels);
        self.table(MAP_LEN, 1_000);
        self.table(MAP_LEN, 1_000);
        self.conv2d(1, channels);
        self.layer(channels / 2, channels);
        self.layer(channels / 2, channels);
        self.conv2d(2, 2);
        for _ in 0..2 {
            self.conv2d(channels, OFFSETS);
            self.layer(channels, 9 * channels);
        }
        self.conv2d(channels, 1);
        self.conv2d(5, channels);
        self.block(channels);
        self.conv2d(channels, 1);
    }

    fn head(&mut self, channels: usize) {
        self.conv2d(5, channels);
        self.block(channels);
        self.conv2d(channels, HEAD_OUTPUTS);
    }
}
