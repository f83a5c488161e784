//! What a model file needs on a device.

use derefnet_core::stream::{HeadMemory, MapMemory, ram_bytes};

/// Bytes of memory that a stream of maps of `channels` needs in all, its own state included; `None` for
/// a width that the format does not know.
pub fn map_ram_bytes(channels: usize) -> Option<usize> {
    Some(match channels {
        8 => ram_bytes::<MapMemory<8>>(),
        16 => ram_bytes::<MapMemory<16>>(),
        24 => ram_bytes::<MapMemory<24>>(),
        32 => ram_bytes::<MapMemory<32>>(),
        40 => ram_bytes::<MapMemory<40>>(),
        48 => ram_bytes::<MapMemory<48>>(),
        56 => ram_bytes::<MapMemory<56>>(),
        64 => ram_bytes::<MapMemory<64>>(),
        _ => return None,
    })
}

/// The same of a stream that answers by the offset head of `channels` and the fit alone; `None`
/// also for 64 channels, which only the memory of a map holds.
pub fn head_ram_bytes(channels: usize) -> Option<usize> {
    Some(match channels {
        8 => ram_bytes::<HeadMemory<8>>(),
        16 => ram_bytes::<HeadMemory<16>>(),
        24 => ram_bytes::<HeadMemory<24>>(),
        32 => ram_bytes::<HeadMemory<32>>(),
        40 => ram_bytes::<HeadMemory<40>>(),
        48 => ram_bytes::<HeadMemory<48>>(),
        56 => ram_bytes::<HeadMemory<56>>(),
        _ => return None,
    })
}
