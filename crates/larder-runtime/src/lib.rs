//! Maps, checks, binds and runs images.
