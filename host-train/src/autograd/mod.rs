//! To be filled: autograd.
