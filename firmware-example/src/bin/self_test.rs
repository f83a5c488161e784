//! Results of this board, bit by bit: exit status 0 if every check is good; the hash must be that of
//! any other machine.
#![cfg_attr(target_os = "none", no_std, no_main)]

use derefnet_firmware::kernels;
use derefnet_firmware::report::Report;

derefnet_firmware::program!(run);

fn run() -> bool {
    let mut report = Report::default();
    kernels::check(&mut report);
    report.finish("kernels")
}
