//! Any bytes as a model file; what loads must run. Length and checksum are put right first, or nothing
//! would get past them: bytes of odd length keep theirs. One model in 8192 is run, which takes ten thousand
//! times as long as reading it.
#![no_main]

use derefnet_core::weights::Model;
use derefnet_fuzz::{is_chosen, models::repair, run};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if bytes.len() % 2 == 1 {
        let _ = Model::load(bytes);
        return;
    }
    let mut file = bytes.to_vec();
    repair(&mut file);
    if let Ok(model) = Model::load(&file)
        && is_chosen(&file, 8192)
    {
        run(&model);
    }
});
