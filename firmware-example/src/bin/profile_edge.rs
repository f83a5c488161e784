//! Ticks of a new frame of the preset `edge`, part by part, for every readout.
#![cfg_attr(target_os = "none", no_std, no_main)]

use derefnet_core::stream::MapMemory;
use derefnet_firmware::board::Room;
use derefnet_firmware::{models, profile};

derefnet_firmware::program!(run);

static MEMORY: Room<MapMemory<16>> = Room::new(MapMemory::new());

fn run() -> bool {
    MEMORY
        .take()
        .is_some_and(|memory| profile::run("edge", models::EDGE, memory))
}
