//! To be filled: train.
