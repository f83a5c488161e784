//! To be filled: dataset.
