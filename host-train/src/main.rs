//! The program `derefnet`.

fn main() {}
