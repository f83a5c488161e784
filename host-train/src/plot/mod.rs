//! To be filled: plot.
