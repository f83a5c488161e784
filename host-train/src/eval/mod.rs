//! To be filled: eval.
