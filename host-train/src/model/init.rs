//! Initial values.
pub fn initialise() {}
