//! To be filled: ops.
