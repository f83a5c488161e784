//! The one portable random generator.
