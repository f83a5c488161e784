//! To be filled: tensor.
