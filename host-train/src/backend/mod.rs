//! To be filled: backend.
