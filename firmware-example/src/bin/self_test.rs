//! Results of this board, bit by bit: exit status 0 if every check is good; the hashes must be those of
//! any other machine.
#![cfg_attr(target_os = "none", no_std, no_main)]

use derefnet_core::stream::MapMemory;
use derefnet_firmware::board::Room;
use derefnet_firmware::report::Report;
use derefnet_firmware::{kernels, models, network};

derefnet_firmware::program!(run);

static MEMORY: Room<MapMemory<16>> = Room::new(MapMemory::new());

fn run() -> bool {
    let Some(memory) = MEMORY.take() else {
        return false;
    };
    let mut report = Report::default();
    kernels::check(&mut report);
    network::check(&mut report, models::EDGE, memory);
    report.finish("kernels")
}
